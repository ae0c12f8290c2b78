"""The book's workshop: what it builds, what it refuses, what it finds, and where addresses go."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import nbformat
import pytest

from book import builder, links, rules, source
from book.links import ROOT

PYPROJECT = '[project]\nname = "tiny"\n[project.urls]\nRepository = "https://github.com/{slug}"\n'

TITLE = """\
# %% [markdown]
# # A tiny chapter
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ada/tiny/blob/main/notebooks/tiny.ipynb)
"""

BODY = """
# %% [markdown]
# Some prose.

# %%
import sys

print("one")
sys.stdout.flush()
print("two")
1 + 1

# %% tags=["exercise"]
def parent(i):
    raise NotImplementedError

# %% tags=["check"]
try:
    assert parent(5) == 2
    print("solved")
except NotImplementedError:
    print("not yet")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def parent(i):
#     return i // 2
# ```
#
# </details>
"""


@pytest.fixture
def tiny(tmp_path):
    """A book with one small notebook, in a folder of its own; returns the folder."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.format(slug="ada/tiny"))
    (tmp_path / "notebooks" / "tiny.py").write_text(text_of())
    return tmp_path


def text_of(body=BODY):
    return f"{TITLE}\n# %%\n{source.SETUP.format(slug='ada/tiny')}\n{body}"


def rewrite(tiny, old, new):
    path = tiny / "notebooks" / "tiny.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def without_kernel(tiny, body=BODY):
    """Stand in for a run: the notebook as built, with the counts of a run and no outputs."""
    (tiny / "notebooks" / "tiny.py").write_text(text_of(body))
    notebook = source.read("tiny", tiny)
    for number, cell in enumerate(source.code_cells(notebook), 1):
        cell.execution_count = number
    save(tiny, notebook)
    return notebook


def save(tiny, notebook):
    nbformat.write(notebook, tiny / "notebooks" / "tiny.ipynb")


