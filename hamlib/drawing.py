"""Pictures of a tree memory: node values, a hard path, soft attention, several accesses side by side.

Everything here takes NumPy arrays (or what `numpy.asarray` understands) of **one** tree in the heap
layout of `hamlib.memory`: the root is row 1, the children of row i are rows 2i and 2i + 1, leaf k is
row n + k. Nothing here knows a model. Each picture carries words that say what it shows, and `show`
puts both into a notebook.

Colours: white to dark blue for amounts, the vermilion and green of Okabe and Ito (2008) for marks;
every mark also differs by thickness or by a number, so no picture depends on colour alone.
"""

import base64
import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

INK, EDGE, PATH, MASS = "#222222", "#9a9a9a", "#D55E00", "#009E73"
MAX_LEAVES = 64  # a picture with more leaves cannot be read
_STRIP = (0.62, 0.6)  # width (in leaves) and height (in levels) of a node that shows a vector
_BOX = (0.76, 0.42)  # the same for a node that shows a number or a word
_BARS = 0.95  # height (in levels) of the bars of p(e)


# -- where a node is, which nodes a path takes, how much probability a node holds -----------------------


def positions(n):
    """Return where `draw_tree` puts each row of the tree: Fig. 2 of the paper, root on top.

    Args:
        n: number of leaves, a power of two.

    Returns:
        ``[2n, 2]``, x and y: leaf k at x = k and y = 0, an inner node midway above its children, the
        root at y = log2 n. Row 0 is unused and NaN.

    Raises:
        ValueError: n is not a power of two, or larger than `MAX_LEAVES`.
    """
    n = _leaves(n)
    at = np.full((2 * n, 2), np.nan)
    at[n:] = np.stack([np.arange(n), np.zeros(n)], axis=1)
    for i in range(n - 1, 0, -1):
        at[i] = at[2 * i : 2 * i + 2].mean(axis=0) + [0, 1]
    return at


def path_to(leaf, n):
    """Return the rows from the root to a leaf (Sec. 3.2, step 1): ``path[log2 n + 1]``, ints.

    Args:
        leaf: k, from 0 to n - 1.
        n: number of leaves, a power of two.

    Raises:
        ValueError: n is not a power of two, or there is no such leaf.
    """
    n = _leaves(n)
    if isinstance(leaf, bool) or not isinstance(leaf, (int, np.integer)) or not 0 <= leaf < n:
        raise ValueError(f"leaf: got {leaf!r}; expected an integer from 0 to n - 1 = {n - 1}")
    return (n + int(leaf)) >> np.arange(n.bit_length() - 1, -1, -1)


def node_mass(p):
    """Return how probable it is that a walk from the root passes each node (Appendix A).

    Args:
        p: ``[n]``, the probability of each leaf.

    Returns:
        ``[2n]``: 1 at the root (row 1), p at the leaves, the sum of both children in between; row 0 is 0.

    Raises:
        ValueError: p is not a distribution over a power of two of leaves.
    """
    p = _distribution(p)
    mass = np.concatenate([np.zeros_like(p), p])
    for i in range(len(p) - 1, 0, -1):
        mass[i] = mass[2 * i] + mass[2 * i + 1]
    return mass


