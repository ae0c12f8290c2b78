"""How a batch of examples is sampled, by TensorFlow's stateless random numbers."""

import numpy as np
import tensorflow as tf


def _sample(task, n, batch_size, seed, pairs, leaves, answers, skip, kinds):
    """Sample a batch, as `Task.examples` says.

    Args:
        task, n, batch_size, leaves, answers, skip, kinds: as there.
        seed, pairs: as in `sampled`.

    Returns:
        ``(inputs, targets)``, as there.
    """
    symbols, m, seeds = sampled(task, n, batch_size, seed, pairs, kinds)
    queries = task.queries(symbols, m, tf.random.fold_in(seeds[0], 1))
    inputs, targets = {"symbols": symbols, "lengths": m}, _right_answers(task, symbols, m, queries)
    if leaves is not None:
        inputs["filled"] = filled = some_leaves(m, leaves, tf.random.fold_in(seeds[2], leaves))
        place = tf.where(filled, tf.cumsum(tf.cast(filled, tf.int32), axis=1) - 1, n - 1)
        inputs["symbols"] = tf.gather(symbols, place, batch_dims=1) * tf.cast(filled, tf.float32)[..., None]
    if answers is not None and answers < targets.shape[1]:
        first = 0
        if skip and not task.query_columns:
            first = uniform([], tf.random.fold_in(seeds[1], answers), 0, targets.shape[1] - answers + 1)
            inputs["skipped"] = tf.fill([batch_size], first)
        targets = tf.gather(targets, first + tf.range(answers), axis=1)
    return inputs | asked(queries[:, : targets.shape[1]]), targets


# Compiled: one operation for the whole batch costs a fraction of twenty small ones.
sample = tf.function(_sample, jit_compile=True, autograph=False)
sample_in_numpy = tf.function(_sample, autograph=False)


def asked(queries):
    """Queries as a model's inputs: none, where nothing is said, for there is one answer then."""
    return {"queries": queries} if queries.shape[2] or queries.shape[1] > 1 else {}


def _right_answers(task, symbols, lengths, queries):
    """`Task.targets`, whatever it is written in, and whether there are queries or not."""
    given = [symbols, lengths] + ([queries] if task.query_columns else [])
    if not task.in_numpy:
        return task.targets(*given)
    targets = tf.numpy_function(lambda *inputs: np.asarray(task.targets(*inputs), "float32"), given, tf.float32)
    shape = [symbols.shape[0], task.answer_length(symbols.shape[1]), task.answer_width]
    return tf.ensure_shape(targets, shape)


def sampled(task, n, batch_size, seed, pairs, *more):
    """Draw what a batch of examples says.

    Args:
        task, n, batch_size: as in `Task.examples`.
        seed: ``[2]``, of TensorFlow's stateless random numbers.
        pairs: ``[k, 2]``, as `Task.check_request` returns them.
        more: more arguments of `Task.compose`.

    Returns:
        ``symbols[batch, n, b]``, zeros past the first ``m[batch]``; m; and three seeds for what is still to draw.
    """
    seeds = tf.random.split(tf.random.fold_in(seed, n), 3, alg="philox")
    pair = tf.gather(pairs, uniform([batch_size], seeds[0], 0, tf.shape(pairs)[0]))
    m = uniform([batch_size], seeds[1], pair[:, 0], pair[:, 1] + 1)
    symbols, m = task.compose(n, m, seeds[2], *more)
    return symbols * tf.sequence_mask(m, n, tf.float32)[..., None], m, seeds


def some_leaves(m, leaves, seed):
    """Choose m of so many leaves for each input: the first m, or, in half of the batch, any m."""
    any_leaves = tf.range(m.shape[0])[:, None] % 2 == 1
    return tf.where(any_leaves, shuffled(m.shape[0], leaves, seed), tf.range(leaves)) < m[:, None]


def shuffled(batch, n, seed):
    """``[batch, n]``, the numbers 0 .. n - 1 in an order drawn for each row."""
    return tf.argsort(uniform([batch, n], seed, 0, 2**30))


def uniform(shape, seed, low, high):
    """Draw int32 numbers of a shape from a seed, uniform on [low, high); bounds that are tensors are broadcast."""
    # Philox by name: the bits must not depend on the device. (`fold_in` is left to choose, and chooses another way when
    # it is not compiled by XLA: `sample` always is.)
    if isinstance(low, int):
        return tf.random.stateless_uniform(shape, seed, low, high, tf.int32, alg="philox")
    return low + tf.random.stateless_uniform(shape, seed, 0, 2**31 - 1, tf.int32, alg="philox") % (high - low)


def window(batch, least, total, seed, narrow=False):
    """Choose neighbours among numbers: each octave of how many, from the least on, is as probable as any other.

    A window may begin before the first number or end after the last, and is then moved in. Otherwise the outermost
    numbers would hardly ever be among few: they are in a single window of each width.

    Args:
        batch: of how many inputs.
        least: how many neighbours at least.
        total: how many numbers there are.
        seed: of TensorFlow's stateless random numbers.
        narrow: whether those of the narrower half of the octaves have the least width.

    Returns:
        ``[batch, total]``, bools: a row of neighbours for each input.
    """
    most = np.log2(total / least)
    octaves = tf.random.stateless_uniform([batch, 1], seed, 0, most, alg="philox")
    if narrow:
        octaves = tf.where(octaves > most / 2, octaves, 0.0)
    width = tf.cast(least * 2**octaves, tf.int32)
    place, seed = tf.range(total), tf.random.fold_in(seed, 1)
    first = uniform([batch], seed, 1 - width[:, 0], tf.fill([batch], total))[:, None]
    first = tf.clip_by_value(first, 0, total - width)
    return (place >= first) & (place < first + width)


def numbers(symbols, width):
    """The numbers in the first so many bits of ``symbols[m, b]``, as a list."""
    return (symbols[:, :width] @ 2 ** np.arange(width - 1, -1, -1)).tolist()