def stream(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def forbid(*arguments, **named):
    raise AssertionError("a kernel was started")


# ---------------------------------------------------------------- building


def test_build_is_repeatable_and_prose_needs_no_kernel(tiny, monkeypatch):
    path = tiny / "notebooks" / "tiny.ipynb"
    assert builder.build(root=tiny) == ["tiny"]
    first = path.read_bytes()
    assert rules.check(tiny) == []
    assert builder.build(["tiny"], root=tiny) == []  # run again: the same bytes, so nothing to write
    assert path.read_bytes() == first
    assert [p.name for p in (tiny / "notebooks").iterdir() if p.name.startswith(".")] == []

    notebook = json.loads(first)
    assert [cell["id"] for cell in notebook["cells"]] == [f"c{i:03}" for i in range(1, 8)]
    outputs = notebook["cells"][3]["outputs"]
    assert outputs[0]["text"] == ["one\n", "two\n"] and outputs[1]["data"]["text/plain"] == ["2"]
    assert all("execution" not in cell["metadata"] for cell in notebook["cells"])
    assert set(notebook["metadata"]) == {"kernelspec", "language_info", "hamlib"}
    assert notebook["metadata"]["language_info"] == {"name": "python"}  # no version: it is this machine's

    monkeypatch.setattr(builder, "execute", forbid)
    rewrite(tiny, "Some prose.", "Better prose.")
    assert rules.check(tiny) == ["tiny: c003: the source has changed, here and in 0 more cells"]
    assert builder.build(root=tiny) == ["tiny"]
    assert rules.check(tiny) == []
    assert path.read_bytes() == first.replace(b"Some prose.", b"Better prose.")

    rewrite(tiny, 'print("two")', 'print("three")')
    with pytest.raises(AssertionError, match="a kernel was started"):
        builder.build(root=tiny)


@pytest.mark.parametrize(
    "code, message",
    [
        ("1 / 0", "tiny: c004: ZeroDivisionError: division by zero"),
        ("import sys; print('oh', file=sys.stderr)", "tiny: c004: writes to stderr: 'oh'"),
        ("import warnings; warnings.warn('mind')", "tiny: c004: writes to stderr"),
        ("import os; print(os.getcwd())", "tiny: c004: holds a path of this machine"),
        ("import os; os.kill(os.getpid(), 9)", "tiny: c004: .*died"),
    ],
)
def test_build_refuses_and_keeps_the_old_notebook(tiny, code, message):
    without_kernel(tiny)
    before = (tiny / "notebooks" / "tiny.ipynb").read_bytes()
    rewrite(tiny, "import sys\n\nprint", f"{code}\nprint")
    with pytest.raises(builder.BuildError, match=message):
        builder.build(root=tiny)
    assert (tiny / "notebooks" / "tiny.ipynb").read_bytes() == before
    assert sorted(p.name for p in (tiny / "notebooks").iterdir()) == ["tiny.ipynb", "tiny.py"]


def test_a_cell_that_never_ends_is_stopped(tiny):
    rewrite(tiny, "import sys\n\nprint", "import time; time.sleep(60)\nprint")
    with pytest.raises(builder.BuildError, match="c004: .*timed out"):
        builder.execute(source.read("tiny", tiny), tiny, timeout=2)


def test_build_names_the_notebooks_it_knows(tiny):
    with pytest.raises(builder.BuildError, match="no notebook tidy; there are tiny"):
        builder.build(["tidy"], root=tiny)


# ---------------------------------------------------------------- checking


def test_check_finds_missing_and_orphaned_notebooks(tiny):
    assert rules.check(tiny) == ["tiny: not built"]
    (tiny / "notebooks" / "tiny.py").rename(tiny / "notebooks" / "other.py")
    without_kernel(tiny)
    (tiny / "notebooks" / "tiny.py").unlink()
    assert rules.check(tiny) == ["tiny: no source tiny.py", "other: not built"]


def test_check_finds_outputs_of_other_code(tiny):
    """As `jupytext --update` leaves them: the new code in the cell, the old output under it."""
    notebook = without_kernel(tiny)
    assert rules.check(tiny) == []
    rewrite(tiny, "1 + 1", "1 + 2")
    notebook.cells[3].source = notebook.cells[3].source.replace("1 + 1", "1 + 2")
    save(tiny, notebook)
    (problem,) = rules.check(tiny)
    assert "the outputs come from other code" in problem


def test_check_finds_cells_run_out_of_order_twice_or_not_at_all(tiny):
    for counts in ([1, 2, 4, 3], [1, 2, 3, 5], [1, 2, 3, None]):
        notebook = without_kernel(tiny)
        for cell, count in zip(source.code_cells(notebook), counts, strict=True):
            cell.execution_count = count
        save(tiny, notebook)
        assert rules.check(tiny) == [f"tiny: cells were not run once each, in order: {counts}"]


@pytest.mark.parametrize(
    "output, message",
    [
        (stream("x", "stderr"), "writes to stderr: 'x'"),
        (stream("UserWarning: mind the gap"), "holds a warning"),
        (stream("a\nTraceback (most recent call last)\n"), "holds a traceback"),
        (stream("2026-08-01 10:00:00.123456: I tensorflow/core/x.cc:1] y"), "holds a log line of TensorFlow"),
        (stream("ok\nI0000 00:00:1 service.cc:1] XLA"), "holds a log line of TensorFlow"),
        (stream("1/9\r2/9"), "holds a progress bar (use verbose=0 or 2)"),
        (stream("<f at 0x7f00deadbeef>"), "holds an address in memory"),
        (stream("saved in /tmp/x"), "holds a path of this machine, /tmp/"),
        (stream(f"saved in {os.path.expanduser('~')}/x"), "holds a path of this machine"),
        (
            nbformat.v4.new_output("display_data", {"text/html": "<p>/lib/site-packages/x</p>"}),
            "holds a path of this machine, site-packages",
        ),
        (nbformat.v4.new_output("error", ename="E", evalue="v", traceback=[]), "error E: v"),
        (nbformat.v4.new_output("display_data", {"image/png": "/tmp/"}), "a picture without alt text"),
    ],
)
def test_check_finds_unwanted_outputs(tiny, output, message):
    notebook = without_kernel(tiny)
    notebook.cells[3].outputs = [stream("all is well"), output]
    save(tiny, notebook)
    found = rules.check(tiny)
    assert any(line.startswith("tiny: c004: " + message) for line in found), found


def test_a_picture_with_alt_text_is_welcome_whatever_letters_its_data_have(tiny):
    notebook = without_kernel(tiny)
    metadata = {"image/png": {"alt": "a tree"}}
    notebook.cells[3].outputs = [nbformat.v4.new_output("display_data", {"image/png": "/tmp/"}, metadata=metadata)]
    save(tiny, notebook)
    assert rules.check(tiny) == []


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("Some prose.", "word " * 121, "c003: 121 words, at most 120"),
        ("1 + 1", "1 + 1\n" * 41, "c004: 46 lines, at most 40"),
        ("# # A tiny chapter", "# A tiny chapter", "c001: the first cell holds the title and a Colab badge"),
        ("notebooks/tiny.ipynb", "notebooks/tony.ipynb", "c001: the first cell holds the title and a Colab badge"),
        ("check=True", "check=False", "the first code cell is not the set-up cell"),
        ("<summary>Solution", "<summary>Hint", "c005: an exercise needs"),
        ('tags=["check"]', 'tags=["chuck"]', "c005: an exercise needs"),
        ("ada/tiny/blob", "eve/tiny/blob", "c001: the first cell holds the title and a Colab badge"),
    ],
)
def test_check_finds_departures_from_the_style(tiny, old, new, message):
    rewrite(tiny, old, new)
    notebook = source.read("tiny", tiny)
    for number, cell in enumerate(source.code_cells(notebook), 1):
        cell.execution_count = number
    save(tiny, notebook)
    found = rules.check(tiny)
    assert any(line.startswith(f"tiny: {message}") for line in found), found


