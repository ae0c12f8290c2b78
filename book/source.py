"""A notebook's source, notebooks/NN_topic.py, as cells."""

import hashlib
import re

import jupytext
import nbformat

from book.links import ROOT, carry

# The first code cell of every notebook; {slug} is the repository's owner and name.
SETUP = """\
# Installs hamlib where it is missing, as in Colab. HAMLIB_SOURCE can name a local checkout instead.
import importlib.util, os, subprocess, sys

if importlib.util.find_spec("hamlib") is None:
    source = os.environ.get("HAMLIB_SOURCE", "git+https://github.com/{slug}")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)"""


def names(root=ROOT):
    """Return the notebooks' names in reading order, for instance ["01_a_memory_shaped_like_a_tree"]."""
    return sorted(path.stem for path in (root / "notebooks").glob("*.py"))


def read(name, root=ROOT):
    """Return the source of the notebook `name` as a notebook without outputs.

    Cell ids come from the position (c001, c002, …) and the metadata holds nothing of this machine,
    so the same text gives the same notebook everywhere.
    """
    text = (root / "notebooks" / f"{name}.py").read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="py:percent")
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"c{number:03}"
        for key in [key for key in cell.metadata if key.startswith("lines_to_")]:
            del cell.metadata[key]  # jupytext's notes on blank lines
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "hamlib": {"code_hash": code_hash(notebook)},
        }
    )
    return notebook


def code_cells(notebook):
    """Return the code cells of `notebook`, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    """Return the tags of `cell`, a list of strings."""
    return cell.metadata.get("tags", [])


def code_hash(notebook):
    """Return the SHA-256 of all code. A new repository address alone does not change it."""
    text = "\n# %%\n".join(carry(cell.source, "owner/name") for cell in code_cells(notebook))
    return hashlib.sha256(text.encode()).hexdigest()


def solved(notebook):
    """Return a copy of `notebook` without outputs, its exercises solved.

    Every code cell tagged `exercise` gets the Python block of the next folded solution.

    Raises:
        ValueError: an exercise has no cell tagged `check` or no solution before the next exercise.
    """
    copy = nbformat.from_dict(notebook)
    for number, cell in enumerate(copy.cells):
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
        if "exercise" not in tags(cell):
            continue
        solution, checked = None, False
        for later in copy.cells[number + 1 :]:
            if "exercise" in tags(later) or solution:
                break
            checked = checked or "check" in tags(later)
            solution = re.search(r"<summary>Solution.*?```python\n(.*?)\n```\s*</details>", later.source, re.DOTALL)
        if not (checked and solution):
            raise ValueError(f"{cell.id}: an exercise needs a cell tagged check, then a <details> solution")
        cell.source = solution[1]
    return copy
