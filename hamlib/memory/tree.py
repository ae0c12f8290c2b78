"""The tree: EMBED, JOIN, SEARCH and WRITE, and the three moves of an access."""

import keras
import numpy as np
from keras import ops

from hamlib.memory.mlp import MLP
from hamlib.memory.nodes import is_path, put_rows, read_leaves, rows, siblings

ATTENTIONS = ("soft", "hard")


def check_attention(attention):
    """Raise a ValueError unless ``attention`` is one of `ATTENTIONS`."""
    if attention not in ATTENTIONS:
        raise ValueError(f"attention: unknown {attention!r}; known: {', '.join(ATTENTIONS)}")


def check_power_of_two(n, name="n"):
    """Return ``n``, the number of leaves, as an int.

    Raises:
        ValueError: ``n`` is not an integer power of two (1, 2, 4, ...); the message calls it ``name``.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1 or n & (n - 1):
        raise ValueError(f"{name}: got {n!r}; a full binary tree needs a power of two (1, 2, 4, 8, ...) leaves")
    return int(n)


@keras.saving.register_keras_serializable("hamlib")
class TreeMemory(keras.layers.Layer):
    """A full binary tree of vectors with the learned EMBED, JOIN, SEARCH and WRITE (Sec. 3.2).

    The four are shared by all nodes, so the number of weights does not depend on n, and one memory
    is used with any n that is a power of two. d is ``node_width``, l ``query_width``, b ``symbol_width``.

    * EMBED: R^b -> R^d fills a leaf from its symbol.
    * JOIN: R^d x R^d -> R^d makes an inner node of its left and right child.
    * SEARCH: R^d x R^l -> [0, 1], the probability of going right at an inner node.
    * WRITE: R^d x R^l -> R^d, ``T * H + (1 - T) * h_a``, T and H two MLPs that end in a sigmoid.

    Args:
        symbol_width: b, width of an input symbol.
        node_width: d, width of the value of a node.
        query_width: l, width of the query (h_LSTM in the paper).
        embed_hidden, join_hidden, search_hidden, write_hidden: ReLU units in the first of two
            layers; 0 for one layer.
        node_bias: whether EMBED and JOIN have biases.
        node_activation: the activation of EMBED and JOIN: ``"relu"`` in the paper. A bounded one
            keeps nodes at their limits, so that what JOIN hands up does not grow with the number of
            nodes below.
        normalise: whether layer normalisation stands before that activation. It keeps the scale of a
            node the same at every depth (not in the paper).
        join_noise: half the width of the uniform noise that training adds, at first, before the
            activation of JOIN; 0 in the paper. Only what is driven far into saturation gets through, so JOIN
            learns to hand up digital values, and its small errors cannot add up with depth.
        join_copies: whether JOIN is in a form like WRITE's, ``T * H + (1 - T) * (g * right + (1 - g) * left)``: each
            coordinate is new or copied, all from one child where g is 0 or 1. A copy is as good at any depth. Not in
            the paper.
        join_carry: with a minus, the first bias of JOIN's T: how much it copies before anything is learned. Not in the
            paper.
        search_noise: the same before the sigmoid of SEARCH; 0 in the paper. A soft access may learn to look at two
            leaves at once, which no path can; under noise, only what is decided gets through.
        forget: WRITE's first biases, of T, and with a minus of H: how much it empties a leaf before anything is
            learned; 0 in the paper.
        write_activation: of H, ``"sigmoid"`` in the paper. With JOIN's, a leaf is written in the digits of a node,
            which JOIN can copy.
        replaces: whether WRITE is H alone, and H sees the query alone. Nothing of what stood in a leaf is left, so
            that one leaf cannot hold the last two or three things written to it. Not in the paper.
        writable: whether there is a WRITE. A read-only memory is attended and read, never changed.

    Raises:
        ValueError: a width is not a positive integer; a number of hidden units, the noise or a bias is negative; a
            JOIN that copies has an activation that is not within -1 and 1, or one that does not has a `join_carry`.
    """

    def __init__(
        self,
        symbol_width,
        node_width=32,
        query_width=32,
        embed_hidden=0,
        join_hidden=64,
        search_hidden=0,
        write_hidden=0,
        node_bias=True,
        node_activation="hard_tanh",
        normalise=True,
        join_copies=False,
        join_noise=0.0,
        join_carry=0.0,
        search_noise=0.0,
        forget=0.0,
        write_activation="sigmoid",
        replaces=False,
        writable=True,
        **kwargs,
    ):
        widths = dict(symbol_width=symbol_width, node_width=node_width, query_width=query_width)
        hidden = dict(
            embed_hidden=embed_hidden, join_hidden=join_hidden, search_hidden=search_hidden, write_hidden=write_hidden
        )
        for name, value in (widths | hidden).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < (name in widths):
                raise ValueError(f"{name}: got {value!r}; expected an integer of at least {int(name in widths)}")
        for name, value in dict(
            join_noise=join_noise, join_carry=join_carry, search_noise=search_noise, forget=forget
        ).items():
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name}: got {value!r}; expected a number of at least 0")
        if join_copies and node_activation not in ("hard_tanh", "tanh"):
            raise ValueError(f"node_activation: got {node_activation!r}; with join_copies, expected hard_tanh or tanh")
        if join_carry and not (join_copies and normalise):
            raise ValueError(f"join_carry: got {join_carry}; only a normalised JOIN that copies has it")
        super().__init__(**kwargs)
        self.config = (
            widths
            | hidden
            | dict(
                node_bias=node_bias,
                node_activation=node_activation,
                normalise=normalise,
                join_copies=join_copies,
                join_noise=join_noise,
                join_carry=join_carry,
                search_noise=search_noise,
                forget=forget,
                write_activation=write_activation,
                replaces=replaces,
                writable=writable,
            )
        )
        self.symbol_width, self.node_width, self.query_width = widths.values()
        self.writable = writable

        node = dict(activation=node_activation, normalise=normalise, bias=node_bias)
        sees = (query_width, node_width) if replaces else (node_width, node_width, query_width)
        self.embed = MLP(symbol_width, node_width, hidden=embed_hidden, **node)
        self.join_units = 2 * node_width + 1 if join_copies else node_width  # H, T and g, or the value itself
        self.join = MLP(2 * node_width, self.join_units, hidden=join_hidden, noise=join_noise, **node)
        ask = dict(query_width=query_width, hidden=search_hidden, noise=search_noise)
        self.search = MLP(node_width, 1, activation="sigmoid", **ask)
        write = dict(hidden=write_hidden)
        self.write_gate = MLP(*sees, activation="sigmoid", **write) if writable and not replaces else None  # T
        self.write_value = MLP(*sees, activation=write_activation, **write) if writable else None  # H
        for mlp, bias in (self.write_gate, forget), (self.write_value, -forget):
            if mlp:
                (mlp.last or mlp.first).bias.assign(bias * np.ones(node_width))
        if join_carry:
            self.join.norm.beta.assign(-join_carry * (np.arange(self.join_units) // node_width == 1))  # T is the second
        self.built = True

    def get_config(self):
        return super().get_config() | self.config

    # -- building the tree ------------------------------------------------------------------------

    def sample_noise(self, batch, n):
        """Draw the noise for so many trees of n leaves.

        Returns:
            ``[batch, n - 1, 1]`` for SEARCH, then ``[batch, k, units]`` for JOIN at each level, lowest first.
            Empty where the memory has no noise.
        """
        if self.join.noise is None and self.search.noise is None:
            return []
        levels = [self.join.sample_noise((batch, n >> level, self.join_units)) for level in range(1, n.bit_length())]
        return [self.search.sample_noise((batch, n - 1, 1)), *levels]

    def grow(self, symbols, lengths, noise=()):
        """Fill the leaves with EMBED, then the inner nodes with JOIN from the bottom up.

        Args:
            symbols: ``[batch, n, b]``; n is a power of two. What stands past an input's end is ignored. Where the
                memory starts empty, ``[batch, n, 0]``: all leaves are zero vectors.
            lengths: ``[batch]``, ints, m of each input; the leaves past the first m are zero vectors.
                Or ``[batch, n]``, bools, which leaves hold the input; the others are zero vectors.
            noise: what `sample_noise` returned.

        Returns:
            ``nodes[batch, 2n, d]``.

        Raises:
            ValueError: n is not a power of two, or a symbol is not b wide.
        """
        if len(symbols.shape) != 3 or symbols.shape[2] not in (0, self.symbol_width):
            raise ValueError(f"symbols: got shape {tuple(symbols.shape)}; expected [batch, n, b={self.symbol_width}]")
        n = check_power_of_two(symbols.shape[1])
        if symbols.shape[2] == 0:
            return self._grow_empty(ops.shape(symbols)[0], n, noise)
        filled = ops.convert_to_tensor(lengths)
        if len(filled.shape) == 1:
            filled = ops.arange(n)[None, :] < ops.cast(filled, "int32")[:, None]
        return self.join_all(ops.where(filled[..., None], self.embed(symbols), 0.0), noise)

    def _grow_empty(self, batch, n, noise):
        if noise:
            return self.join_all(ops.zeros((batch, n, self.node_width)), noise)
        levels = ops.split(self.empty(n)[None], n.bit_length(), axis=1)
        rows = [ops.zeros_like(levels[0])] + [ops.tile(row, (1, 1 << k, 1)) for k, row in enumerate(levels)]
        return ops.tile(ops.concatenate(rows, axis=1), (batch, 1, 1))

    def empty(self, n):
        """Return ``[log2 n + 1, d]``: the value that all nodes of a level have in an empty tree, the root's first."""
        levels = [ops.zeros((1, 1, self.node_width))]
        while len(levels) < n.bit_length():
            levels.insert(0, self._joined(ops.tile(levels[0], (1, 1, 2))))
        return ops.concatenate(levels, axis=1)[0]

    def join_all(self, leaves, noise=()):
        """Build ``nodes[batch, 2n, d]`` over given ``leaves[batch, n, d]``: Θ(n) JOINs, with `noise`."""
        levels = [leaves]
        while levels[0].shape[1] > 1:
            pairs = ops.reshape(levels[0], (-1, levels[0].shape[1] // 2, 2 * self.node_width))
            levels.insert(0, self._joined(pairs, noise[len(levels)] if noise else None))
        unused = ops.zeros_like(levels[0])
        return ops.concatenate([unused, *levels], axis=1)

    def _joined(self, pairs, noise=None):
        """JOIN of ``pairs[batch, k, 2d]``, left and right child side by side: ``[batch, k, d]``."""
        made = self.join(pairs, noise=noise)
        if not self.config["join_copies"]:
            return made
        d = self.node_width
        left, right = pairs[..., :d], pairs[..., d:]
        new, from_right = (made[..., d : 2 * d] + 1) / 2, (made[..., 2 * d :] + 1) / 2  # from [-1, 1] to [0, 1]
        return new * made[..., :d] + (1 - new) * (from_right * right + (1 - from_right) * left)

    # -- the three moves --------------------------------------------------------------------------

    def attend(self, nodes, query, attention="soft", noise=()):
        """Find the leaf that a query asks for: from the root, SEARCH says how probable right is.

        Args:
            nodes: ``[batch, 2n, d]``.
            query: ``[batch, l]``.
            attention: ``"soft"`` or ``"hard"``.
            noise: what `sample_noise` returned, for soft attention.

        Returns:
            soft: ``p[batch, n]``, the product of the decisions' probabilities on the way to each leaf.
            hard: ``path[batch, log2 n + 1]``, int32 rows of ``nodes`` from the root (1) to a leaf
            (n + a), going right where SEARCH > 0.5.

        Raises:
            ValueError: ``attention`` is not known.
        """
        check_attention(attention)
        return self._attend_soft(nodes, query, noise) if attention == "soft" else self.sample(nodes, query, 0.5)

    def _attend_soft(self, nodes, query, noise):
        n = nodes.shape[1] // 2
        p = ops.ones_like(nodes[:, 1:2, 0])
        if n > 1:
            right = self.search(nodes[:, 1:n], query, noise[0] if noise else None)[..., 0]
        while p.shape[1] < n:  # one level: each p splits into its left and right part
            width = p.shape[1]
            s = right[:, width - 1 : 2 * width - 1]
            p = ops.reshape(ops.stack([p * (1 - s), p * s], axis=2), (-1, 2 * width))
        return p

    def sample(self, nodes, query, thresholds):
        """Find a leaf by decisions: right where SEARCH is above a threshold (Sec. 3.3).

        Args:
            nodes, query: as in `attend`.
            thresholds: ``[batch, log2 n]``, uniform on [0, 1) to go right with SEARCH's probability; 0.5 for the most
                probable decisions.

        Returns:
            ``path[batch, log2 n + 1]``, as `attend`.
        """
        levels = (nodes.shape[1] // 2).bit_length() - 1
        thresholds = ops.broadcast_to(thresholds, (ops.shape(nodes)[0], levels))
        return self.descend(lambda index: rows(nodes, index), query, thresholds)

    def descend(self, look, query, thresholds, levels=None):
        """Do the same in nodes wherever they lie.

        Args:
            look: ``look(index[batch, 1])`` returns ``[batch, 1, d]``, the nodes in these rows.
            query, thresholds: as in `sample`.
            levels: log2 n, an int or a tensor, of at most as many as there are thresholds; None for all of them.

        Returns:
            ``path`` as `sample`, one longer than there are thresholds; zeros after its leaf.
        """
        path = [ops.ones_like(query[:, 0], dtype="int32")]
        for level in range(thresholds.shape[1]):
            right = self.search(look(path[-1][:, None]), query)[:, 0, 0] > thresholds[:, level]
            below = 2 * path[-1] + ops.cast(right, "int32")
            path.append(below if levels is None else ops.where(level < levels, below, 0))
        return ops.stack(path, axis=1)

    def read(self, nodes, where):
        """Read the attended leaf of ``nodes[batch, 2n, d]``: h_a, or the mean of all leaves under p.

        Args:
            where: what `attend` returned.

        Returns:
            ``[batch, d]``.
        """
        if is_path(where):
            return rows(nodes, where[:, -1:])[:, 0]
        return read_leaves(nodes[:, nodes.shape[1] // 2 :], where)

    def write(self, nodes, where, query, noise=()):
        """Replace the attended leaf by WRITE(h_a, query), then JOIN again what depends on it.

        Soft (Appendix A): every leaf becomes ``p * WRITE(h, query) + (1 - p) * h`` and all inner
        nodes are joined, Θ(n). Hard: one leaf changes and its log2 n ancestors are joined.

        Args:
            nodes: ``[batch, 2n, d]``.
            where: what `attend` returned.
            query: ``[batch, l]``.
            noise: what `sample_noise` returned; only a soft write has it.

        Returns:
            the new nodes, ``[batch, 2n, d]``.

        Raises:
            ValueError: the memory is read-only.
        """
        if not self.writable:
            raise ValueError("write: this memory is read-only (writable=False)")
        if is_path(where):
            return self._write_hard(nodes, where, query)
        return self.join_all(self.write_leaves(nodes[:, nodes.shape[1] // 2 :], where, query), noise)

    def write_leaves(self, leaves, p, query):
        """Write all ``leaves[batch, n, d]`` by their ``p[batch, n]``: ``p * WRITE(h, query) + (1 - p) * h``."""
        p = p[..., None]
        return p * self.written(leaves, query) + (1 - p) * leaves

    def _write_hard(self, nodes, path, query):
        leaf = self.written(rows(nodes, path[:, -1:]), query)
        return put_rows(nodes, path, self.update_path(path, rows(nodes, siblings(path)), leaf))

    def update_path(self, path, beside, leaf, noise=None, levels=None):
        """JOIN again from a leaf that was written up to the root: log2 n JOINs.

        Args:
            path: ``[batch, log2 n + 1]``, what `attend` returned; with ``levels``, what `descend` returned.
            beside: ``[batch, log2 n, d]``, the values of its `siblings`.
            leaf: ``[batch, 1, d]``, the new value at its end.
            noise: ``[batch, log2 n, units]``, added in each JOIN before its activation.
            levels: as in `descend`.

        Returns:
            ``[batch, log2 n + 1, d]``, the new values along the path.
        """
        values = [leaf]
        for level in range(path.shape[1] - 1, 0, -1):
            is_right = ops.cast(path[:, level : level + 1] % 2, "bool")[..., None]
            value, sibling = values[0], beside[:, level - 1 : level]
            pair = [ops.where(is_right, sibling, value), ops.where(is_right, value, sibling)]
            sampled = None if noise is None else noise[:, level - 1 : level]
            joined = self._joined(ops.concatenate(pair, axis=-1), sampled)
            values.insert(0, joined if levels is None else ops.where(level > levels, leaf, joined))
        return ops.concatenate(values, axis=1)

    def written(self, leaves, query):
        """WRITE of ``leaves[batch, k, d]`` in its highway form: ``T * H + (1 - T) * h_a``; where it replaces, H."""
        if self.config["replaces"]:
            return ops.broadcast_to(self.write_value(query[:, None]), ops.shape(leaves))
        gate = self.write_gate(leaves, query)
        return gate * self.write_value(leaves, query) + (1 - gate) * leaves
