"""`extract`: the tables of a digital memory.

A node of a digital memory is carried (copied from a child, exactly) and marked (exact digits), so it has finitely many
values, and JOIN, SEARCH and WRITE are tables over them.
"""

import itertools

import numpy as np
import tensorflow as tf

from hamlib.models import RawHAM
from hamlib.proof.machine import EITHER, TreeMachine

LIMIT = 12_000  # states; the table of JOIN has as many rows and columns
SAFETY = 4  # times the worst rounding error of a sum in float32, so that other devices come out the same


class NotFinite(ValueError):
    """The states of a model do not close, or not under the limit: there is no machine."""


def check_digital(model):
    """Raise a `NotFinite` unless ``model`` is a raw memory with digital nodes."""
    memory = getattr(model, "memory", None)
    if memory is None:
        raise NotFinite("model: it has no tree memory, so it is no machine")
    if not isinstance(model, RawHAM):
        raise NotFinite("model: a controller (an LSTM) asks its memory, and an LSTM's state is not finite")
    if memory.config["join"] != "carry" or float(memory.digital) < 0.5:
        raise NotFinite(
            "model: its nodes are not digital (join='carry', and rounded), so their values are not finitely many"
        )


def extract(model, limit=LIMIT, operations=None, progress=None):
    """Find all values that a node of a digital memory can have, in any tree, and return its `TreeMachine`.

    The leaves are all symbols, the empty leaf and what WRITE makes of them; the inner nodes are the JOINs of all pairs
    of leaves, then of all pairs of inner nodes, until nothing new appears: then none can, at any height.

    Args:
        model: a `RawHAM` whose memory is digital.
        limit: how many states there may be, an integer from 2 to 32,767.
        operations: ``[O, l]``, the queries there are; None for one of zeros.
        progress: called with (done, of how many) pairs of a level.

    Raises:
        NotFinite: (a ValueError) its states are not finitely many, or more than the limit; the message says how many.
        ValueError: the limit is out of range.
    """
    if isinstance(limit, bool) or not isinstance(limit, (int, np.integer)) or not 2 <= limit < 2**15:
        raise ValueError(f"limit: got {limit!r}; expected an integer from 2 to 32,767")
    check_digital(model)
    memory, asked = model.memory, operations is not None
    operations = np.zeros((1, memory.query_width), "float32") if not asked else np.asarray(operations, "float32")
    symbols = np.zeros((0, memory.symbol_width), "float32")
    if not asked:
        symbols = np.array(list(itertools.product((0, 1), repeat=memory.symbol_width)), "float32")
    leaves = _Leaves(memory, symbols, operations, limit)
    pairs = _Pairs(memory, leaves, limit)
    leaf_states = np.arange(len(leaves.values))
    pairs.join_blocks([(leaf_states, leaf_states)], progress)
    levels, known = [len(leaf_states)], len(leaf_states)
    while known < pairs.count:  # of the inner nodes: the new ones beside all
        levels.append(pairs.count - len(leaf_states))
        old, new = np.arange(len(leaf_states), known), np.arange(known, pairs.count)
        known = pairs.count
        pairs.join_blocks([(new, np.concatenate([old, new])), (old, new)], progress)
    decisions = (levels[0] ** 2 + levels[-1] ** 2) * len(operations)
    right, search, search_epsilon = pairs.decide(operations)
    margins = dict(search=search, search_epsilon=search_epsilon, join=pairs.margin, join_epsilon=pairs.epsilon)
    answer, certain = _answers(model, leaves.values, pairs.count)
    written = np.full((len(operations), pairs.count), -1)
    written[:, : len(leaves.values)] = leaves.written
    return TreeMachine(
        symbols=symbols,
        operations=operations,
        leaf=leaves.of_symbols,
        empty=leaves.empty,
        join=pairs.join[: pairs.count, : pairs.count],
        right=right,
        written=written,
        answer=answer,
        forks=pairs.forks,
        levels=tuple(levels),
        decisions=decisions,
        margins=margins | certain,
    )