def test_check_finds_long_code_in_the_median_and_a_heavy_file(tiny):
    notebook = without_kernel(tiny, "\n# %%\n" + "x = 1\n" * 10)
    notebook.cells[2].outputs = [stream("x" * 1_000_000)]
    save(tiny, notebook)
    median, size = rules.check(tiny)
    assert median == "tiny: code cells have 8 lines in the median, under 8 wanted"
    assert size.endswith("bytes, under 1,000,000 wanted")


def test_words_leaves_out_tables_code_formulas_and_solutions():
    table, code, folded = "| a | table |\n|--|--|", "```\ncode here\n```", "<details>\nfolded words\n</details>"
    assert rules.words("\n\n".join(["Two words", table, code, folded, "$$a + b$$"])) == 2
    assert rules.words("a $x + y + z$ [link](http://example.org/a) — end") == 4


def test_code_hash_is_of_all_code_and_of_code_only(tiny):
    notebook = without_kernel(tiny)
    code = "\n# %%\n".join(links.carry(cell.source, "owner/name") for cell in source.code_cells(notebook))
    assert source.code_hash(notebook) == hashlib.sha256(code.encode()).hexdigest()
    notebook.cells[2].source += " More."
    assert source.code_hash(notebook) == notebook.metadata.hamlib.code_hash
    notebook.cells[3].source += " # more"
    assert source.code_hash(notebook) != notebook.metadata.hamlib.code_hash


