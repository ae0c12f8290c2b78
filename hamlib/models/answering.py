"""How a trained model answers: compiled loops that belong to the model, of few shapes, over any number of symbols."""

import contextlib
import math
import types
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import tensorflow as tf

from hamlib.memory import check_attention, check_power_of_two
from hamlib.models.access import repeat

NODES_AT_ONCE = 2**18  # of all trees of a slice: what fits the caches of a laptop
BATCHES = (1, 16, 256)  # how many inputs a slice holds: a batch is filled up to one of them, or cut into several
LONGEST = 256  # output symbols in one loop; fewer, but for a single one, are filled up
CONTAINER_LIMITS = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"  # of Linux, new and old
SMALL = 256  # leaves: hard, all trees up to this size go through one compiled loop


def memory_limit():
    """Return how many bytes this process may have: of the machine, or of its container where that has less."""
    limits = [psutil.virtual_memory().total]
    for file in CONTAINER_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # not Linux, or "max"
            limits.append(int(Path(file).read_text()))
    return min(limits)


def check_fits(n, batch, node_width):
    """Raise a ValueError if so many trees need more memory than the machine has; four copies are made at most.

    Args:
        n: leaves of each tree.
        batch: trees.
        node_width: d.
    """
    needed = 4 * batch * 2 * n * node_width * 4
    there = memory_limit()
    if needed > there:
        raise ValueError(
            f"n: got {n:,} leaves, which need about {needed / 1e9:,.0f} GB; there are {there / 1e9:,.0f} GB"
        )


class Visit(NamedTuple):
    """Some output symbols of a batch, one after the other."""

    state: Any  # the `State` that they begin with; `visits` yields the one before, `advance` returns the one after
    where: Any  # [batch, k, η, log2 n + 1] paths, or [batch, k, η, n] probabilities; None where not watched
    answers: Any  # [batch, k, b], the probability that each bit is 1


