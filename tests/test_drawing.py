"""The pictures: where things stand, what the words say, what is refused, and that the background is opaque."""

import io

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from hamlib import drawing  # noqa: E402
from hamlib.drawing import describe_tree, draw_frames, draw_tree, node_mass, path_to, png, positions, show  # noqa: E402


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def pixels(figure):
    return plt.imread(io.BytesIO(png(figure)))


def edge_widths(figure):
    return [line.get_linewidth() for line in figure.axes[0].lines]


def box_widths(figure):
    return [patch.get_linewidth() for patch in figure.axes[0].patches]


# -- numbers --------------------------------------------------------------------------------------


def test_positions_put_leaves_in_order_and_parents_above_the_middle():
    at = positions(4)
    assert at.shape == (8, 2) and np.isnan(at[0]).all()
    assert at[1:].tolist() == [[1.5, 2], [0.5, 1], [2.5, 1], [0, 0], [1, 0], [2, 0], [3, 0]]


@pytest.mark.parametrize("n", [1, 2, 8, 64])
def test_path_to_each_leaf_is_a_walk_through_the_heap(n):
    for leaf in range(n):
        path = path_to(leaf, n).tolist()
        assert path[0] == 1 and path[-1] == n + leaf and len(path) == n.bit_length()
        assert all(child // 2 == parent for parent, child in zip(path, path[1:], strict=False))


def test_path_to_leaf_5_of_8():
    assert path_to(5, 8).tolist() == [1, 3, 6, 13]


def test_node_mass_is_what_lies_below():
    assert node_mass([0.1, 0.2, 0.3, 0.4]) == pytest.approx([0, 1, 0.3, 0.7, 0.1, 0.2, 0.3, 0.4])


# -- words ----------------------------------------------------------------------------------------


def test_words_of_a_path():
    words = describe_tree(np.zeros((16, 2)), path=[1, 3, 6, 13])
    assert words.startswith("Tree of 8 leaves. ") and words.endswith(" Path right, left, right to leaf 5.")
    rows = "In the nodes, level by level, their rows from 1 to 1."
    assert describe_tree(path=[1]) == f"Tree of 1 leaf. {rows} Path of no turns to leaf 0."


def test_words_of_soft_attention_name_the_most_probable_leaves():
    words = describe_tree(p=[0.05, 0.6, 0.0, 0.35])
    assert words == "Tree of 4 leaves. Attention: leaf 1 0.60, leaf 3 0.35, leaf 0 0.05, the other 1 together 0.00."


def test_words_of_values_labels_and_title():
    words = describe_tree([0, 1, 1, 2, 3, 1, 4, 2.5], leaf_labels=["a", "b\nc", "d", "e"], title="Smallest\nkey")
    assert words == (
        "Smallest key: tree of 4 leaves. The root holds 1, the leaves 3, 1, 4, 2.50. Under the leaves: a, b c, d, e."
    )
    assert "strip of 3 numbers, from -1 to 2" in describe_tree(np.array([[9] * 3, [-1, 0, 2], [0] * 3, [1] * 3]))


def test_words_of_what_is_written_into_the_nodes():
    words = describe_tree(n=4, node_labels=["", "top", "l", "r", *"abcd"])
    assert words == "Tree of 4 leaves. In the nodes, level by level: top; l, r; a, b, c, d."


def test_a_figure_carries_its_words():
    assert draw_tree(path=[1, 2]).alt == describe_tree(path=[1, 2])
    alt = draw_frames([{"path": [1, 2]}, {"p": [0.25, 0.75], "title": "the second"}]).alt
    assert alt.startswith("2 trees, one after the other. 1. access 1: tree of 2 leaves. In the nodes,")
    assert "their rows from 1 to 3. Path left to leaf 0." in alt
    assert "2. the second: tree of 2 leaves. Attention: leaf 1 0.75, leaf 0 0.25." in alt


# -- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 8, 32])
@pytest.mark.parametrize("what", ["rows", "values", "vectors", "path", "p", "all"])
def test_every_kind_of_picture_can_be_drawn(n, what):
    rng = np.random.default_rng(n)
    arguments = dict(
        rows=dict(n=n),
        values=dict(nodes=np.arange(2 * n)),
        vectors=dict(nodes=rng.normal(size=(2 * n, 5))),
        path=dict(path=path_to(n - 1, n)),
        p=dict(p=rng.dirichlet(np.ones(n))),
    )
    arguments["all"] = arguments["vectors"] | arguments["path"] | arguments["p"] | dict(leaf_labels=range(n))
    image = pixels(draw_tree(**arguments[what]))
    assert image.shape[0] > 150 and image.shape[1] > 400


def test_the_background_is_white_and_opaque_whatever_the_settings():
    with plt.rc_context({"figure.facecolor": "black", "savefig.transparent": True, "axes.facecolor": "none"}):
        for figure in (draw_tree(p=[0.5, 0.5]), draw_frames([{"n": 2}])):
            image = pixels(figure)
            assert image.shape[2] == 3 or (image[..., 3] == 1).all()
            assert (image[[0, 0, -1, -1], [0, -1, 0, -1], :3] == 1).all()


def test_a_path_is_drawn_thick_in_edges_and_frames():
    figure = draw_tree(path=[1, 3, 6, 13])
    thick = max(edge_widths(figure))
    assert [child for child, width in enumerate(edge_widths(figure), start=2) if width == thick] == [3, 6, 13]
    thick = max(box_widths(figure))
    assert [row for row, width in enumerate(box_widths(figure), start=1) if width == thick] == [1, 3, 6, 13]


def test_edges_grow_with_the_mass_below_them_and_bars_are_p():
    p = [0.05, 0.6, 0.0, 0.35]
    figure = draw_tree(p=p)
    widths = dict(enumerate(edge_widths(figure), start=2))
    assert widths[2] > widths[5] > widths[3] == widths[7] > widths[4] > widths[6]
    bars = figure.axes[0].child_axes[0]
    assert [bar.get_height() for bar in bars.patches] == p
    assert bars.get_ylabel() and bars.get_xlabel()


def test_a_strip_shows_the_first_coordinate_on_top():
    nodes = np.zeros((4, 2))
    nodes[1] = [1, 0]
    strip = draw_tree(nodes).axes[0].images[0]
    assert strip.get_array().ravel().tolist() == [1, 0] and strip.origin == "upper"
    assert strip.get_extent()[3] > strip.get_extent()[2]


def test_numbers_and_labels_are_written_into_the_nodes():
    texts = [text.get_text() for text in draw_tree([0, 1.5, 2, -0.001]).axes[0].texts]
    assert texts == ["1.50", "2", "0"]
    texts = [text.get_text() for text in draw_tree([0, 1, 2, 3], node_labels=["", "top", "", ""]).axes[0].texts]
    assert texts == ["top", "2", "3"]


def test_frames_share_colours_and_levels():
    figure = draw_frames([{"nodes": np.full((4, 2), 1.0)}, {"nodes": np.full((4, 2), 3.0), "p": [0.5, 0.5]}])
    first, second = figure.axes[:2]
    assert first.images[0].get_clim() == second.images[0].get_clim() == (0, 3)
    assert first.get_ylim() == second.get_ylim()


def test_an_axes_can_be_given():
    figure, axes = plt.subplots(1, 2)
    assert draw_tree(n=4, ax=axes[1]) is figure
    assert not axes[0].patches and len(axes[1].patches) == 7


def test_show_gives_the_picture_with_its_words_and_closes_it(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append((a, k)))
    figure = draw_tree(path=[1, 2])
    show(figure)
    show(plt.figure(), "An empty page.")
    assert [k["metadata"]["image/png"]["alt"] for _, k in shown] == [figure.alt, "An empty page."]
    assert shown[0][0][0]["image/png"].startswith("iVBOR") and shown[0][0][0]["text/plain"] == figure.alt
    assert not plt.get_fignums()


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (dict(), r"n: got None"),
        (dict(n=6), r"n: got 6; expected a power of two"),
        (dict(n=2 * drawing.MAX_LEAVES), r"n: got 128"),
        (dict(n=True), r"n: got True"),
        (dict(nodes=np.zeros((1, 16, 4))), r"nodes: got shape \(1, 16, 4\).*one tree"),
        (dict(nodes=np.zeros((12, 4))), r"nodes: got \[12, 4\]; expected \[2n, d\]"),
        (dict(nodes=np.zeros((0, 4))), r"nodes: got \[0, 0\]"),
        (dict(nodes=np.zeros((256, 2))), r"nodes: got \[256, 2\]"),
        (dict(nodes=np.zeros((4, 0))), r"nodes: got \[4, 0\]"),
        (dict(nodes=["a", "b"]), r"nodes: got shape \(2,\), dtype"),
        (dict(nodes=[0, np.nan]), r"nodes: got NaN"),
        (dict(p=[0.5, 0.6]), r"p: got 2 leaves, sum 1.1"),
        (dict(p=[1.5, -0.5]), r"p: got .*smallest -0.5"),
        (dict(p=[np.nan, 1]), r"p: got .*nan"),
        (dict(p=np.full(3, 1 / 3)), r"p: got 3 leaves"),
        (dict(p=[]), r"p: got 0 leaves"),
        (dict(p=[[0.5, 0.5]]), r"p: got shape \(1, 2\)"),
        (dict(path=[1, 2, 6]), r"path: got \[1, 2, 6\]; expected the root 1"),
        (dict(path=[2, 4]), r"path: got \[2, 4\]"),
        (dict(path=np.array([], int)), r"path: got \[\]"),
        (dict(path=[1.0, 2.0]), r"path: got shape \(2,\), dtype float64"),
        (dict(p=[0.5, 0.5], path=[1, 2, 4]), r"p, path: got different numbers of leaves"),
        (dict(n=4, leaf_labels=["a"]), r"leaf_labels: got 1 texts; expected 4"),
        (dict(n=4, node_labels=["a"]), r"node_labels: got 1 texts; expected 8"),
    ],
)
def test_bad_input_is_named(arguments, says):
    with pytest.raises(ValueError, match=says):
        draw_tree(**arguments)


def test_other_bad_input_is_named():
    with pytest.raises(ValueError, match=r"leaf: got 8; expected an integer from 0 to n - 1 = 7"):
        path_to(8, 8)
    with pytest.raises(ValueError, match=r"frames: got none"):
        draw_frames([])
    with pytest.raises(ValueError, match=r"alt: got None"):
        show(plt.figure())
