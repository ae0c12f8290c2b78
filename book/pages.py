"""The static site: the executed notebooks as they are, and an index page. Nothing is run."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from string import Template

import nbformat

from book import links, source
from book.links import ROOT

SITE = ROOT / "book" / "site"
PLAYER = ROOT / "hamlib" / "drawing" / "player.js"
FOLDER = ROOT / "build" / "site"
KEYS = "13 5 30 5 2 21 9 17"
WIDGET = """\
<form class="ham-keys">
<label for="keys">Keys</label> <input id="keys" name="keys" value="{keys}" inputmode="numeric" autocomplete="off">
<button type="submit">Sort</button> <button type="button" name="random">Random keys</button>
<output name="answer" for="keys"></output></form>
<div class="ham-player" id="machine"></div>
<script type="application/json" id="machine-tables">{tables}</script>
<script>
{player}{machine}
hamMachine(document.querySelector(".ham-keys"), document.getElementById("machine"),
  JSON.parse(document.getElementById("machine-tables").textContent));
</script>"""


def build(folder=FOLDER, root=ROOT):
    """Write the site of the repository at `root` to `folder`.

    Raises:
        subprocess.CalledProcessError: Sphinx had an error or a warning.
    """
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as work:
        pages, state = f"{work}/pages", f"{work}/state"
        write(pages, root)
        command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-c", SITE, "-d", state]
        subprocess.run([*command, pages, folder], check=True)
    shutil.copytree(root / "notebooks", folder / "notebooks", ignore=lambda _, names: [n for n in names if n[0] == "."])


def write(folder, root=ROOT):
    """Write what Sphinx reads to `folder`: the index and the chapters, with links in place of the Colab badge."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    for name in source.names(root):
        notebook = nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = without_badge(cell.source, name, root)
        nbformat.write(notebook, folder / f"{name}.ipynb")
    (folder / "index.md").write_text(index(root), encoding="utf-8")


def without_badge(text, name, root=ROOT):
    """Return the markdown ``text`` of chapter ``name`` with links in place of its badge, an image of another host."""
    slug, colab = links.slug(root), "https://colab.research.google.com/github"
    here = (
        f'<span class="chapter-links"><a href="notebooks/{name}.ipynb" download>Notebook</a> · '
        f'<a href="{colab}/{slug}/blob/main/notebooks/{name}.ipynb">Open in Colab</a> · '
        f'<a href="https://github.com/{slug}/blob/main/notebooks/{name}.py">Source</a></span>'
    )
    return re.sub(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)", lambda _: here, text)


def index(root=ROOT):
    """Return the index page as markdown: the README's words and table, the tables of the memory, the chapters."""
    readme = (root / "README.md").read_text(encoding="utf-8")
    reach, table, note = re.search(
        r"^## What it reaches\n\n(.*?)\n\n(\| % right.*?)\n\n(.*?)\n\n", readme, re.MULTILINE | re.DOTALL
    ).groups()
    captions = {"Chapters": [], "Appendices": []}
    for name in source.names(root):
        captions["Chapters" if name < "90" else "Appendices"].append(name)
    trees = [
        "\n".join(["```{toctree}", ":maxdepth: 1", f":caption: {caption}", "", *names, "```"])
        for caption, names in captions.items()
        if names
    ]
    widget = WIDGET.format(
        keys=KEYS,
        tables=(SITE / "machine.json").read_text(encoding="utf-8").strip(),
        player=PLAYER.read_text(encoding="utf-8"),
        machine=(SITE / "machine.js").read_text(encoding="utf-8"),
    )
    return Template((SITE / "index.md").read_text(encoding="utf-8")).substitute(
        intro=readme.split("\n\n")[1],
        widget=widget,
        reach=reach,
        table=table,
        note=note,
        toctree="\n\n".join(trees),
        slug=links.slug(root),
    )
