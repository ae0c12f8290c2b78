"""The player: its frames, its words, its size; what is refused."""

import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from hamlib.drawing import Player, draw_tree, node_mass, path_to, player, show
from hamlib.drawing.player import BYTES, SCRIPT


def sorting(n, count=None):
    """The frames of a stable sort of n keys: a path to each leaf in turn, which then is empty."""
    keys = np.random.default_rng(n).integers(0, 32, n)
    left = [str(key) for key in keys]
    for leaf in np.argsort(keys, kind="stable")[:count]:
        yield {"path": path_to(int(leaf), n), "leaf_labels": list(left), "leaf_name": "key"}
        left[leaf] = "·"


def data_of(html):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)[1])


@pytest.mark.parametrize("n", [1, 2, 8, 64])
def test_a_frame_for_each_access_with_words_for_each(n):
    made = player(sorting(n))
    data = data_of(made.html)
    assert isinstance(made, Player) and data["n"] == n and len(data["frames"]) == n == len(made.alts)
    assert [frame["alt"] for frame in data["frames"]] == made.alts and all(made.alts)
    for frame, alt in zip(sorting(n), made.alts, strict=True):
        leaf = frame["path"][-1] - n
        assert f"to leaf {leaf}, key {frame['leaf_labels'][leaf]}" in alt
    assert made._repr_html_() == made.html and len(made.html.encode()) < BYTES / 2


def test_the_frames_hold_what_changes_and_add_up_to_what_was_given():
    frames, state = list(sorting(16)), {}
    data = data_of(player(frames).html)
    for given, frame in zip(frames, data["frames"], strict=True):
        state |= dict(frame.get("labels", []))
        assert [state[k] for k in range(16)] == given["leaf_labels"]
    assert [len(frame.get("labels", [])) for frame in data["frames"]] == [16] + [1] * 15


def test_words_say_what_a_picture_says():
    first, second = player(sorting(4, 2)).alts
    assert re.fullmatch(
        r"access 1: tree of 4 leaves. Under the leaves, key: .* Path \w+, \w+ to leaf \d, key \d+.", first
    )
    assert re.fullmatch(r"access 2. Path \w+, \w+ to leaf \d, key \d+. Changed: leaf \d empty.", second)


def test_empty_leaves_are_said():
    (alt,) = player([{"n": 8, "leaf_labels": ["3", "", "5", *[""] * 5]}]).alts
    assert alt == "access 1: tree of 8 leaves. Under the leaves: 3, empty, 5, then 5 empty."


def test_soft_attention_and_shades():
    p = np.random.default_rng(0).dirichlet(np.full(64, 0.2), 64)
    made = player({"p": row, "nodes": node_mass(row), "title": f"step {k}"} for k, row in enumerate(p[:24]))
    mass = dict(made.data["frames"][0]["mass"])
    assert mass[0] == pytest.approx(1) and mass[63 + int(p[0].argmax())] == pytest.approx(p[0].max(), abs=0.01)
    assert made.alts[3].startswith("step 3. Attention: leaf") and len(made.html.encode()) < BYTES


def test_what_a_text_holds_does_not_end_the_script():
    made = player([{"n": 2, "leaf_labels": ["</script><b>", "a\nb"], "title": "<i>"}])
    assert made.html.count("</script>") == 2 and data_of(made.html)["frames"][0]["labels"][1] == [1, "a b"]
    assert data_of(made.html)["frames"][0]["labels"][0] == [0, "</script><b>"]


def test_the_script_is_small_and_asks_no_host():
    text = SCRIPT.read_text()
    assert len(text.splitlines()) <= 150
    assert set(re.findall(r"https?://[^\"'`\s]+", text)) == {"http://www.w3.org/2000/svg"}


def test_the_strip_shows_the_first_frame_and_the_last():
    figure = player(sorting(16)).strip(3)
    assert [axes.get_title() for axes in figure.axes if axes.get_visible()] == ["access 1", "access 9", "access 16"]
    assert figure.alt.startswith("3 trees") and "access 16" in figure.alt
    assert sum(axes.get_visible() for axes in player(sorting(8, 5)).strip().axes) == 5
    plt.close("all")


def test_show_gives_the_player_and_a_strip(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append((a[0], k)))
    show(player(sorting(4)))
    (html, _), (png, named) = shown
    assert html["text/html"].startswith('<div class="ham-player"') and html["text/plain"].startswith(
        "A player of 4 frames."
    )
    assert png["image/png"] and named["metadata"]["image/png"]["alt"].startswith("4 trees")
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([], r"frames: got 0; expected 1 to 64"),
        ([{"n": 2}] * 65, r"frames: got 65"),
        ([{"n": 2}, {"n": 4}], r"frames: got trees of 2 and of 4 leaves"),
        ([{"n": 128}], r"n: got 128"),
        ([{}], r"n: got None"),
        ([{"n": 4, "leaf_labels": ["a"]}], r"leaf_labels: got 1 texts; expected 4"),
        ([{"nodes": np.zeros((4, 3))}], r"nodes: got 3 a node"),
        ([{"nodes": np.full(4, -1)}], r"nodes: got 1 a node, from -1 to -1; expected one number from 0 to 1"),
        (
            [{"n": 2, "leaf_labels": ["x" * 40_000, ""]}],
            r"frames: got \d\d,\d{3} bytes of HTML; expected at most 60,000",
        ),
    ],
)
def test_bad_input_is_named(frames, says):
    with pytest.raises(ValueError, match=says):
        player(frames)


def test_a_frame_is_what_draw_tree_takes():
    figure = draw_tree(**next(sorting(8)))
    assert "Tree of 8 leaves" in figure.alt and " to leaf 4." in figure.alt
    plt.close("all")