class Answering:
    """The half of a model with a tree that answers and learns nothing.

    What is compiled belongs to the model. A compiled loop takes seconds, and some 40 MB that TensorFlow never gives
    back, so shapes are few: slices hold one of `BATCHES` inputs, loops `LONGEST` symbols, and small trees share
    their shape. What touches all nodes, `start` and soft attention, is a graph for each n instead.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        # In a plain object, so that it is no part of what is saved. Graphs are for each n, so not more than there are
        # powers of two.
        advance = tf.function(self.advance, jit_compile=True, autograph=False)
        self._compiled = types.SimpleNamespace(advance_hard=advance, graphs={})

    def respond(self, inputs, attention="hard"):
        """Answer as a call does, without a gradient: slice by slice, compiled; inside a graph, as a part of it.

        Args:
            inputs, attention: as in a call.

        Returns:
            ``answers[batch, T, b]``, the probability that each bit is 1.
        """
        if not tf.executing_eagerly():
            queries, state = self.asked(inputs), self.start(inputs)
            count = queries.shape[1] or tf.shape(queries)[1]
            symbols = tf.convert_to_tensor(inputs["symbols"])
            return self.advance(symbols, queries, state, count, attention, placed="places" in inputs).answers
        inputs = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
        batch, n = inputs["symbols"].shape[:2]
        size = _slice_size(batch, check_power_of_two(n))
        inputs = {name: _fill(value, math.ceil(batch / size) * size) for name, value in inputs.items()}
        answers = []
        with tf.init_scope():  # a tape that is open need not record it
            for first in range(0, batch, size):
                part = {name: value[first : first + size] for name, value in inputs.items()}
                answers.append(tf.concat([visit.answers for visit in self.visits(part, attention)], axis=1))
        return tf.concat(answers, axis=0)[:batch]

    def visits(self, inputs, attention="hard", chunk=LONGEST, watched=False):
        """Make output symbols one after the other, in compiled loops of at most ``chunk``.

        Args:
            inputs: as in a call.
            attention: ``"soft"`` or ``"hard"``.
            chunk: how many symbols are made between two yields, a positive integer. Each time the nodes are copied.
            watched: whether `Visit.where` is wanted.

        Yields:
            a `Visit` of at most ``chunk`` output symbols.

        Raises:
            ValueError: ``attention`` is not known, ``chunk`` is no positive integer, n is no power of two, or the
                trees need more memory than there is.
        """
        check_attention(attention)
        if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
            raise ValueError(f"chunk: got {chunk!r}; expected a positive integer")
        batch, n = inputs["symbols"].shape[:2]
        size = min((size for size in BATCHES if size >= batch), default=batch)
        size = size if size * 2 * check_power_of_two(n) <= NODES_AT_ONCE else batch
        check_fits(n, size, self.memory.node_width)
        inputs = {name: _fill(tf.convert_to_tensor(value), size) for name, value in inputs.items()}
        queries, state = self.asked(inputs), self._start(inputs, n)
        symbols, levels, room = inputs["symbols"], None, n
        if attention == "hard":
            advance, levels = self._compiled.advance_hard, tf.constant(n.bit_length() - 1)
            room = max(n, SMALL) if size in BATCHES else n  # of a shape that nothing shares, no more than needed
            symbols, state = _fill(symbols, room, axis=1), state._replace(nodes=_fill(state.nodes, 2 * room, axis=1))
        else:
            function = tf.function(self.advance, autograph=False, reduce_retracing=True)
            advance = self._compiled.graphs.setdefault(n, function)
        steps = queries.shape[1]
        for first in range(0, steps, chunk):
            count = min(chunk, steps - first)
            asked = _fill(queries[:, first : first + count], chunk if self.memory.writable else 1, axis=1)
            after = advance(symbols, asked, state, tf.constant(count), attention, watched, "places" in inputs, levels)
            before = where = None
            if watched:
                before = tf.nest.map_structure(lambda value: value[:batch], state)
                before = before._replace(nodes=before.nodes[:, : 2 * n])
                where = after.where[:batch, :count, :, : n.bit_length() if attention == "hard" else n]
            yield Visit(before, where, after.answers[:batch, :count])
            state = after.state

    def _start(self, inputs, n):
        """`start`, as one graph for all batches of inputs of a kind."""
        inputs = {name: value for name, value in inputs.items() if name not in ("queries", "places")}
        kind = n, *inputs
        graphs = self._compiled.graphs
        if kind not in graphs:
            specs = {name: tf.TensorSpec([None, *value.shape[1:]], value.dtype) for name, value in inputs.items()}
            graphs[kind] = tf.function(lambda inputs: self.start(inputs), [specs], autograph=False)
        return graphs[kind](inputs)

    def advance(self, symbols, queries, state, count, attention, watched=False, placed=False, levels=None):
        """Make ``count`` output symbols in one loop: the one loop behind all that answers.

        Args:
            symbols: ``[batch, n, b]``, where n may be more leaves than the trees have.
            queries: ``[batch, k, ...]``, of which the first ``count`` are asked.
            state: the `State` before them.
            count: a tensor or an int.
            attention, watched: as in `visits`.
            placed: as in `soft_step`.
            levels: as in `hard_step`.

        Returns:
            a `Visit` of k output symbols, from ``count`` on zeros.
        """
        batch, n, _ = symbols.shape

        def step(k, state):
            if attention == "hard":
                state, where, answer = self.hard_step(state, queries[:, k], symbols, levels)
            else:
                state, where, answer = self.soft_step(state, queries[:, k], symbols, placed=placed)
            return state, [answer, where][: 1 + watched]

        way = (tf.int32, n.bit_length()) if attention == "hard" else (tf.float32, n)
        kept = [(tf.float32, [batch, self.answer_width]), (way[0], [batch, self.accesses, way[1]])][: 1 + watched]
        most = queries.shape[1] or tf.shape(queries)[1]
        state, (answers, *where) = repeat(step, state, count, most, kept)
        return Visit(state, _batch_first(where[0]) if watched else None, _batch_first(answers))

    def trace(self, inputs, attention="hard"):
        """Answer one output symbol at a time, and show the way: what pictures of a model at work are drawn from.

        Args:
            inputs, attention: as in a call.

        Yields:
            for each output symbol ``(nodes, where, answer)``: ``nodes[batch, 2n, d]`` before it, a list of
            what `TreeMemory.attend` returned at each of its accesses, and ``answer[batch, b]``.
        """
        for visit in self.visits(inputs, attention, chunk=1, watched=True):
            yield visit.state.nodes, tf.unstack(visit.where[:, 0], axis=1), visit.answers[:, 0]


def _slice_size(batch, n):
    """How many inputs go through a loop at once: one of `BATCHES`, as far as caches reach, at least half full."""
    return max(size for size in BATCHES if size == 1 or size * 2 * n <= NODES_AT_ONCE and size <= 2 * batch)


def _fill(values, size, axis=0):
    """``values`` with zeros after them, so that there are ``size`` along an axis; as they are where there are more."""
    missing = size - values.shape[axis]
    return tf.pad(values, [[0, missing * (k == axis)] for k in range(len(values.shape))]) if missing > 0 else values


def _batch_first(values):
    """``[k, batch, ...]`` as ``[batch, k, ...]``."""
    return tf.transpose(values, [1, 0, *range(2, len(values.shape))])
