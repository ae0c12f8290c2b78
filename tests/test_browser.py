"""The site in a real browser: no error, no request to another host, a player that plays, keys that are answered."""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from book import source
from hamlib.drawing import path_to, player

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDTHS = {"phone": (390, 844), "laptop": (1280, 800)}
axe = pytest.importorskip("axe_playwright_python.base")

pytestmark = pytest.mark.skipif(not BROWSER, reason="no chromium here: apt-get install chromium")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS, headless=True)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, site):
    """A function that opens a page of the site, or a text of HTML; afterwards: no error, nothing asked of a host."""
    problems, contexts = [], []

    def open_page(page, width="laptop", scheme="light", motion="no-preference"):
        context = browser.new_context(
            viewport=dict(zip(("width", "height"), WIDTHS[width], strict=True)),
            color_scheme=scheme,
            reduced_motion=motion,
        )
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("console", lambda m: problems.append(m.text) if m.type in ("error", "warning") else None)
        tab.on("request", lambda r: None if r.url.startswith(("file:", "data:", "about:")) else problems.append(r.url))
        if page.startswith("<"):
            tab.set_content(page)
        else:
            name, _, query = page.partition("?")
            tab.goto((site / name).as_uri() + (query and f"?{query}"))
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert not problems


PAGES = [f"{name}.html" for name in source.names()] + ["index.html", "search.html"]


def test_pages_have_no_error_ask_no_host_and_fit(visit):
    for page in PAGES:
        tab = visit(page)
        for width, (x, y) in WIDTHS.items():
            tab.set_viewport_size({"width": x, "height": y})
            wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 1, f"{page} is {wide} pixels wider than a {width}"
        tab.context.close()


def test_formulas_are_set(visit):
    tab = visit("02_attention.html")
    tab.wait_for_selector("mjx-container svg")
    assert tab.locator("mjx-container").count() > 5 and tab.locator("mjx-merror").count() == 0


def test_search_finds_a_chapter(visit):
    tab = visit("search.html?q=tournament")
    tab.wait_for_selector("#search-results li a")
    assert any("05_sort" in a.get_attribute("href") for a in tab.locator("#search-results li a").all())