def test_the_repository_s_book_is_in_order_and_checked_without_tensorflow():
    run = subprocess.run([sys.executable, "-m", "book", "check"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    code = "import book.builder, sys; assert not {'tensorflow', 'keras', 'hamlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# ---------------------------------------------------------------- exercises


def test_solved_puts_the_solution_in_the_stub_s_place(tiny):
    notebook = source.read("tiny", tiny)
    before = [cell.source for cell in notebook.cells]
    cells = source.solved(notebook).cells
    assert cells[4].source == "def parent(i):\n    return i // 2"
    assert [i for i, cell in enumerate(cells) if cell.source != before[i]] == [4]
    assert [cell.source for cell in notebook.cells] == before  # the original stays as it was
    space = {}
    exec(cells[4].source + "\n" + cells[5].source.replace('print("solved")', "done = True"), space)
    assert space["done"]


def test_two_exercises_do_not_share_a_solution(tiny):
    without_kernel(tiny, BODY.replace('# %% tags=["check"]', '# %% tags=["exercise"]\n2\n\n# %% tags=["check"]'))
    with pytest.raises(ValueError, match="c005: an exercise needs"):
        source.solved(source.read("tiny", tiny))


# ---------------------------------------------------------------- addresses


def test_carry_reaches_every_derived_address_and_no_other():
    old = """\
https://colab.research.google.com/github/ada/tiny/blob/main/notebooks/x.ipynb
pip install git+https://github.com/ada/tiny.
repository-code: "https://github.com/ada/tiny"
git clone https://github.com/ada/tiny && cd tiny
git clone https://github.com/ada/tiny
cd tiny
make test
"""
    assert links.carry(old, "bob/big.book") == old.replace("ada/tiny", "bob/big.book").replace("cd tiny", "cd big.book")
    assert links.carry(old, "ada/tiny") == old
    page = "[the site](https://ada.github.io/tiny/), [another](https://ada.github.io/tiny/)"
    assert links.carry(page, "Bob/big.book") == page.replace("ada.github.io/tiny", "bob.github.io/big.book", 1)
    other = "https://github.com/ada/tiny is another's; https://example.org/ada/tiny too"
    assert links.carry(other, "bob/big") == other


@pytest.mark.parametrize("address", ["http://github.com/ada/tiny", "https://github.com/ada", "https://example.org/a/b"])
def test_an_address_that_colab_cannot_use_is_refused(tmp_path, address):
    (tmp_path / "pyproject.toml").write_text(f'[project.urls]\nRepository = "{address}"\n')
    with pytest.raises(ValueError, match="https://github.com/owner/name, not"):
        links.slug(tmp_path)


def test_a_new_address_reaches_the_whole_repository(tmp_path):
    """Copy the repository, change pyproject.toml, run the command: the old address is gone from every file."""
    assert links.update(dry_run=True) == []
    old = links.slug()
    folders = ["notebooks", "hamlib", "book", "tests", "benchmarks", ".ci", ".github"]
    endings = {".py", ".md", ".cff", ".yml", ".toml", ".txt", ""}
    files = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in endings]
    for path in [*files, *(p for p in ROOT.iterdir() if p.suffix in endings)]:
        if path.is_file():
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace(old, "someone/elsewhere"))

    derived = [tmp_path / "notebooks" / f"{name}.py" for name in source.names()]
    derived += [tmp_path / "README.md", tmp_path / "CITATION.cff"]
    expected = [f"{path.name}: an address is not the one in pyproject.toml" for path in derived]
    assert rules.check(tmp_path)[-len(derived) :] == expected
    assert links.update(tmp_path) == derived
    assert links.update(tmp_path) == []
    assert [p for p in tmp_path.rglob("*") if p.is_file() and old in p.read_text(encoding="utf-8")] == []


def test_a_new_address_needs_no_kernel(tiny, monkeypatch):
    without_kernel(tiny)
    monkeypatch.setattr(builder, "execute", forbid)
    (tiny / "pyproject.toml").write_text(PYPROJECT.format(slug="bob/big"))
    assert "tiny.py: an address is not the one in pyproject.toml" in rules.check(tiny)
    assert links.update(tiny) == [tiny / "notebooks" / "tiny.py"]
    assert builder.build(root=tiny) == ["tiny"]
    assert rules.check(tiny) == []
    assert "ada/tiny" not in (tiny / "notebooks" / "tiny.ipynb").read_text()
