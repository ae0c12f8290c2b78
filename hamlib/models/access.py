"""One hard access, Θ(log n), over a store of nodes; the stores; and the loop of accesses.

Whatever goes along a path goes through `hard_access`: a call, an answer, a trace, a live structure, and REINFORCE.
A store is where the nodes lie. It has two methods:

* ``look(index[batch, r])`` returns ``[batch, r, d]``, the nodes in these rows of the heap;
* ``update(path[batch, log2 n + 1], values[batch, log2 n + 1, d])`` returns the store with new values along a path.
"""

from typing import Any, NamedTuple

import tensorflow as tf
from keras import ops

from hamlib.memory import put_rows, rows, siblings


class Nodes(NamedTuple):
    """The store of a batch: an array. In a compiled loop it is changed in place."""

    nodes: Any  # [batch, 2n, d]

    def look(self, index):
        """``[batch, r, d]``, the nodes in the rows ``index[batch, r]``."""
        return rows(self.nodes, index)

    def update(self, path, values):
        """The store with new ``values`` along a ``path``."""
        return Nodes(put_rows(self.nodes, path, values))


class Held(NamedTuple):
    """The store of a live structure: a variable, read row by row and changed in place."""

    variable: Any  # [2n, d]

    def look(self, index):
        """``[batch, r, d]``, the nodes in the rows ``index[batch, r]``."""
        return tf.gather(self.variable, index)

    def update(self, path, values):
        """The store with new ``values`` along a ``path``."""
        self.variable.scatter_update(tf.IndexedSlices(values[0], path[0]))
        return self


class Journal(NamedTuple):
    """The store of REINFORCE: nothing is overwritten, so that the way back finds what each access saw.

    The values at the start come first, then those that each access has written along its path.
    """

    values: Any  # [batch, start + K * (log2 n + 1), d]
    place: Any  # [batch, 2n, 1], ints: the row of `values` that holds a node now
    written: Any  # an int: how many rows are in use
    seen: Any  # [batch, 2 * log2 n + 1], ints: the rows of `values` that the last access saw, `around` its path

    @classmethod
    def begin(cls, values, place, accesses):
        """Return a journal with room for so many accesses, over values ``[batch, r, d]`` that lie at ``place``."""
        batch, start, width = values.shape
        height = place.shape[1].bit_length() - 1
        room = ops.zeros((batch, accesses * height, width), "float32")
        seen = ops.zeros((batch, 2 * height - 1), "int32")
        return cls(ops.concatenate([values, room], axis=1), place, ops.convert_to_tensor(start), seen)

    def look(self, index):
        """``[batch, r, d]``, the nodes in the rows ``index[batch, r]``."""
        return rows(self.values, rows(self.place, index)[..., 0])

    def update(self, path, values):
        """The store with new ``values`` along a ``path``."""
        batch, height = path.shape
        new = ops.broadcast_to((self.written + ops.arange(height, dtype="int32"))[None, :, None], (batch, height, 1))
        return Journal(
            ops.slice_update(self.values, (0, self.written, 0), values),
            put_rows(self.place, path, new),
            self.written + height,
            rows(self.place, around(path))[..., 0],
        )


def around(path):
    """``[batch, 2 * log2 n + 1]``, all rows that an access touches: its path, and the siblings along it."""
    return ops.concatenate([path, siblings(path)], axis=1)


class Access(NamedTuple):
    """What an access made."""

    values: Any  # [batch, log2 n + 1, d], the new nodes along the path; the old ones in a memory without WRITE
    controller: Any  # the controller's new states
    answer: Any  # [batch, b], the probability that each bit is 1


def access_along(model, path, nodes, query, controller, symbols, noise=None, levels=None):
    """Read the end of a path, let the controller step, write, and JOIN along the path: the access but for `attend`.

    Args:
        model: a `RawHAM` or a `HAM`.
        path: ``[batch, log2 n + 1]``.
        nodes: ``[batch, 2 * log2 n + 1, d]``, the nodes `around` it; no other matters.
        query: ``[batch, k]``, what is asked from outside.
        controller: the controller's states.
        symbols: ``[batch, n, b]``, the input.
        noise: ``[batch, log2 n, units]``, added in each JOIN before its activation; None for none.
        levels: log2 n, a tensor, where it is less than the path has room for; None where the path is full.

    Returns:
        an `Access`.
    """
    memory, height = model.memory, path.shape[1]
    on_path, beside = nodes[:, :height], nodes[:, height:]
    depth = height - 1 if levels is None else levels
    leaf = ops.take(on_path, depth, axis=1)[:, None]
    place = ops.take(path, depth, axis=1)[:, None] - ops.left_shift(1, depth)
    read = rows(symbols, place) if model.reads_symbols else leaf
    answer, controller, state = model.controller_step(query, controller, read[:, 0])
    if memory.writable:
        on_path = memory.update_path(path, beside, memory.written(leaf, state), noise, levels)
    return Access(on_path, controller, answer)


def hard_access(model, store, query, controller, number, symbols, thresholds=0.5, noise=None, levels=None):
    """One access along one path (Sec. 3.2): log2 n nodes on the way down, log2 n on the way up.

    Args:
        model, query, controller, symbols, noise, levels: as in `access_along`.
        store: where the nodes lie.
        number: which of the η accesses of an output symbol it is, from 0.
        thresholds: ``[batch, log2 n]``, or one number: where SEARCH is above it, the path goes right.

    Returns:
        the store after it, ``path[batch, log2 n + 1]`` and an `Access`.
    """
    asked, most = model.make_query(query, controller, number), symbols.shape[1].bit_length() - 1
    thresholds = ops.broadcast_to(thresholds, (ops.shape(asked)[0], most))
    path = model.memory.descend(store.look, asked, thresholds, levels)
    made = access_along(model, path, store.look(around(path)), query, controller, symbols, noise, levels)
    return (store.update(path, made.values) if model.memory.writable else store), path, made


def repeat(step, state, count, most=None, kept=()):
    """Apply ``step(k, state) -> (state, values)`` for k = 0, 1, ... ``count`` - 1, in one loop.

    Args:
        step: a function; its values are one tensor for each of ``kept``.
        state: a nest of tensors.
        count: how often, a tensor or an int.
        most: what ``count`` cannot exceed, a tensor or an int; None where no values are kept and there is no limit.
        kept: the ``(dtype, shape)`` of each value.

    Returns:
        the last state, and each value ``[most, ...]``, zeros from ``count`` on.
    """
    arrays = tuple(tf.TensorArray(dtype, most, element_shape=shape) for dtype, shape in kept)

    def body(k, state, arrays):
        state, values = step(k, state)
        return k + 1, state, tuple(array.write(k, value) for array, value in zip(arrays, values, strict=True))

    start = tf.constant(0), state, arrays
    _, state, arrays = tf.while_loop(
        lambda k, *_: k < count, body, start, maximum_iterations=most, parallel_iterations=1
    )
    return state, [array.stack() for array in arrays]