@pytest.mark.parametrize("page", ["index.html", "05_sort.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out(visit, page, scheme):
    tab = visit(page, "phone" if scheme == "light" else "laptop", scheme, "reduce")
    tab.evaluate(axe.AXE_SCRIPT)
    run = "axe.run({runOnly: ['color-contrast', 'button-name', 'label', 'image-alt', 'svg-img-alt', 'link-name']})"
    found = tab.evaluate(run)["violations"]
    assert not [(v["id"], node["html"][:200], node["failureSummary"][:300]) for v in found for node in v["nodes"]]


# -- the player -----------------------------------------------------------------------------------


def accesses(n=8):
    return [
        {"path": path_to(leaf, n), "leaf_labels": [f"a{k}" for k in range(n)], "title": f"t{leaf}"} for leaf in range(n)
    ]


def frame(tab):
    return int(tab.locator(".ham-player").first.get_attribute("data-frame"))


def test_the_player_steps_by_buttons_slider_and_keyboard(visit):
    made = player(accesses())
    tab = visit(f"<!doctype html><html><body>{made.html}</body></html>")
    assert frame(tab) == 0 and tab.locator(".ham-player svg rect.on").count() == 4
    for count, (action, expected) in enumerate(
        [
            ("Step", 1),
            ("Step", 2),
            ("Back", 1),
            ("ArrowRight", 2),
            ("End", 7),
            ("ArrowRight", 7),
            ("ArrowLeft", 6),
            ("Home", 0),
        ]
    ):
        if action in ("Step", "Back"):
            tab.get_by_role("button", name=action).click()
        else:
            tab.locator(".ham-player").focus()
            tab.keyboard.press(action)
        assert frame(tab) == expected, (count, action)
        assert tab.locator(".ham-player svg").get_attribute("aria-label") == made.alts[expected]
        assert made.alts[expected] in tab.locator(".ham-player p").inner_text()
    tab.get_by_role("slider").fill("5")
    assert frame(tab) == 5 and tab.get_by_role("slider").get_attribute("aria-valuetext") == "t5"
    tab.get_by_role("slider").press("ArrowRight")
    assert frame(tab) == 6


def test_the_player_plays_pauses_and_stops_at_the_end(visit):
    tab = visit(f"<!doctype html><html><body>{player(accesses()[:3]).html}</body></html>")
    tab.locator(".ham-player").focus()
    tab.keyboard.press("Space")
    tab.wait_for_function("document.querySelector('.ham-player').dataset.frame === '1'")
    tab.get_by_role("button", name="Pause").click()
    tab.wait_for_timeout(1300)
    assert frame(tab) == 1
    tab.get_by_role("button", name="Play").click()
    tab.wait_for_function("document.querySelector('.ham-player').dataset.frame === '2'")
    tab.get_by_role("button", name="Play").wait_for()
    assert frame(tab) == 2


@pytest.mark.parametrize(("motion", "moves"), [("reduce", False), ("no-preference", True)])
def test_reduced_motion_is_honoured(visit, motion, moves):
    made = player(accesses(), autoplay=True)
    tab = visit(f"<!doctype html><html><body>{made.html}</body></html>", motion=motion)
    tab.wait_for_timeout(1400)
    assert (frame(tab) > 0) == moves
    style = tab.evaluate("getComputedStyle(document.querySelector('.ham-player rect')).transitionDuration")
    assert style.startswith("0s") != moves


def test_the_path_of_a_wide_tree_is_in_view(visit):
    tab = visit(f"<!doctype html><html><body>{player(accesses(64)).html}</body></html>", "phone")
    for key in ("End", "Home"):
        tab.locator(".ham-player").focus()
        tab.keyboard.press(key)
        box = tab.locator(".ham-player rect.on").last.bounding_box()
        assert 0 < box["x"] < box["x"] + box["width"] < WIDTHS["phone"][0]


def test_two_players_on_a_page_are_two(visit):
    one, two = player(accesses()).html, player(accesses(4)).html
    tab = visit(f"<!doctype html><html><body>{one}{two}</body></html>")
    tab.locator(".ham-player").nth(1).get_by_role("button", name="Step").click()
    assert [p.get_attribute("data-frame") for p in tab.locator(".ham-player").all()] == ["0", "1"]


# -- keys that a reader types ---------------------------------------------------------------------


def test_typed_keys_come_in_order(visit):
    tab, rng = visit("index.html", motion="reduce"), random.Random(0)
    for keys in ([7], [1, 0], [3] * 5, *([rng.randrange(32) for _ in range(m)] for m in (3, 16, 33, 64))):
        tab.get_by_label("Keys", exact=True).fill(", ".join(map(str, keys)))
        tab.get_by_role("button", name="Sort").click()
        said = tab.locator(".ham-keys output").inner_text()
        assert said == f"Read in this order: {', '.join(map(str, sorted(keys)))}"
        leaves = tab.evaluate("[...document.querySelectorAll('#machine svg')].length")
        assert leaves == 1 and frame(tab) == 0
        tab.locator("#machine").focus()
        tab.keyboard.press("End")
        order = sorted(range(len(keys)), key=lambda k: keys[k])  # stable: of equal keys the first
        assert f"to leaf {order[-1]}: key {max(keys)}." in tab.locator("#machine p").inner_text()


@pytest.mark.parametrize("text", ["", "32", "1 two 3", "-1", "1.5", " ".join(["1"] * 65)])
def test_other_texts_are_named(visit, text):
    tab = visit("index.html", motion="reduce")
    tab.get_by_label("Keys", exact=True).fill(text)
    tab.get_by_label("Keys", exact=True).press("Enter")
    assert tab.locator(".ham-keys output").inner_text() == "Please type 1 to 64 whole numbers from 0 to 31."


def test_the_index_plays_by_itself_and_draws_keys(visit):
    tab = visit("index.html")
    tab.wait_for_function("document.querySelector('#machine').dataset.frame === '1'")
    tab.get_by_role("button", name="Random keys").click()
    keys = sorted(map(int, tab.get_by_label("Keys", exact=True).input_value().split()))
    assert tab.locator(".ham-keys output").inner_text().endswith(": " + ", ".join(map(str, keys)))
    assert len(keys) == 16


# -- JupyterLab -----------------------------------------------------------------------------------


KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
# One quick chapter in a run of all tests; all of them, half an hour, with ALL_CHAPTERS=1.
CHAPTERS = source.names() if os.environ.get("ALL_CHAPTERS") else ["01_tree"]
SHOW_ALL = "CONFIG/lab/user-settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab with settings of its own, in a folder with one trusted notebook, player.ipynb."""
    output = nbformat.v4.new_output("display_data", {"text/html": player(accesses()).html})
    cell = nbformat.v4.new_code_cell("show(player(accesses()))", outputs=[output], execution_count=1)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": KERNEL}), tmp_path / "player.ipynb")
    (tmp_path / SHOW_ALL).parent.mkdir(parents=True)
    (tmp_path / SHOW_ALL).write_text('{"windowingMode": "none"}')  # else cells out of view are not in the page
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    surroundings = {**os.environ, **folders, "HOME": str(tmp_path)}
    jupyter = [sys.executable, "-m", "jupyter"]
    subprocess.run([*jupyter, "trust", "player.ipynb"], cwd=tmp_path, env=surroundings, check=True, capture_output=True)
    options = [
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--IdentityProvider.token=",
        "--ServerApp.log_level=ERROR",
    ]
    server = subprocess.Popen([*jupyter, "lab", *options], cwd=tmp_path, env=surroundings, stderr=subprocess.DEVNULL)
    for _ in range(120):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1)
            break
        except OSError:
            time.sleep(0.25)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    try:
        server.wait(5)
    except subprocess.TimeoutExpired:  # it waits for its kernel, which ends with it
        server.kill()
        server.wait()


def test_the_player_steps_in_jupyterlab(browser, lab):
    """By its buttons, and by keys that JupyterLab would take for its own."""
    tab = browser.new_page()
    tab.goto(f"{lab}/lab/tree/player.ipynb")
    tab.locator(".ham-player[data-frame]").wait_for(timeout=60_000)
    tab.get_by_role("button", name="Step").click()
    assert frame(tab) == 1
    tab.locator(".ham-player").focus()
    for key, expected in (("ArrowRight", 2), ("End", 7), ("ArrowLeft", 6), ("Home", 0)):
        tab.keyboard.press(key)
        assert frame(tab) == expected
    assert tab.locator(".jp-Cell").count() == 1
    tab.close()


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not so after {seconds} s: {condition.__name__}"
        time.sleep(0.5)


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_runs_and_its_first_exercise_turns_green(browser, lab, tmp_path, name):
    """*Run All* in a copy without outputs ends without an error; then the solution is typed in and checked."""
    path, notebook = tmp_path / f"{name}.ipynb", source.read(name)
    nbformat.write(notebook, path)
    tab = browser.new_page()
    tab.goto(f"{lab}/lab/tree/{name}.ipynb")
    cells = tab.locator(".jp-Notebook .jp-Cell")

    def kernel_is_ready():
        with urllib.request.urlopen(f"{lab}/api/sessions") as answer:
            kernels = [session["kernel"] for session in json.load(answer)]
        return any(kernel["execution_state"] == "idle" and kernel["connections"] for kernel in kernels)

    def all_cells_have_run():
        tab.keyboard.press("Control+s")
        try:
            ran = source.code_cells(nbformat.read(path, as_version=4))
        except nbformat.reader.NotJSONError:  # it is being saved
            return False
        errors = [output for cell in ran for output in cell.outputs if output.output_type == "error"]
        assert not errors
        return all(cell.execution_count for cell in ran) and kernel_is_ready()

    cells.first.wait_for(timeout=60_000)
    wait_until(kernel_is_ready, 60)
    tab.get_by_role("menubar").get_by_text("Run", exact=True).click()
    tab.get_by_text("Run All Cells", exact=True).click()
    wait_until(all_cells_have_run, 400)
    if tab.locator(".ham-player").count():
        tab.locator(".ham-player").first.get_by_role("button", name="Step").click()
        assert frame(tab) == 1
    exercises = [k for k, cell in enumerate(notebook.cells) if "exercise" in source.tags(cell)]
    for place in exercises[:1]:
        check = next(k for k in range(place, len(notebook.cells)) if "check" in source.tags(notebook.cells[k]))
        assert "✗" in cells.nth(check).inner_text()
        cells.nth(place).locator(".cm-content").click()
        tab.keyboard.press("Control+a")
        tab.keyboard.insert_text(source.solved(notebook).cells[place].source)
        for cell in (place, check):
            cells.nth(cell).locator(".cm-content").click()
            tab.keyboard.press("Control+Enter")
        cells.nth(check).get_by_text("✓ Exercise").wait_for(timeout=180_000)
        assert "✗" not in cells.nth(check).inner_text()
    tab.close()
