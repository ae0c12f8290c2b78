"""Rows of nodes, for each input of a batch its own: read, put, added; and what is read at the leaves."""

import keras
import tensorflow as tf
from keras import ops


def read_leaves(values, where):
    """Read values that lie one at each leaf: the one at the attended leaf, or their mean under p.

    Args:
        values: ``[batch, n, k]``, for instance the leaves, or the input symbols.
        where: ``p[batch, n]`` or ``path[batch, log2 n + 1]``, what `TreeMemory.attend` returned.

    Returns:
        ``[batch, k]``.
    """
    if is_path(where):
        return rows(values, where[:, -1:] - values.shape[1])[:, 0]
    return ops.einsum("bn,bnk->bk", where, values)


def is_path(where):
    """Whether attention is a hard path (integers) rather than soft probabilities (floats)."""
    return "int" in keras.backend.standardize_dtype(where.dtype)


def siblings(path):
    """``[batch, log2 n]``, the other child at each decision of ``path[batch, log2 n + 1]``."""
    return ops.bitwise_xor(path[:, 1:], 1)


def rows(values, index):
    """``values[batch, k, d]`` at ``index[batch, r]``: ``[batch, r, d]``."""
    return ops.take(_flat(values), _flat_index(values, index), axis=0)


def put_rows(values, index, new):
    """``values[batch, k, d]`` with ``new[batch, r, d]`` at ``index[batch, r]``."""
    return _scatter(tf.tensor_scatter_nd_update, values, index, new)


def add_rows(values, index, more):
    """``values[batch, k, d]`` with ``more[batch, r, d]`` added at ``index[batch, r]``, which may name a row twice."""
    return _scatter(tf.tensor_scatter_nd_add, values, index, more)


def _scatter(how, values, index, rows):
    flat = how(_flat(values), ops.reshape(_flat_index(values, index), (-1, 1)), _flat(rows))
    return ops.reshape(flat, ops.shape(values))


def _flat(values):
    """All rows of all batch entries, one under the other: ``[batch * k, d]``."""
    return ops.reshape(values, (-1, values.shape[2]))


def _flat_index(values, index):
    """Where the rows ``index[batch, r]`` of ``values[batch, k, d]`` stand in `_flat`."""
    return ops.arange(ops.shape(index)[0], dtype="int32")[:, None] * values.shape[1] + index