class _Leaves:
    """The values that a leaf can have: of the symbols, of nothing, and what WRITE makes of them, until all are known.

    Without operations an access takes a symbol out, once: a leaf is written but once.
    """

    def __init__(self, memory, symbols, operations, limit):
        d = memory.node_width
        embedded = leaf_values(memory, symbols) if len(symbols) else np.zeros((0, d), "float32")
        self.values, index = _unique(np.concatenate([embedded, np.zeros((1, d), "float32")]))
        self.of_symbols, self.empty = index[:-1], int(index[-1])
        self.written = np.full((len(operations), 0), -1)
        known = 0
        while memory.writable and known < len(self.values):
            if len(self.values) > limit:
                raise NotFinite(f"limit: a leaf has {len(self.values):,} values and more to come, past {limit:,}")
            fresh, old = self.values[known:], self.values
            ask = tf.function(lambda query, fresh=fresh: memory.written(fresh[None], query[None])[0])
            made = np.stack([ask(tf.constant(query)).numpy() for query in operations])
            self.values, index = _unique(np.concatenate([old, made.reshape(-1, d)]))
            self.written = np.concatenate([self.written, index[len(old) :].reshape(len(operations), -1)], axis=1)
            known = len(old)
            if not operations.any():  # once
                break
        missing = len(self.values) - self.written.shape[1]
        self.written = np.pad(self.written, ((0, 0), (0, missing)), constant_values=-1)


def leaf_values(memory, symbols):
    """``[K, d]``, the values of leaves that hold ``symbols[K, b]``, K a power of two."""
    return np.array(memory.grow(tf.constant(symbols[None], tf.float32), [len(symbols)]))[0, len(symbols) :]


def _unique(rows):
    """The different ones of ``rows``, in the order in which they come, and which each is."""
    rows = np.ascontiguousarray(rows + 0.0, "float32")  # one zero, not two
    packed = rows.view(np.dtype((np.void, rows.shape[1] * 4))).ravel()
    _, where, index = np.unique(packed, return_index=True, return_inverse=True)
    order = np.argsort(where)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rows[where[order]], rank[index.ravel()]