# -- the pictures ---------------------------------------------------------------------------------


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
    unit="value of a node (no unit)",
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
        node_labels: 2n texts to write into the nodes (above them, if they show vectors); the first
            is ignored and an empty one leaves the node as it is.
        title: text above the tree.
        unit: what the colours of ``nodes`` stand for, with the unit.
        limits: (low, high) of the colours; None for those of ``nodes``, with 0 among them.
        ax: a Matplotlib Axes to draw into; None for a new figure.

    Returns:
        the Matplotlib Figure; its attribute ``alt`` is what `describe_tree` says of the same arrays.

    Raises:
        ValueError: an array has a wrong shape or values, or the arrays disagree about n.
    """
    n, nodes, path, p = _check(nodes, n, path, p)
    for name, labels, length in (("leaf_labels", leaf_labels, n), ("node_labels", node_labels, 2 * n)):
        if labels is not None and len(labels) != length:
            raise ValueError(f"{name}: got {len(labels)} texts; expected {length} for a tree of {n} leaves")
    alt = describe_tree(nodes, n=n, path=path, p=p, leaf_labels=leaf_labels, title=title)
    depth = n.bit_length() - 1
    is_vector = nodes is not None and nodes.shape[1] > 1
    if ax is None:
        height = 1.3 + (0.85 if is_vector else 0.62) * (depth + 1 + (p is not None))
        figure = plt.figure(figsize=(min(12, 4.2 + 0.3 * n + is_vector), height), layout="constrained")
        ax = figure.add_subplot()
    figure = ax.get_figure(root=True)
    figure.set_facecolor("white")

    size = np.clip(21 * figure.get_figwidth() * ax.get_position().width / n, 5, 9)  # what fits into a node

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
    colors = _colors(shown, limits if nodes is not None else (0, 1)) if shown is not None else None
    for i in range(1, 2 * n):
        x, y = at[i]
        left, bottom = x - width / 2, y - height / 2
        fill = "white"
        if is_vector:
            ax.imshow(
                nodes[i][:, None],
                extent=(left, left + width, bottom, bottom + height),
                **dict(cmap=colors.cmap, norm=colors.norm, aspect="auto", interpolation="nearest", zorder=2),
            )
            fill = "none"
        elif colors is not None:
            fill = colors.to_rgba(shown[i, 0])
        mark = dict(edgecolor=PATH, lw=2.8) if i in on_path else dict(edgecolor=INK, lw=0.8)
        ax.add_patch(plt.Rectangle((left, bottom), width, height, facecolor=fill, zorder=3, **mark))
        text = str(node_labels[i]) if node_labels is not None else ""
        if is_vector:
            ax.text(x, bottom + height + 0.03, text, ha="center", va="bottom", fontsize=size, color=INK, zorder=4)
        else:
            text = text or (str(i) if shown is None else _number(shown[i, 0]))
            dark = fill != "white" and np.dot(fill[:3], (0.299, 0.587, 0.114)) < 0.5
            ax.text(x, y, text, ha="center", va="center", fontsize=size, color="white" if dark else INK, zorder=4)

    floor = -height / 2 - 0.06
    if leaf_labels is not None:
        for k, text in enumerate(leaf_labels):
            ax.text(k, floor, text, ha="center", va="top", fontsize=size, color=INK)
        ax.text(-0.55, floor, leaf_name, ha="right", va="top", fontsize=8, color=INK)
        floor -= 0.16 + 0.22 * max(str(text).count("\n") + 1 for text in leaf_labels)
    if p is not None:
        floor -= _BARS + 0.1
        _bars(ax.inset_axes([-0.5, floor, n, _BARS], transform=ax.transData), p, on_path)
    _frame(ax, n, floor, height, title, has_bars=p is not None)
    if is_vector:
        _colorbar(figure, colors, ax, unit)
    figure.alt = alt
    return figure


def draw_frames(frames, *, columns=None, unit="value of a node (no unit)"):
    """Draw several trees side by side, for instance the accesses of one run, one after the other.

    Args:
        frames: a list of dicts, each with arguments of `draw_tree` (``nodes``, ``path``, ``p``,
            ``leaf_labels``, ``node_labels``, ``title``, ``n``); untitled ones are numbered.
        columns: frames in a row; None for as many as can be read.
        unit: what the colours of the nodes stand for; all frames share them.

    Returns:
        the Matplotlib Figure; its attribute ``alt`` describes every frame.

    Raises:
        ValueError: there is no frame, or a frame holds what `draw_tree` refuses.
    """
    frames = list(frames)
    if not frames:
        raise ValueError("frames: got none; expected at least one dict of arguments of draw_tree")
    checked = [_check(*(frame.get(name) for name in ("nodes", "n", "path", "p"))) for frame in frames]
    leaves = max(n for n, *_ in checked)
    rows = -(-len(frames) // (columns or max(1, 32 // leaves)))
    columns = columns or -(-len(frames) // rows)
    values = [nodes[1:].ravel() for _, nodes, *_ in checked if nodes is not None]
    colors = _colors(np.concatenate([[0.0], *values])[:, None], None) if values else None
    is_vector = any(nodes is not None and nodes.shape[1] > 1 for _, nodes, *_ in checked)
    levels = leaves.bit_length() + any(p is not None for *_, p in checked)
    size = (min(13, columns * (1.6 + 0.25 * leaves) + is_vector), rows * (1.1 + 0.62 * levels))
    figure = plt.figure(figsize=size, layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    words = []
    for count, (ax, frame) in enumerate(zip(axes, frames, strict=False), start=1):
        arguments = dict(title=f"access {count}", limits=colors and (colors.norm.vmin, colors.norm.vmax)) | frame
        draw_tree(**arguments, unit=None, ax=ax)
        words.append(f"{count}. {figure.alt}")
    for ax in axes[len(frames) :]:
        ax.set_axis_off()
    if is_vector:
        _colorbar(figure, colors, axes, unit)
    figure.alt = f"{len(frames)} trees, one after the other. " + " ".join(words)
    return figure


# -- words --------------------------------------------------------------------------------------------


def describe_tree(nodes=None, *, n=None, path=None, p=None, leaf_labels=None, title=None):
    """Say in words what `draw_tree` draws of the same arguments: the picture's alternative text.

    Returns:
        a text such as ``"Tree of 8 leaves. Path right, left, right to leaf 5."``

    Raises:
        ValueError: as `draw_tree`.
    """
    n, nodes, path, p = _check(nodes, n, path, p)
    words = [f"{' '.join(str(title).split())}: tree of {n} leaves." if title else f"Tree of {n} leaves."]
    if nodes is not None and nodes.shape[1] > 1:
        low, high = _number(nodes[1:].min()), _number(nodes[1:].max())
        words.append(f"Each node is a strip of {nodes.shape[1]} numbers, from {low} to {high}.")
    elif nodes is not None:
        leaves = ", ".join(_number(value) for value in nodes[n:, 0])
        words.append(f"The root holds {_number(nodes[1, 0])}, the leaves {leaves}.")
    if leaf_labels is not None:
        words.append(f"Under the leaves: {', '.join(' '.join(str(text).split()) for text in leaf_labels)}.")
    if path is not None:
        turns = ["right" if row % 2 else "left" for row in path[1:]]
        words.append(f"Path {', '.join(turns) or 'of no turns'} to leaf {path[-1] - n}.")
    if p is not None:
        first = [k for k in np.argsort(-p, kind="stable")[:3] if p[k] >= 0.005]
        words.append(f"Attention: {', '.join(f'leaf {k} {p[k]:.2f}' for k in first)}")
        rest = 1 - p[first].sum()
        words[-1] += f", the other {n - len(first)} together {rest:.2f}." if len(first) < n else "."
    return " ".join(words)


def show(figure, alt=None):
    """Show a figure in a notebook together with its alternative text, and close it.

    The output's metadata is ``{"image/png": {"alt": alt}}``, and the words also stand as its plain text.

    Args:
        figure: any Matplotlib Figure.
        alt: what the picture shows, in words; may be left out for the figures of this module.

    Raises:
        ValueError: there are no words.
    """
    from IPython.display import display  # only a notebook needs it

    alt = getattr(figure, "alt", None) if alt is None else alt
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt: got {alt!r}; expected words that say what the picture shows")
    picture = base64.b64encode(png(figure)).decode()
    plt.close(figure)
    display({"image/png": picture, "text/plain": alt}, metadata={"image/png": {"alt": alt}}, raw=True)


def png(figure):
    """Return a figure as the bytes of a PNG with an opaque white background, 120 dots an inch."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120, facecolor="white", transparent=False, metadata={"Software": None})
    return file.getvalue()


