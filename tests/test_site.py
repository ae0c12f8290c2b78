"""The site: built without a warning and without running anything, whole by itself, its figures the ledger's."""

import html.parser
import json
import re
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from book import links, machine, pages, source
from book.links import ROOT

LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "link": "href",
    "video": "src",
    "object": "data",
}


class Page(html.parser.HTMLParser):
    """What a page loads, where it links to, and what can be linked to in it."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.ids = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs[key] for key in ("id", "name") if attrs.get(key)}
        if attrs.get(LOADS.get(tag)):
            self.loads.append(attrs[LOADS[tag]])
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])


@pytest.fixture(scope="module")
def parsed(site):
    return {path.relative_to(site).as_posix(): Page(path) for path in site.glob("*.html")}


def test_it_is_built_within_a_minute_and_has_every_chapter(site, parsed):
    assert float((site / "seconds").read_text()) < 60
    assert {f"{name}.html" for name in source.names()} | {"index.html", "search.html"} <= set(parsed)
    assert (site / "searchindex.js").stat().st_size > 10_000


def test_nothing_is_loaded_from_another_host(site, parsed):
    for name, page in parsed.items():
        for address in page.loads:
            assert not urlsplit(address).netloc and urlsplit(address).scheme in ("", "data"), f"{name}: {address}"
            if not address.startswith(("data:", "#")):
                assert (site / unquote(urlsplit(address).path)).is_file(), f"{name}: {address}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


def test_no_link_within_the_site_is_dead(site, parsed):
    for name, page in parsed.items():
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                assert parts.scheme in ("https", "mailto"), f"{name}: {address}"
                continue
            target = unquote(parts.path) or name
            assert (site / target).is_file(), f"{name}: {address}"
            if parts.fragment and target in parsed:
                assert unquote(parts.fragment) in parsed[target].ids | {"", "#"}, f"{name}: {address}"


@pytest.mark.parametrize("name", source.names())
def test_a_chapter_links_to_its_notebook_colab_and_source(parsed, name):
    slug = links.slug()
    assert {
        f"notebooks/{name}.ipynb",
        f"https://colab.research.google.com/github/{slug}/blob/main/notebooks/{name}.ipynb",
        f"https://github.com/{slug}/blob/main/notebooks/{name}.py",
    } <= set(parsed[f"{name}.html"].links)


def test_outputs_are_those_of_the_notebooks(site):
    page = (site / "05_sort.html").read_text(encoding="utf-8")
    notebook = json.loads((ROOT / "notebooks" / "05_sort.ipynb").read_text(encoding="utf-8"))
    printed = ["".join(out["text"]) for cell in notebook["cells"] for out in cell.get("outputs", []) if "text" in out]
    for text in printed:
        first = html.escape(text.splitlines()[0].strip(), quote=False)
        assert first in page


def test_players_in_notebooks_have_today_s_script():
    """Else run `python -m book build` with the notebook's name."""
    script, found = pages.PLAYER.read_text(encoding="utf-8"), 0
    for name in source.names():
        for cell in json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                text = "".join(output.get("data", {}).get("text/html", ""))
                assert "ham-player" not in text or script in text, name
                found += "ham-player" in text
    assert found


def test_the_index_has_the_readme_s_table():
    text, readme = pages.index(), (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"^\| % right.*?\n\n", text, re.MULTILINE | re.DOTALL)[0]  # test_docs: it is the ledger's
    assert table in readme and len(table.splitlines()) > 6


def test_an_error_of_sphinx_is_an_error(tmp_path, monkeypatch):
    import subprocess

    def broken(folder, root):
        folder.mkdir()
        (folder / "index.md").write_text("# A page\n\n[dead](nowhere.md)\n")

    monkeypatch.setattr(pages, "write", lambda folder, root: broken(pages.Path(folder), root))
    with pytest.raises(subprocess.CalledProcessError):
        pages.build(tmp_path / "site")


# -- the machine ----------------------------------------------------------------------------------


def test_the_tables_are_those_of_the_shipped_weights(tmp_path):
    machine.write(tmp_path / "machine.json")
    assert (tmp_path / "machine.json").read_text() == machine.PATH.read_text()
    assert machine.PATH.stat().st_size < 12_000


def test_the_tables_choose_as_argmin_does_whatever_is_taken_out():
    """The keys that are left, in any tree with any leaves taken and the last empty: SEARCH ends at the smallest."""
    tables = json.loads(machine.PATH.read_text())
    states, rng = len(tables["right"]), np.random.default_rng(0)
    join = np.repeat(tables["join"][::2], tables["join"][1::2]).reshape(states, states)
    for _ in range(500):
        n = 2 ** rng.integers(1, 7)
        keys = np.where(rng.random(n) < rng.random(), 32, rng.integers(0, rng.choice([2, 4, 32]), n))
        keys[rng.integers(n) :] = 33
        keys[0] = rng.integers(32)  # not all of them
        states_of = [*tables["leaf"], tables["taken"], tables["empty"]]
        tree = np.concatenate([np.zeros(n, int), np.array(states_of)[keys]])
        for row in range(n - 1, 0, -1):
            tree[row] = join[tree[2 * row], tree[2 * row + 1]]
        row = 1
        while row < n:
            row = 2 * row + int(tables["right"][tree[row]])
        assert row - n == np.argmin(keys), keys