class _Pairs:
    """JOIN over pairs of states, in compiled blocks: a state is what it carries, by number, and its marks, as bits."""

    BLOCK = 64, 1024  # rows and columns

    def __init__(self, memory, leaves, limit):
        self.memory, self.limit = memory, limit
        self.marks = memory.config["marks"]
        self.width = memory.node_width - self.marks  # of what is carried
        self.values = leaves.values
        self.kinds, self.carried = _unique(leaves.values[:, : self.width])
        self.states = np.full((len(self.kinds), 2**self.marks), -1, np.int16)  # of an inner node
        self.count = len(leaves.values)
        self.join = np.full((0, 0), -1, np.int16)
        self.forked = []
        self.margin = float("inf")
        first, last = memory.join.first, memory.join.last
        self.kernel, self.bias = first.kernel.numpy(), first.bias.numpy()
        self.sizes = np.abs(leaves.values).max(axis=0)  # the largest that a coordinate of a node can be
        self.sizes[self.width :] = 1
        self.epsilon = _epsilon(memory.join, np.concatenate([self.sizes, self.sizes]))
        rows, columns = self.BLOCK
        out, bias = tf.constant(last.kernel), tf.constant(last.bias)

        @tf.function(jit_compile=True, autograph=False)
        def digits(left, right):
            hidden = tf.nn.relu(left[:, None] + right[None])
            sums = tf.reshape(hidden, [rows * columns, -1]) @ out + bias
            bits = tf.cast(sums > 0, tf.int32) @ (2 ** tf.range(sums.shape[1])[:, None])
            near = tf.reduce_min(tf.abs(sums), axis=1)
            return tf.reshape(bits, [rows, columns]), tf.reshape(near, [rows, columns]), sums

        self.digits = digits

    def value(self, index):
        """``[k, d]``, the values of states."""
        return self.values[index]

    def join_blocks(self, blocks, progress=None):
        blocks = [(left, right) for left, right in blocks if len(left) and len(right)]
        total, done = sum(len(left) * len(right) for left, right in blocks), 0
        if len(self.join) < self.count:
            self.join = _larger(self.join, min(self.limit, max(64, 2 * self.count)))
        rows, columns = self.BLOCK
        d = self.memory.node_width
        for left, right in blocks:
            after = [self.values[right[at : at + columns]] @ self.kernel[d:] for at in range(0, len(right), columns)]
            for low in range(0, len(left), rows):
                i = left[low : low + rows]
                before = _padded(self.values[i] @ self.kernel[:d] + self.bias, rows)
                for number, part in enumerate(after):
                    j = right[number * columns : (number + 1) * columns]
                    bits, near, sums = self.digits(before, _padded(part, columns))
                    bits, near = (value.numpy()[: len(i), : len(j)] for value in (bits, near))
                    self._put(i, j, bits)
                    self.margin = min(self.margin, float(near.min()))
                    if near.min() < self.epsilon:
                        sums = sums.numpy().reshape(rows, columns, -1)[: len(i), : len(j)]
                        self._fork(i, j, near, bits, sums)
                done += len(i) * len(right)
                if progress:
                    progress(done, total)

    def _put(self, i, j, bits):
        self.join[np.ix_(i, j)] = self._state(i[:, None], j[None], bits)

    def _state(self, i, j, bits):
        """The states over left children i and right ones j, new ones among them, by their digits."""
        marks, gate = bits & (2**self.marks - 1), bits >> self.marks
        carried = np.where(gate, self.carried[j], self.carried[i])
        state = self.states[carried, marks]
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
            state = self.states[carried, marks]
        return state

    def _fork(self, i, j, near, bits, sums):
        """Follow every outcome of the digits that are nearer to 0 than ε."""
        row, column = np.nonzero(near < self.epsilon)
        doubtful = (np.abs(sums[row, column]) < self.epsilon) @ (1 << np.arange(self.marks + 1))
        for flip in range(1, 2 ** (self.marks + 1)):
            some = (doubtful & flip) == flip
            left, right = i[row[some]], j[column[some]]
            state = self._state(left, right, bits[row[some], column[some]] ^ flip)
            self.forked.append(np.stack([left, right, state], axis=1).astype(np.int16))

    @property
    def forks(self):
        return np.concatenate([np.zeros((0, 3), np.int16), *self.forked])

    def decide(self, operations):
        """``right[O, S]``, the smallest distance of a probability to 0.5, and the ε that it must keep."""
        values, right, margin = tf.constant(self.values[None]), [], float("inf")
        inner = np.zeros(self.count, bool)
        inner[self.states[self.states >= 0]] = True
        epsilon = _epsilon(self.memory.search, self.sizes, np.abs(operations).max(axis=0)) / 4  # a sigmoid's steepest
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


def _answers(model, leaves, states):
    """``answer[S, a]`` of the leaf states, and the margin of its bits; none where it is the symbol that is read."""
    if model.reads_symbols:
        return np.zeros((states, 0), np.int8), {}
    p = np.array(model.controller_step(tf.zeros([len(leaves), 0]), [], tf.constant(leaves))[0])
    near, epsilon = np.abs(p - 0.5), _epsilon(model.output_mlp, np.abs(leaves).max(axis=0)) / 4
    answer = np.zeros((states, p.shape[1]), np.int8)
    answer[: len(leaves)] = np.where(near < epsilon, EITHER, p > 0.5)
    return answer, dict(answer=float(near.min()), answer_epsilon=epsilon)


def _epsilon(mlp, sizes, query_sizes=()):
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