# -- the parts of a picture, and what arguments must be --------------------------------------------------


def _bars(ax, p, on_path):
    leaf = [len(p) + k in on_path for k in range(len(p))]
    ax.bar(range(len(p)), p, width=_STRIP[0], color=[PATH if marked else MASS for marked in leaf])
    ax.set(xlim=(-0.5, len(p) - 0.5), ylim=(0, 1), yticks=(0, 0.5, 1), xlabel="leaf k")
    ax.set_ylabel("p(e)\n(probability)", fontsize=8)
    ax.set_xticks(range(len(p)))
    ax.tick_params(labelsize=8 if len(p) <= 16 else 6.5)
    ax.spines[["top", "right"]].set_visible(False)
    ax.patch.set_alpha(0)


def _frame(ax, n, floor, height, title, has_bars):
    depth = n.bit_length() - 1
    ax.set(xlim=(-0.6, n - 0.4), ylim=(floor, depth + height / 2 + 0.25), aspect="auto")
    ax.set_yticks(range(depth + 1), range(depth, -1, -1), fontsize=8)
    ax.set_ylabel("level (root: 0)", fontsize=8)
    ax.set_xticks([] if has_bars else range(n))
    ax.tick_params(axis="x", labelsize=8 if n <= 16 else 6.5)
    ax.tick_params(length=0)
    ax.set_xlabel("" if has_bars else "leaf k")
    ax.spines[:].set_visible(False)
    if title:
        ax.set_title(title, fontsize=11, color=INK)


