"""The book as a reader meets it: exercises that can be solved, and a first cell that works in Colab.

That each notebook runs as it stands is nbmake's job: ``pytest --nbmake notebooks``.
"""

import json
import os
import shutil
import subprocess
import symtable
import sys
import sysconfig

import nbformat
import pytest

from book import builder, rules, source
from book.links import ROOT

NAMES = source.names()
CHAPTERS = [name for name in NAMES if "01" <= name < "90"]  # 00 opens the book; from 90 on: appendices


def built(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def verdicts(notebook):
    """Return what the check cells of an executed notebook print, one text for each."""
    checks = [cell for cell in notebook.cells if "check" in source.tags(cell)]
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in checks]


def test_the_book_has_chapters():
    assert len(CHAPTERS) >= 4


@pytest.mark.parametrize("name", CHAPTERS)
def test_stubs_fail_their_checks_with_a_message(name):
    texts = verdicts(built(name))
    assert 2 <= len(texts) <= 4, "a chapter has two to four exercises"
    for number, text in enumerate(texts, 1):
        assert text.startswith(f"✗ Exercise {int(name[:2])}.{number}"), text
        assert "✓" not in text


def test_the_set_up_cell_installs_hamlib_where_it_is_missing(tmp_path):
    """In a fresh environment without hamlib, as in Colab, the first chapter runs from top to bottom.

    The environment borrows all packages of this one except hamlib, so nothing large is downloaded;
    HAMLIB_SOURCE names a copy of the checkout, so that pip leaves no build files in this one.
    """
    checkout, borrowed, work = tmp_path / "checkout", tmp_path / "borrowed", tmp_path / "work"
    for folder in (borrowed, work):
        folder.mkdir()
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(".*", "build", "runs", "*.egg-info", "__pycache__"))
    for key in ("purelib", "platlib"):
        for entry in os.scandir(sysconfig.get_path(key)):
            if "hamlib" not in entry.name and not (borrowed / entry.name).exists():
                (borrowed / entry.name).symlink_to(entry.path)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "fresh"], check=True)
    python = tmp_path / "fresh" / "bin" / "python"
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    environment |= {"HAMLIB_SOURCE": str(checkout), "PIP_ROOT_USER_ACTION": "ignore"}

    def run(*arguments, cwd=work):
        return subprocess.run([python, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)

    packages = run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    assert packages.startswith(str(tmp_path / "fresh"))
    with open(os.path.join(packages, "borrowed.pth"), "w") as file:
        file.write(f"{borrowed}\n")
    for folder in (work, checkout / "notebooks"):
        missing = run("-c", "import numpy, hamlib", cwd=folder)
        assert missing.returncode == 1 and "ModuleNotFoundError: No module named 'hamlib'" in missing.stderr

    notebook = built(CHAPTERS[0])
    where = "import json, sys, hamlib\nprint(json.dumps([sys.executable, hamlib.__file__]))"
    notebook.cells.append(nbformat.v4.new_code_cell(where))
    nbformat.write(notebook, work / "in.ipynb")
    script = """
import sys
sys.path.insert(0, sys.argv[1])  # for `book` alone: the kernel is another process
import nbformat
from pathlib import Path
from book import builder
notebook = nbformat.read("in.ipynb", as_version=4)
Path("notebooks").mkdir()
builder.execute(notebook, Path.cwd(), HAMLIB_SOURCE=sys.argv[1])
nbformat.write(notebook, "out.ipynb")
"""
    ran = run("-c", script, str(checkout))
    assert ran.returncode == 0, ran.stderr
    notebook = nbformat.read(work / "out.ipynb", as_version=4)
    kernel, installed = json.loads(notebook.cells.pop().outputs[0].text)
    assert kernel == str(python)
    assert installed.startswith(packages), "the notebook found another hamlib"
    assert rules.output_problems(notebook) == []


def names_in(code):
    """Return the global names that a cell binds, and those that it looks up, also in its functions."""
    table = symtable.symtable(code, "cell", "exec")
    bound = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    looked_up, tables = {s.get_name() for s in table.get_symbols() if s.is_referenced()}, table.get_children()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        looked_up |= {s.get_name() for s in table.get_symbols() if s.is_global()}
    return bound, looked_up


def needed(cells):
    """Of the code cells up to the last check: exercises, checks, what uses an exercise's names, and what these need."""
    exercises = set().union(*(names_in(cell.source)[0] for cell in cells if "exercise" in source.tags(cell)))
    kept, wanted = [], set()
    for cell in reversed(cells):
        (bound, looked_up), tags = names_in(cell.source), {"exercise", "check"} & set(source.tags(cell))
        if tags or exercises & looked_up or wanted & bound:
            wanted |= looked_up
            kept.insert(0, cell)
    return kept


def test_a_chapter_is_cut_to_what_its_exercises_need():
    codes = ["x = 1", "y = 2", "def f(): return x", "print(y)", "def a(): return f()", "assert a()", "z = a()"]
    cells = [nbformat.v4.new_code_cell(code) for code in codes]
    cells[4].metadata.tags, cells[5].metadata.tags = ["exercise"], ["check"]
    assert [cell.source for cell in needed(cells)] == [codes[k] for k in (0, 2, 4, 5, 6)]


@pytest.mark.parametrize("name", CHAPTERS)
def test_solutions_pass_their_checks(name):
    """Run the exercises with their solutions and the cells they need; nbmake runs the others, which stay the same."""
    notebook = source.solved(built(name))
    checks = [number for number, cell in enumerate(notebook.cells) if "check" in source.tags(cell)]
    code = [cell for cell in notebook.cells[: checks[-1] + 1] if cell.cell_type == "code"]
    notebook.cells = needed([cell for cell in code if "slow" not in source.tags(cell)])
    builder.execute(notebook)
    for number, text in enumerate(verdicts(notebook), 1):
        assert text.endswith(f"✓ Exercise {int(name[:2])}.{number}: solved.\n") and "✗" not in text, text
