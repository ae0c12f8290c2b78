"""JOIN of all pairs of states, and how near a digit may come to its threshold."""

import numpy as np
import tensorflow as tf

from hamlib.proof.machine import EITHER

SAFETY = 4  # times the worst rounding error of a sum in float32, so that other devices come out the same


class NotFinite(ValueError):
    """The states of a model do not close, or not under the limit: there is no machine."""


def unique(rows):
    """The different ones of ``rows``, in the order in which they come, and which each is."""
    rows = np.ascontiguousarray(rows + 0.0, "float32")  # one zero, not two
    _, where, index = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(where)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rows[where[order]], rank[index.ravel()]


class Pairs:
    """JOIN over pairs of states, in compiled blocks: a state is what it carries, by number, and its marks, as bits."""

    BLOCK = 64, 1024  # rows and columns

    def __init__(self, memory, leaves, limit):
        self.memory, self.limit = memory, limit
        self.marks, self.carries = memory.config["marks"], memory.config["join"] == "carry"
        self.width = memory.node_width - self.marks  # of what is carried, or stored in a leaf
        self.seen = slice(None if self.carries else self.width, None)  # by JOIN
        self.values, self.empty = leaves.values, leaves.empty
        self.unused = [] if self.carries else [self.empty]  # stays what it is, joined to itself
        self.kinds, self.carried = unique(leaves.values[:, : self.width])
        self.states = np.full((len(self.kinds), 2**self.marks), -1, np.int16)  # of an inner node
        self.count = len(leaves.values)
        self.join = np.full((0, 0), -1, np.int16)
        self.forked = []
        self.margin = float("inf")
        first, last = memory.join.first, memory.join.last
        self.kernel, self.bias = first.kernel.numpy(), first.bias.numpy()
        self.sizes = np.abs(leaves.values).max(axis=0)  # the largest that a coordinate of a node can be
        self.sizes[self.width :] = np.maximum(1, self.sizes[self.width :])
        self.epsilon = worst_error(memory.join, np.tile(self.sizes[self.seen], 2))
        norm = memory.join.norm
        rows, columns = self.BLOCK
        out, bias = tf.constant(last.kernel), tf.constant(last.bias)

        @tf.function(jit_compile=True, autograph=False)
        def digits(left, right):
            hidden = tf.nn.relu(left[:, None] + right[None])
            sums = tf.reshape(hidden, [rows * columns, -1]) @ out + bias
            if norm:  # γ(s - mean)/σ + β moves by at most 2γ(1 + √d)/σ times as much as the sums s do
                sigma = tf.sqrt(tf.math.reduce_variance(sums, axis=1, keepdims=True) + norm.epsilon)
                sums = norm(sums) * sigma / (2 * tf.maximum(tf.abs(norm.gamma), 1e-6) * (1 + sums.shape[1] ** 0.5))
            bits = tf.cast(sums > 0, tf.int32) @ (2 ** tf.range(sums.shape[1])[:, None])
            near = tf.reduce_min(tf.abs(sums), axis=1)
            return tf.reshape(bits, [rows, columns]), tf.reshape(near, [rows, columns]), sums

        self.digits = digits

    def value(self, index):
        """``[k, d]``, the values of states."""
        return self.values[index]

    def join_blocks(self, blocks, progress=None):
        """JOIN pairs of states, and number those that are new.

        Args:
            blocks: pairs of arrays of states: all of the one with all of the other.
            progress: as in `extract`.

        Raises:
            NotFinite: there are more states than the limit.
        """
        blocks = [(left, right) for left, right in blocks if len(left) and len(right)]
        total, done = sum(len(left) * len(right) for left, right in blocks), 0
        if len(self.join) < self.count:
            self.join = _larger(self.join, min(self.limit, max(64, 2 * self.count)))
        rows, columns = self.BLOCK
        seen, d = self.values[:, self.seen], len(self.kernel) // 2
        for left, right in blocks:
            after = [seen[right[at : at + columns]] @ self.kernel[d:] for at in range(0, len(right), columns)]
            for low in range(0, len(left), rows):
                i = left[low : low + rows]
                before = _padded(seen[i] @ self.kernel[:d] + self.bias, rows)
                for number, part in enumerate(after):
                    j = right[number * columns : (number + 1) * columns]
                    bits, near, sums = self.digits(before, _padded(part, columns))
                    bits, near = (value.numpy()[: len(i), : len(j)] for value in (bits, near))
                    near = np.where(self._unused(i[:, None], j[None]), np.inf, near)
                    self.join[np.ix_(i, j)] = self._state(i[:, None], j[None], bits)
                    self.margin = min(self.margin, float(near.min()))
                    if near.min() < self.epsilon:
                        sums = sums.numpy().reshape(rows, columns, -1)[: len(i), : len(j)]
                        self._fork(i, j, near, bits, sums)
                done += len(i) * len(right)
                if progress:
                    progress(done, total)

    def _unused(self, i, j):
        return np.isin(i, self.unused) & np.isin(j, self.unused)

    def _state(self, i, j, bits):
        """The states over left children i and right ones j, new ones among them, by their digits."""
        marks = bits & (2**self.marks - 1)
        if self.carries:
            carried = np.where(bits >> self.marks, self.carried[j], self.carried[i])
        else:
            carried = np.full_like(marks, self.carried[self.empty])  # what a leaf stores is not handed up
        state = np.where(self._unused(i, j), self.empty, self.states[carried, marks])
        if (state < 0).any():
            wanted = np.unique((carried * 2**self.marks + marks)[state < 0])
            carries, bits = np.divmod(wanted, 2**self.marks)
            if self.count + len(wanted) > self.limit:
                raise NotFinite(f"limit: {self.count + len(wanted):,} states and more to come, past {self.limit:,}")
            self.states[carries, bits] = self.count + np.arange(len(wanted))
            digits = 2.0 * (bits[:, None] >> np.arange(self.marks) & 1) - 1
            self.values = np.concatenate([self.values, np.concatenate([self.kinds[carries], digits], 1)]).astype("f4")
            self.carried = np.concatenate([self.carried, carries])
            self.count += len(wanted)
            if len(self.join) < self.count:
                self.join = _larger(self.join, min(self.limit, 2 * self.count))
            state = np.where(self._unused(i, j), self.empty, self.states[carried, marks])
        return state

    def _fork(self, i, j, near, bits, sums):
        """Follow every outcome of the digits that are nearer to 0 than ε."""
        row, column = np.nonzero(near < self.epsilon)
        doubtful = (np.abs(sums[row, column]) < self.epsilon) @ (1 << np.arange(sums.shape[-1]))
        for mask in np.unique(doubtful):
            some = doubtful == mask
            left, right, came = i[row[some]], j[column[some]], bits[row[some], column[some]]
            flip = mask
            while flip:  # all that are in the mask
                state = self._state(left, right, came ^ flip)
                self.forked.append(np.stack([left, right, state], axis=1).astype(np.int16))
                flip = (flip - 1) & mask

    @property
    def forks(self):
        return np.concatenate([np.zeros((0, 3), np.int16), *self.forked])

    def decide(self, operations):
        """``right[O, S]``, the smallest distance of a probability to 0.5, and the ε that it must keep."""
        values, right, margin = tf.constant(self.values[None]), [], float("inf")
        inner = np.zeros(self.count, bool)
        inner[self.states[self.states >= 0]] = inner[self.unused] = True
        epsilon = (
            worst_error(self.memory.search, self.sizes, np.abs(operations).max(axis=0)) / 4
        )  # a sigmoid's steepest
        ask = tf.function(lambda query: self.memory.search(values, query[None])[0, :, 0], jit_compile=True)
        for query in operations:
            p = ask(tf.constant(query)).numpy()
            near = np.abs(p - 0.5)
            right.append(np.where(inner, np.where(near < epsilon, EITHER, p > 0.5), 0))
            margin = min(margin, float(near[inner].min()))
        return np.array(right, np.int8), margin, epsilon


def _padded(rows, count):
    return tf.constant(np.pad(rows, ((0, count - len(rows)), (0, 0))))


def _larger(table, size):
    more = np.full((size, size), -1, np.int16)
    more[: len(table), : len(table)] = table
    return more


def worst_error(mlp, sizes, query_sizes=()):
    """`SAFETY` times the worst that float32 can make of an MLP's last sums, in whatever order they are added up.

    Args:
        mlp: an `MLP`.
        sizes, query_sizes: the largest absolute value of each of its inputs.
    """
    terms, size = 0, np.concatenate([sizes, query_sizes])
    for layer in (mlp.first, mlp.last):
        if layer:
            kernel = np.concatenate([layer.kernel, *([mlp.query.kernel] if mlp.query and layer is mlp.first else [])])
            terms, size = terms + len(kernel) + 1, size @ np.abs(kernel) + np.abs(layer.bias)
    return float(SAFETY * terms * 2.0**-24 * size.max())