def _colors(values, limits):
    """White to blue from 0 up; where there are negative values, orange below 0 and violet above."""
    low, high = (min(0, values[1:].min()), max(0, values[1:].max())) if limits is None else limits
    if low < 0:
        low, high = -max(-low, high), max(-low, high)
    norm = mpl.colors.Normalize(low, high if high > low else low + 1)
    return mpl.cm.ScalarMappable(norm, "PuOr" if low < 0 else "Blues")


def _colorbar(figure, colors, axes, unit):
    if unit:
        figure.colorbar(colors, ax=axes, shrink=0.7, pad=0.02, aspect=25).set_label(unit, fontsize=9)


def _number(value):
    return f"{value:.2f}".removesuffix(".00")


def _leaves(n):
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 1 <= n <= MAX_LEAVES or n & (n - 1):
        raise ValueError(f"n: got {n!r}; expected a power of two from 1 to {MAX_LEAVES}, the leaves of one tree")
    return int(n)


def _array(name, values, kinds, shape):
    values = np.asarray(values)
    if values.dtype.kind not in kinds or values.ndim not in shape[1]:
        raise ValueError(f"{name}: got shape {values.shape}, dtype {values.dtype}; expected {shape[0]} of one tree")
    return values


def _distribution(p):
    p = _array("p", p, "fiub", ("[n] numbers", (1,))).astype(float)
    if not 1 <= len(p) <= MAX_LEAVES or len(p) & (len(p) - 1):
        raise ValueError(f"p: got {len(p)} leaves; expected a power of two from 1 to {MAX_LEAVES}")
    if not (p >= 0).all() or not abs(p.sum() - 1) < 1e-3:
        raise ValueError(f"p: got values from {p.min():.3g} with the sum {p.sum():.3g}; expected none below 0, sum 1")
    return p


def _check(nodes, n, path, p):
    """Check the arrays of one tree against each other; return n, nodes[2n, d], path, p (None where not given)."""
    said = {} if n is None else {"n": _leaves(n)}
    if nodes is not None:
        nodes = _array("nodes", nodes, "fiub", ("[2n, d] or [2n] numbers", (1, 2))).astype(float)
        nodes = nodes.reshape(len(nodes), -1)
        if len(nodes) < 2 or len(nodes) & (len(nodes) - 1) or not nodes.shape[1]:
            raise ValueError(f"nodes: got {nodes.shape} as [rows, d]; expected 2n rows, n a power of two, d >= 1")
        if not np.isfinite(nodes[1:]).all():
            raise ValueError("nodes: got NaN or infinity; expected finite numbers in every row but 0")
        said["nodes"] = _leaves(len(nodes) // 2)
    if p is not None:
        p = _distribution(p)
        said["p"] = len(p)
    if path is not None:
        path = _array("path", path, "iu", ("[log2 n + 1] row numbers", (1,)))
        if not len(path) or path[0] != 1 or (path[1:] // 2 != path[:-1]).any():
            raise ValueError(f"path: got {path.tolist()}; expected the root 1, then each time row 2i or 2i + 1")
        said["path"] = _leaves(2 ** (len(path) - 1))
    if not said:
        raise ValueError("n: got None; expected n, or nodes, path or p, which say it")
    if len(set(said.values())) > 1:
        raise ValueError(f"n: got different numbers of leaves, {said}; expected one tree")
    return next(iter(said.values())), nodes, path, p
