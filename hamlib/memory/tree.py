"""The tree: EMBED, JOIN, SEARCH and WRITE, and the three moves of an access."""

import keras
import numpy as np
from keras import ops

from hamlib.memory.nodes import is_path, put_rows, read_leaves, rows, siblings
from hamlib.memory.parts import Parts

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
class TreeMemory(Parts):
    """A full binary tree of vectors with the learned EMBED, JOIN, SEARCH and WRITE (Sec. 3.2).

    The four are shared by all nodes, so the number of weights does not depend on n, and one memory
    is used with any n that is a power of two. d is ``node_width``, l ``query_width``, b ``symbol_width``.

    * EMBED: R^b -> R^d fills a leaf from its symbol.
    * JOIN: R^d x R^d -> R^d makes an inner node of its left and right child.
    * SEARCH: R^d x R^l -> [0, 1], the probability of going right at an inner node.
    * WRITE: R^d x R^l -> R^d, ``T * H + (1 - T) * h_a``, T and H two MLPs that end in a sigmoid.

    Only the forms "relu", "new" and "highway", without noise, are the paper's.

    Args:
        symbol_width: b, width of an input symbol.
        node_width: d, width of the value of a node.
        query_width: l, width of the query (h_LSTM in the paper).
        node: how EMBED and JOIN end. ``"relu"``; ``"relu-unbiased"``, without biases, as in the 2016 code;
            ``"relu-normalised"``, after layer normalisation, which keeps the scale of a node the same at any depth; or
            ``"saturating"``, normalised and cut off at -1 and 1, so that what JOIN hands up can settle at its limits.
        join: what JOIN makes of its children. ``"new"``: all of it. ``"copy"``: a form like WRITE's,
            ``T * H + (1 - T) * (g * right + (1 - g) * left)``, each coordinate is new or copied, all from one child
            where g is 0 or 1; a copy is as good at any depth. ``"copy-at-first"``: the same, whose T begins near 0.
            ``"carry"``: a **digital** memory, where d - ``marks`` coordinates are *carried*, copied from the child
            that g says, and the others are *marked*, always new. Its JOIN is not normalised and makes g and the marks
            only. A leaf's marks are 0: EMBED and WRITE make what is carried. ``"digits"``: a digital memory, too, whose
            JOIN makes digits of digits, and zeros of zeros. A leaf stores an operation, which JOIN neither sees nor
            hands up, beside digits of 1; d is l + ``marks``.
        write: ``"highway"``; ``"emptying"``, the same with first biases that empty a leaf before anything is learned;
            ``"replace"``, H of the query alone, so that one leaf cannot hold the last two or three things written to
            it; ``"replace-saturating"``, the same, ending as JOIN does, so that JOIN can copy its digits; ``"put"``,
            with JOIN's ``"digits"``: nothing is learned, a PUSH is put into the leaf, and a POP empties it; or None
            for a read-only memory, which is attended and read, never changed.
        hidden: ReLU units in the first of two layers of ``embed``, ``join``, ``search`` and ``write``; 0, or not named,
            for one layer. None for ``{"join": 64}``.
        noise: half the width of the uniform noise that training adds, at first, before the activation of ``embed``,
            ``join`` and ``search``; 0, or not named, for none. Under it only what is driven far into saturation gets
            through: JOIN learns to hand up digital values, whose small errors cannot add up with depth, and SEARCH to
            decide, where a soft access could look at two leaves at once, which no path can.
        marks: marked coordinates of a digital memory; without effect on others.

    Attributes:
        carried: the coordinates of a leaf that EMBED and WRITE make: d, or d - ``marks`` where JOIN carries.
        digital: of a digital memory, a variable that is saved with the weights: 0, and what JOIN makes is continuous,
            as training begins; 1, and it is digits, exactly -1 or 1 (g: 0 or 1), in training as in use (gradients
            go straight through the rounding). Then a node has finitely many values. None for other memories.

    Raises:
        ValueError: a width is not a positive integer; a form is unknown, or does not go with another; a number of
            hidden units or a noise is negative; as many marks as coordinates.
    """

    # -- building the tree ------------------------------------------------------------------------

    def sample_noise(self, batch, n):
        """Draw the noise for so many trees of n leaves.

        Returns:
            ``[batch, n - 1, 1]`` for SEARCH, then ``[batch, k, units]`` for JOIN at each level, lowest first; last,
            where EMBED has noise, ``[batch, n, carried]``. Empty where the memory has no noise.
        """
        if not any(self.config["noise"].values()):
            return []
        levels = [self.join.sample_noise((batch, n >> level, self.join_noise)) for level in range(1, n.bit_length())]
        leaves = [self.embed.sample_noise((batch, n, self.carried))] if self.config["noise"]["embed"] else []
        return [self.search.sample_noise((batch, n - 1, 1)), *levels, *leaves]

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
            filled = ops.arange(n, dtype="int32")[None, :] < ops.cast(filled, "int32")[:, None]
        leaves = self._marked(self.embed(symbols, noise=noise[-1] if noise and self.config["noise"]["embed"] else None))
        return self.join_all(ops.where(filled[..., None], leaves, 0.0), noise)

    def grow_written(self, operations, filled, noise=()):
        """Build ``nodes[batch, 2n, d]`` over leaves that have been written.

        Args:
            operations: ``[batch, n, b]``, the query of each leaf's last WRITE.
            filled: ``[batch, n]``, bools: whether there was one.
            noise: what `sample_noise` returned.
        """
        _, n, width = operations.shape
        queries = ops.reshape(operations, (-1, width))
        nothing = ops.zeros((ops.shape(queries)[0], 1, self.node_width), "float32")
        leaves = ops.reshape(self.written(nothing, queries), (-1, n, self.node_width))
        return self.join_all(ops.where(filled[..., None], leaves, 0.0), noise)

    def _grow_empty(self, batch, n, noise):
        if noise:
            return self.join_all(ops.zeros((batch, n, self.node_width), "float32"), noise)
        levels = ops.split(self.empty(n)[None], n.bit_length(), axis=1)
        rows = [ops.zeros_like(levels[0])] + [ops.tile(row, (1, 1 << k, 1)) for k, row in enumerate(levels)]
        return ops.tile(ops.concatenate(rows, axis=1), (batch, 1, 1))

    def empty(self, n):
        """Return ``[log2 n + 1, d]``: the value that all nodes of a level have in an empty tree, the root's first."""
        levels = [ops.zeros((1, 1, self.node_width), "float32")]
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
            raise ValueError("write: this memory is read-only (write=None)")
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
