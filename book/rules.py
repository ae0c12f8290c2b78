"""What holds for every notebook of the book, checked without running anything."""

import json
import re
import statistics
from pathlib import Path

import nbformat

from book import links, source
from book.links import ROOT

WORDS, LINES, MEDIAN, BYTES = 120, 40, 8, 1_000_000  # a markdown cell; a code cell; all code cells; the file

UNWANTED = {
    "a log line of TensorFlow": r"^[IWEF]\d{4} |^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWEF] |WARNING:(tensorflow|absl)"
    r"|log messages before absl",
    "a warning": r"\b\w*Warning: ",
    "a traceback": r"^Traceback \(most recent call last\)",
    "a progress bar (use verbose=0 or 2)": r"[\b\r]",
    "an address in memory": r"\b0x[0-9a-f]{8,}",
}


def places(root=ROOT):
    """Return what only this machine knows: strings that no output may hold."""
    home = str(Path.home()).rstrip("/")
    return [str(root), "/tmp/", "/home/", "/Users/", "site-packages", *([home + "/"] if home else [])]


def output_problems(notebook, root=ROOT):
    """Return what is wrong with the outputs of `notebook`, one line each, beginning with the cell's id."""
    problems = []
    for cell in source.code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                problems.append(f"{cell.id}: error {output.ename}: {output.evalue}")
                continue
            if output.get("name") == "stderr":
                problems.append(f"{cell.id}: writes to stderr: {output.text.strip()[:300]!r}")
            data = {"text/plain": output.text} if output.output_type == "stream" else output.data
            for kind, value in data.items():
                if not kind.startswith("image/") or kind.endswith("xml"):  # binary data can hold any letters
                    text = value if isinstance(value, str) else json.dumps(value)
                    found = [what for what, pattern in UNWANTED.items() if re.search(pattern, text, re.MULTILINE)]
                    found += [f"a path of this machine, {place}" for place in places(root) if place in text]
                    problems += [f"{cell.id}: holds {what}" for what in found]
    return problems


def words(markdown):
    """Return how many words a reader meets in a markdown cell; tables, code and folded solutions do not count."""
    text = re.sub(r"<details>.*?</details>|```.*?```|\$\$.*?\$\$|^\|.*?$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\]\([^)]*\)", "]", re.sub(r"\$[^$]+\$", "x", text))
    return sum(any(letter.isalnum() for letter in word) for word in text.split())


def style_problems(name, notebook, root=ROOT):
    """Return where the executed `notebook` departs from the book's style, one line each."""
    problems, code, first = [], source.code_cells(notebook), notebook.cells[0]
    badge = f"colab.research.google.com/github/{links.slug(root)}/blob/main/notebooks/{name}.ipynb"
    if first.cell_type != "markdown" or not first.source.startswith("# ") or badge not in first.source:
        problems.append(f"{first.id}: the first cell holds the title and a Colab badge to {badge}")
    if not code or code[0].source != source.SETUP.format(slug=links.slug(root)):
        problems.append("the first code cell is not the set-up cell (book/source.py has its text)")
    for cell in notebook.cells:
        count, lines = words(cell.source), len(cell.source.splitlines())
        if cell.cell_type == "markdown" and count > WORDS:
            problems.append(f"{cell.id}: {count} words, at most {WORDS}")
        if cell.cell_type == "code" and lines > LINES:
            problems.append(f"{cell.id}: {lines} lines, at most {LINES}")
        for output in cell.get("outputs", []):
            for kind in (kind for kind in output.get("data", {}) if kind.startswith("image/")):
                if not output.metadata.get(kind, {}).get("alt"):
                    problems.append(f"{cell.id}: a picture without alt text")
    if code and (median := statistics.median(len(cell.source.splitlines()) for cell in code)) >= MEDIAN:
        problems.append(f"code cells have {median:g} lines in the median, under {MEDIAN} wanted")
    try:
        source.solved(notebook)
    except ValueError as error:
        problems.append(str(error))
    return problems


def order_problems(notebook):
    """Return one line if the code cells of `notebook` were not run once each, from the first to the last."""
    ran = [cell.execution_count for cell in source.code_cells(notebook)]
    return [] if ran == list(range(1, len(ran) + 1)) else [f"cells were not run once each, in order: {ran}"]


def drift(written, built):
    """Return where the notebook `built` is not what its source `written` says, one line each."""
    changed = [
        new.id
        for new, old in zip(written.cells, built.cells, strict=False)
        if (new.id, new.cell_type, new.source, new.metadata) != (old.id, old.cell_type, old.source, old.metadata)
    ]
    problems = [f"{changed[0]}: the source has changed, here and in {len(changed) - 1} more cells"] if changed else []
    if len(written.cells) != len(built.cells):
        problems.append(f"{len(written.cells)} cells in the source, {len(built.cells)} in the notebook")
    if written.metadata != built.metadata:
        problems.append("the outputs come from other code (code_hash), or the metadata was changed by hand")
    return problems + order_problems(built)


def check(root=ROOT):
    """Return all problems of the book as lines "notebook: [cell:] what"; an empty list when all is well."""
    folder, names = root / "notebooks", source.names(root)
    problems = [f"{p.stem}: no source {p.stem}.py" for p in folder.glob("*.ipynb") if p.stem not in names]
    for name in names:
        if not (path := folder / f"{name}.ipynb").exists():
            problems.append(f"{name}: not built")
            continue
        built = nbformat.read(path, as_version=4)
        found = drift(source.read(name, root), built) + output_problems(built, root) + style_problems(name, built, root)
        if path.stat().st_size >= BYTES:
            found.append(f"{path.stat().st_size:,} bytes, under {BYTES:,} wanted")
        problems += [f"{name}: {line}" for line in found]
    outdated = links.update(root, dry_run=True)
    return problems + [f"{path.name}: an address is not the one in pyproject.toml" for path in outdated]
