"""Where the rows of a tree stand, and whether the arrays given are of one tree."""

import numpy as np

MAX_LEAVES = 64  # a picture with more leaves cannot be read


def positions(n):
    """Return ``[2n, 2]``, where `draw_tree` puts each row of a tree of n leaves: x and y (Fig. 2).

    Leaf k is at (k, 0), an inner node midway above its children, the root at y = log2 n; row 0 is NaN.
    """
    n = _leaves(n)
    at = np.full((2 * n, 2), np.nan)
    at[n:] = np.stack([np.arange(n), np.zeros(n)], axis=1)
    for i in range(n - 1, 0, -1):
        at[i] = at[2 * i : 2 * i + 2].mean(axis=0) + [0, 1]
    return at


def path_to(leaf, n):
    """Return ``path[log2 n + 1]``, ints: the rows from the root to ``leaf`` = 0 .. n - 1 (Sec. 3.2, Fig. 3)."""
    n = _leaves(n)
    if isinstance(leaf, bool) or not isinstance(leaf, (int, np.integer)) or not 0 <= leaf < n:
        raise ValueError(f"leaf: got {leaf!r}; expected an integer from 0 to n - 1 = {n - 1}")
    return (n + int(leaf)) >> np.arange(n.bit_length() - 1, -1, -1)


def node_mass(p):
    """Return ``[2n]``, how probable it is that a walk passes each node, for ``p[n]`` (Appendix A).

    1 at the root (row 1), p at the leaves, the sum of both children in between; row 0 is 0.
    """
    p = _distribution(p)
    mass = np.concatenate([np.zeros_like(p), p])
    for i in range(len(p) - 1, 0, -1):
        mass[i] = mass[2 * i] + mass[2 * i + 1]
    return mass


def _leaves(n):
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 1 <= n <= MAX_LEAVES or n & (n - 1):
        raise ValueError(f"n: got {n!r}; expected a power of two from 1 to {MAX_LEAVES}, the leaves of one tree")
    return int(n)


def _array(name, values, kinds, ndims, expected):
    values = np.asarray(values)
    if values.dtype.kind not in kinds or values.ndim not in ndims:
        raise ValueError(f"{name}: got shape {values.shape}, dtype {values.dtype}; expected {expected} of one tree")
    return values


def _distribution(p):
    p = _array("p", p, "fiub", (1,), "[n] numbers").astype(float)
    if not 1 <= len(p) <= MAX_LEAVES or len(p) & (len(p) - 1) or not (p >= 0).all() or not abs(p.sum() - 1) < 1e-3:
        got = f"{len(p)} leaves, sum {p.sum():.3g}, smallest {p.min(initial=1):.3g}"
        raise ValueError(f"p: got {got}; expected a power of two up to {MAX_LEAVES} of leaves, sum 1, none below 0")
    return p


def check_tree(nodes, n, path, p):
    """Check the arrays of one tree against each other; return n, nodes[2n, d], path, p (None where not given).

    Args:
        nodes, n, path, p: as in `draw_tree`.
    """
    said = {} if n is None else {"n": _leaves(n)}
    if nodes is not None:
        nodes = _array("nodes", nodes, "fiub", (1, 2), "[2n, d] or [2n] numbers").astype(float)
        rows, d = len(nodes), nodes[:1].size
        if rows not in [2 << k for k in range(MAX_LEAVES.bit_length())] or not d:
            raise ValueError(f"nodes: got [{rows}, {d}]; expected [2n, d], n a power of two up to {MAX_LEAVES}")
        nodes = nodes.reshape(rows, d)
        if not np.isfinite(nodes[1:]).all():
            raise ValueError("nodes: got NaN or infinity; expected finite numbers in every row but 0")
        said["nodes"] = rows // 2
    if p is not None:
        p = _distribution(p)
        said["p"] = len(p)
    if path is not None:
        path = _array("path", path, "iu", (1,), "[log2 n + 1] row numbers")
        if not 1 <= len(path) <= MAX_LEAVES.bit_length() or path[0] != 1 or (path[1:] // 2 != path[:-1]).any():
            raise ValueError(f"path: got {path.tolist()}; expected the root 1, then each time row 2i or 2i + 1")
        said["path"] = 1 << (len(path) - 1)
    if not said:
        raise ValueError("n: got None; expected n, or nodes, path or p, which say it")
    if len(set(said.values())) > 1:
        raise ValueError(f"{', '.join(said)}: got different numbers of leaves, {said}; expected one tree")
    return next(iter(said.values())), nodes, path, p


def check_texts(n, leaf_labels, node_labels):
    """Raise a ValueError unless there are n ``leaf_labels`` and 2n ``node_labels``, where they are given."""
    for name, labels, length in (("leaf_labels", leaf_labels, n), ("node_labels", node_labels, 2 * n)):
        if labels is not None and len(labels) != length:
            raise ValueError(f"{name}: got {len(labels)} texts; expected {length} for a tree of {n} leaves")
