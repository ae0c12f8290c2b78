"""Trees as Matplotlib figures, and in words."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from hamlib.drawing.shapes import check_texts, check_tree, node_mass, positions

INK, EDGE, PATH, MASS = "#222222", "#9a9a9a", "#D55E00", "#009E73"
VALUE = "value of a node (no unit)"
BELOW_AND_ABOVE_0 = mpl.colors.LinearSegmentedColormap.from_list("grey-blue", ["#2b2b2b", "white", "#0b4f9e"])
_STRIP = (0.62, 0.6)  # width (in leaves) and height (in levels) of a node that shows a vector
_BOX = (0.76, 0.42)  # the same for a node that shows a number or a word
_PIXELS = dict(aspect="auto", interpolation="nearest", zorder=2)
_BARS = 0.95  # height (in levels) of the bars of p(e)


def draw_tree(
    nodes=None,
    *,
    n=None,
    path=None,
    p=None,
    leaf_labels=None,
    leaf_name="",
    node_labels=None,
    title=None,
    unit=VALUE,
    limits=None,
    ax=None,
):
    """Draw one tree (Fig. 2), and on it a hard path (Fig. 3) or soft attention (Appendix A).

    What a node shows: its vector as a strip of colours, first coordinate on top; or its number; or,
    without ``nodes``, its mass under ``p``; or, without that too, its row in the heap layout.

    Args:
        nodes: ``[2n, d]``, or ``[2n]`` for one number a node; row 0 is ignored.
        n: number of leaves; needed only if neither nodes nor p nor path says it.
        path: ``[log2 n + 1]`` ints, rows from the root to a leaf; drawn thick, in vermilion.
        p: ``[n]``, probability of each leaf; drawn as bars, and as the width of the edges.
        leaf_labels: n texts to write under the leaves, for instance their keys.
        leaf_name: what those texts are, for instance ``"key"``; stands before them.
        node_labels: 2n texts to write into the nodes (above them, if they show vectors); the first is
            ignored, an empty one leaves the node as it is.
        title: text above the tree.
        unit: what the colours of ``nodes`` stand for, with the unit.
        limits: (low, high) of the colours; None for those of ``nodes``, with 0 among them.
        ax: a Matplotlib Axes to draw into; None for a new figure.

    Returns:
        the Matplotlib Figure; its attribute ``alt`` is what `describe_tree` says of the same arrays.
    """
    n, nodes, path, p = check_tree(nodes, n, path, p)
    check_texts(n, leaf_labels, node_labels)
    is_vector = nodes is not None and nodes.shape[1] > 1
    if ax is None:
        height = 1.3 + (0.85 if is_vector else 0.62) * (n.bit_length() + (p is not None))
        ax = plt.figure(figsize=(min(12, 4.2 + 0.3 * n + is_vector), height), layout="constrained").add_subplot()
    figure = ax.get_figure(root=True)
    figure.set_facecolor("white")
    size = np.clip(21 * figure.get_figwidth() * ax.get_position().width / n, 5, 9)  # of a text that fits into a node
    at, mass = positions(n), None if p is None else node_mass(p)
    width, height = _STRIP if is_vector else _BOX
    on_path = set() if path is None else set(path.tolist())
    for child in range(2, 2 * n):
        (x0, y0), (x1, y1) = at[child // 2], at[child]
        color, weight = (PATH, 3.5) if child in on_path else (EDGE, 1.0)
        if mass is not None and child not in on_path:
            color, weight = (MASS, 0.6 + 7 * mass[child]) if mass[child] >= 0.005 else (EDGE, 0.6)
        ax.plot([x0, x1], [y0 - height / 2, y1 + height / 2], color=color, lw=weight, zorder=1, solid_capstyle="round")
    shown = mass[:, None] if nodes is None and mass is not None else nodes
    colors = None if shown is None else _colors(shown[1:], (0, 1) if nodes is None else limits)
    for i in range(1, 2 * n):
        (x, y), fill, label = at[i], "none", str(node_labels[i]) if node_labels is not None else ""
        box = (x - width / 2, x + width / 2, y - height / 2, y + height / 2)
        if is_vector:
            ax.imshow(nodes[i][:, None], colors.cmap, colors.norm, extent=box, **_PIXELS)
            ax.text(x, box[3] + 0.03, label, ha="center", va="bottom", fontsize=size, color=INK, zorder=4)
        else:
            fill = "white" if colors is None else colors.to_rgba(shown[i, 0])
            dark = colors is not None and np.dot(fill[:3], (0.299, 0.587, 0.114)) < 0.5
            label = label or (str(i) if shown is None else _number(shown[i, 0]))
            ax.text(x, y, label, ha="center", va="center", fontsize=size, color="white" if dark else INK, zorder=4)
        mark = dict(edgecolor=PATH, lw=2.8) if i in on_path else dict(edgecolor=INK, lw=0.8)
        ax.add_patch(plt.Rectangle(box[::2], width, height, facecolor=fill, zorder=3, **mark))
    floor = -height / 2 - 0.06
    if leaf_labels is not None:
        for k, text in enumerate(leaf_labels):
            ax.text(k, floor, text, ha="center", va="top", fontsize=size, color=INK)
        ax.text(-0.55, floor, leaf_name, ha="right", va="top", fontsize=8, color=INK)
        floor -= 0.16 + 0.22 * max(str(text).count("\n") + 1 for text in leaf_labels)
    if p is not None:
        floor -= _BARS + 0.1
        bars = ax.inset_axes([-0.5, floor, n, _BARS], transform=ax.transData, facecolor="none", xlabel="leaf k")
        bars.bar(range(n), p, width=_STRIP[0], color=[PATH if n + k in on_path else MASS for k in range(n)])
        bars.set(xlim=(-0.5, n - 0.5), ylim=(0, 1), xticks=range(n), yticks=(0, 0.5, 1))
        bars.set_ylabel("p(e)\n(probability)", fontsize=8)
        bars.tick_params(labelsize=8 if n <= 16 else 6.5)
        bars.spines[["top", "right"]].set_visible(False)
    depth = n.bit_length() - 1
    ax.set(xlim=(-0.6, n - 0.4), ylim=(floor, depth + height / 2 + 0.25), aspect="auto")
    ax.set_yticks(range(depth + 1), range(depth, -1, -1))
    ax.set_ylabel("level (root: 0)", fontsize=8)
    ax.set(xticks=range(n) if p is None else [], xlabel="leaf k" if p is None else "")
    ax.tick_params(length=0, labelsize=8 if n <= 16 else 6.5)
    ax.spines[:].set_visible(False)
    ax.set_title(title or "", fontsize=11, color=INK)
    if is_vector and unit:
        figure.colorbar(colors, ax=ax, shrink=0.7, pad=0.02, aspect=25, label=unit)
    figure.alt = _words(n, nodes, path, p, leaf_labels, node_labels, title)
    return figure


def draw_frames(frames, *, unit=VALUE):
    """Draw several trees side by side, for instance the accesses of one run, one after the other.

    Args:
        frames: a list of dicts, each with arguments of `draw_tree` (``nodes``, ``path``, ``p``,
            ``leaf_labels``, ``leaf_name``, ``node_labels``, ``title``, ``n``); untitled ones are numbered.
        unit: what the colours of the nodes stand for; all frames share them.

    Returns:
        the Matplotlib Figure; its attribute ``alt`` describes every frame.
    """
    frames = list(frames)
    if not frames:
        raise ValueError("frames: got none; expected at least one dict of arguments of draw_tree")
    checked = [check_tree(*(frame.get(name) for name in ("nodes", "n", "path", "p"))) for frame in frames]
    leaves = max(n for n, *_ in checked)
    is_vector = any(nodes is not None and nodes.shape[1] > 1 for _, nodes, *_ in checked)
    rows = -(-len(frames) // max(1, (16 if is_vector else 24) // leaves))  # no more in a row than can be read
    columns = -(-len(frames) // rows)
    colors = _colors(np.concatenate([[0.0], *(nodes[1:].ravel() for _, nodes, *_ in checked if nodes is not None)]))
    levels = leaves.bit_length() + any(p is not None for *_, p in checked)
    size = (min(13, columns * (1.6 + 0.25 * leaves) + is_vector), rows * (1.1 + (0.85 if is_vector else 0.62) * levels))
    figure = plt.figure(figsize=size, layout="constrained", facecolor="white")
    axes, words = figure.subplots(rows, columns, squeeze=False).ravel(), []
    for count, (ax, frame) in enumerate(zip(axes, frames, strict=False), start=1):
        draw_tree(**{"title": f"access {count}", "limits": colors.get_clim()} | frame | {"unit": None, "ax": ax})
        words.append(f"{count}. {figure.alt}")
    lows, highs = zip(*(ax.get_ylim() for ax in axes[: len(frames)]), strict=True)
    for count, ax in enumerate(axes):
        ax.set(ylim=(min(lows), max(highs)), visible=count < len(frames))  # the same levels at the same height
    if is_vector:
        figure.colorbar(colors, ax=axes, shrink=0.7, pad=0.02, aspect=25, label=unit)
    figure.alt = f"{len(frames)} trees, one after the other. " + " ".join(words)
    return figure


def describe_tree(nodes=None, *, n=None, path=None, p=None, leaf_labels=None, node_labels=None, title=None):
    """Return in words what `draw_tree` draws, such as "Path right, left to leaf 2".

    Args:
        nodes, n, path, p, leaf_labels, node_labels, title: as in `draw_tree`.
    """
    return _words(*check_tree(nodes, n, path, p), leaf_labels, node_labels, title)


def _words(n, nodes, path, p, leaf_labels, node_labels, title):
    words = [f"{' '.join(str(title).split())}: tree" if title else "Tree"]
    words[0] += f" of {n} {'leaf' if n == 1 else 'leaves'}."
    if nodes is not None and nodes.shape[1] > 1:
        low, high = _number(nodes[1:].min()), _number(nodes[1:].max())
        words.append(f"Each node is a strip of {nodes.shape[1]} numbers, from {low} to {high}.")
    elif nodes is not None:
        words.append(f"The root holds {_number(nodes[1, 0])}, the leaves {', '.join(map(_number, nodes[n:, 0]))}.")
    if node_labels is not None:
        levels = [node_labels[1 << k : 2 << k] for k in range(n.bit_length())]
        words.append(f"In the nodes, level by level: {'; '.join(', '.join(map(str, level)) for level in levels)}.")
    elif nodes is None and p is None:
        words.append(f"In the nodes, level by level, their rows from 1 to {2 * n - 1}.")
    if leaf_labels is not None:
        words.append(f"Under the leaves: {', '.join(' '.join(str(text).split()) for text in leaf_labels)}.")
    if path is not None:
        turns = ["right" if row % 2 else "left" for row in path[1:]]
        words.append(f"Path {', '.join(turns) or 'of no turns'} to leaf {path[-1] - n}.")
    if p is not None:
        first = [k for k in np.argsort(-p, kind="stable")[:3] if p[k] >= 0.005]
        rest = f", the other {n - len(first)} together {1 - p[first].sum():.2f}" if len(first) < n else ""
        words.append(f"Attention: {', '.join(f'leaf {k} {p[k]:.2f}' for k in first)}{rest}.")
    return " ".join(words)


def _colors(values, limits=None):
    low, high = (min(0, values.min()), max(0, values.max())) if limits is None else limits
    low, high = (-max(-low, high), max(-low, high)) if low < 0 else (low, high)
    norm = mpl.colors.Normalize(low, high if high > low else low + 1)
    return mpl.cm.ScalarMappable(norm, BELOW_AND_ABOVE_0 if low < 0 else "Blues")


def _number(value):
    return f"{value:.2f}".removesuffix(".00").replace("-0", "0" if abs(value) < 0.005 else "-0")
