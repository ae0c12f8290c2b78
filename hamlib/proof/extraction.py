"""`extract`: the tables of a digital memory.

A node of a digital memory is carried (copied from a child, exactly) and marked (exact digits), or marked only, so it
has finitely many values, and JOIN, SEARCH and WRITE are tables over them.
"""

import itertools

import numpy as np
import tensorflow as tf

from hamlib.memory import DIGITAL
from hamlib.models import RawHAM
from hamlib.proof.machine import EITHER, TreeMachine
from hamlib.proof.pairs import NotFinite, Pairs, unique, worst_error

LIMIT = 12_000  # states; the table of JOIN has as many rows and columns


def check_digital(model):
    """Raise a `NotFinite` unless ``model`` is a raw memory with digital nodes."""
    memory = getattr(model, "memory", None)
    if memory is None:
        raise NotFinite("model: it has no tree memory, so it is no machine")
    if not isinstance(model, RawHAM):
        raise NotFinite("model: a controller (an LSTM) asks its memory, and an LSTM's state is not finite")
    if memory.config["join"] not in DIGITAL or float(memory.digital) < 0.5:
        raise NotFinite(
            f"model: its nodes are not digital (join {' or '.join(DIGITAL)}, and rounded), so their values are not "
            "finitely many"
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
    pairs = Pairs(memory, leaves, limit)
    leaf_states = np.arange(len(leaves.values))
    pairs.join_blocks([(leaf_states, leaf_states)], progress)
    levels, known = [len(leaf_states)], len(leaf_states)
    while known < pairs.count:  # of the inner nodes: the new ones beside all
        levels.append(pairs.count - len(leaf_states))
        old = np.concatenate([np.array(pairs.unused, int), np.arange(len(leaf_states), known)])
        new = np.arange(known, pairs.count)
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
        self.values, index = unique(np.concatenate([embedded, np.zeros((1, d), "float32")]))
        self.of_symbols, self.empty = index[:-1], int(index[-1])
        self.written = np.full((len(operations), 0), -1)
        known = 0
        while memory.writable and known < len(self.values):
            if len(self.values) > limit:
                raise NotFinite(f"limit: a leaf has {len(self.values):,} values and more to come, past {limit:,}")
            fresh, old = self.values[known:], self.values
            ask = tf.function(lambda query, fresh=fresh: memory.written(fresh[None], query[None])[0])
            made = np.stack([ask(tf.constant(query)).numpy() for query in operations])
            self.values, index = unique(np.concatenate([old, made.reshape(-1, d)]))
            self.written = np.concatenate([self.written, index[len(old) :].reshape(len(operations), -1)], axis=1)
            known = len(old)
            if not operations.any():  # once
                break
        missing = len(self.values) - self.written.shape[1]
        self.written = np.pad(self.written, ((0, 0), (0, missing)), constant_values=-1)


def leaf_values(memory, symbols):
    """``[K, d]``, the values of leaves that hold ``symbols[K, b]``, K a power of two."""
    return np.array(memory.grow(tf.constant(symbols[None], tf.float32), [len(symbols)]))[0, len(symbols) :]


def _answers(model, leaves, states):
    """``answer[S, a]`` of the leaf states, and the margin of its bits; none where it is the symbol that is read."""
    if model.reads_symbols:
        return np.zeros((states, 0), np.int8), {}
    p = np.array(model.controller_step(tf.zeros([len(leaves), 0]), [], tf.constant(leaves))[0])
    if model.output_mlp is None:  # a leaf's own bits: nothing is added up
        near, epsilon = np.abs(p - 0.5), 0.0
    else:
        near, epsilon = np.abs(p - 0.5), worst_error(model.output_mlp, np.abs(leaves).max(axis=0)) / 4
    answer = np.zeros((states, p.shape[1]), np.int8)
    answer[: len(leaves)] = np.where(near < epsilon, EITHER, p > 0.5)
    return answer, dict(answer=float(near.min()), answer_epsilon=epsilon)
