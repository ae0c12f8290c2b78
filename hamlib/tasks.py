"""The problems as data: examples drawn without state, and a judge of the answers.

A task is data and a judge, nothing else. `Task.examples` is a pure function of its arguments, so a
run that was stopped at any step goes on with exactly the batch that would have come next.
"""

import numpy as np
import tensorflow as tf
from keras import ops

from hamlib.memory import check_power_of_two

PURPOSES = ("train", "validation", "test")
MAX_SEED = 2**31


def stream_seed(seed, purpose):
    """Return the seed of the examples a run sees for one purpose; no two purposes share a batch.

    Args:
        seed: the run's seed, an int in [0, 2^31).
        purpose: ``"train"``, ``"validation"`` or ``"test"``.

    Raises:
        ValueError: a seed out of its range, or an unknown purpose.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < MAX_SEED:
        raise ValueError(f"seed: got {seed!r}; expected an integer in [0, 2^31)")
    if purpose not in PURPOSES:
        raise ValueError(f"purpose: unknown {purpose!r}; known: {', '.join(PURPOSES)}")
    return len(PURPOSES) * int(seed) + PURPOSES.index(purpose)


class Task:
    """A problem over binary symbols: a subclass says what the right answer is.

    Attributes:
        name: what the task is called on the command line.
        symbol_width: b, bits of an input symbol.
        columns: the parts of a symbol and their widths in bits, for people and pictures.
        writes: whether a memory for it needs WRITE: with a single access there is nothing to write.
    """

    name: str
    columns: dict
    writes: bool

    @property
    def symbol_width(self):
        return sum(self.columns.values())

    def examples(self, n, batch_size, seed, step, lengths=None):
        """Draw a batch: fresh random symbols and the right answers.

        Args:
            n: leaves of the tree, a power of two; inputs are padded with zeros to n symbols.
            batch_size: sequences in the batch.
            seed, step: which batch; the same two always give the same one.
            lengths: how long the inputs are: None, all of length n; a pair (low, high), uniform on
                [low, high]; or a sequence of pairs, each input first draws its pair.

        Returns:
            ``(inputs, targets)``: inputs a dict of ``symbols[batch, n, b]`` float32 0/1 and
            ``lengths[batch]`` int32; targets ``[batch, T, b]`` float32 0/1.

        Raises:
            ValueError: n is no power of two, the batch is empty, or lengths outside [1, n].
        """
        pairs = self.check_request(n, batch_size, lengths)
        return self._draw(
            int(n), int(batch_size), tf.cast(tf.stack([seed, step]), tf.int64), tf.constant(pairs, tf.int32)
        )

    def check_request(self, n, batch_size, lengths=None):
        """Return ``lengths`` as pairs ``[k, 2]``, or say which argument of `examples` is wrong.

        Args:
            n, batch_size, lengths: as in `examples`.

        Raises:
            ValueError: as in `examples`.
        """
        n = check_power_of_two(n)
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"batch_size: got {batch_size!r}; expected a positive integer")
        pairs = np.atleast_2d((n, n) if lengths is None else lengths)
        if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
            raise ValueError(f"lengths: got {lengths!r}; expected (low, high) or a sequence of such pairs, integers")
        if (pairs[:, 0] < 1).any() or (pairs[:, 1] > n).any() or (pairs[:, 0] > pairs[:, 1]).any():
            raise ValueError(f"lengths: got {lengths!r}; expected 1 <= low <= high <= n = {n}")
        return pairs

    # Compiled: one operation for the whole batch costs a fraction of twenty small ones.
    @tf.function(jit_compile=True, reduce_retracing=False)
    def _draw(self, n, batch_size, seed, pairs):
        seeds = tf.random.split(tf.random.fold_in(seed, n), 3, alg="philox")
        pair = tf.gather(pairs, _uniform([batch_size], seeds[0], 0, tf.shape(pairs)[0]))
        m = _uniform([batch_size], seeds[1], pair[:, 0], pair[:, 1] + 1)
        bits = tf.cast(_uniform([batch_size, n, self.symbol_width], seeds[2], 0, 2), tf.float32)
        symbols = bits * tf.sequence_mask(m, n, tf.float32)[..., None]
        return {"symbols": symbols, "lengths": m}, self.targets(symbols, m)

    def targets(self, symbols, lengths):
        """Return the right answers ``[batch, T, b]`` for ``symbols[batch, n, b]``, ``lengths[batch]``."""
        raise NotImplementedError

    def wrong(self, targets, outputs):
        """Say which sequences are answered wrongly: any bit, rounded, differs (Sec. 4.1).

        Args:
            targets: ``[batch, T, b]`` of 0/1.
            outputs: ``[batch, T, b]``, the probability that each bit is 1.

        Returns:
            ``[batch]`` of bools.
        """
        return ops.any(ops.round(outputs) != targets, axis=(1, 2))

    def check_inputs(self, symbols, lengths=None):
        """Return ``symbols`` and ``lengths`` as float32 and int32 arrays, or say what is wrong with them.

        Args:
            symbols: ``[batch, m, b]`` of 0/1, any m >= 1.
            lengths: ``[batch]`` ints in [1, m]; None where every input is m long.

        Raises:
            ValueError: a wrong rank, width, type or value; the message names the first bad one.
        """
        symbols = np.asarray(symbols)
        if symbols.dtype.kind not in "biuf":
            raise ValueError(f"symbols: got dtype {symbols.dtype}; expected numbers 0 and 1")
        if symbols.ndim != 3 or 0 in symbols.shape or symbols.shape[2] != self.symbol_width:
            raise ValueError(
                f"symbols: got shape {symbols.shape}; expected [batch, m, b={self.symbol_width}] with batch, m >= 1"
            )
        bad = ~np.isin(symbols, (0, 1))
        if bad.any():
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ValueError(f"symbols: got {symbols[where]} at {list(where)}; expected only 0 and 1")
        batch, m, _ = symbols.shape
        lengths = np.full(batch, m) if lengths is None else np.asarray(lengths)
        if lengths.shape != (batch,) or lengths.dtype.kind not in "iu":
            raise ValueError(
                f"lengths: got shape {lengths.shape}, dtype {lengths.dtype}; expected [batch={batch}] integers"
            )
        if lengths.min() < 1 or lengths.max() > m:
            raise ValueError(f"lengths: got {lengths.min()} to {lengths.max()}; expected 1 to m = {m}")
        return symbols.astype("float32"), lengths.astype("int32")


def _uniform(shape, seed, low, high):
    # Philox by name: the bits must not depend on the device or on compilation.
    if isinstance(low, int):
        return tf.random.stateless_uniform(shape, seed, low, high, tf.int32, alg="philox")
    return low + tf.random.stateless_uniform(shape, seed, 0, 2**31 - 1, tf.int32, alg="philox") % (high - low)


class Smallest(Task):
    """*Select the smallest*, the task of the 2016 code: return the pair with the smallest key.

    A symbol is a key and a value, 5 bits each, the highest first; of equal keys the first counts::

        01100‖10011  00101‖00110  00101‖11111  10000‖01010   ->   00101‖00110
          12           5  (first)   5            16
    """

    name = "smallest"
    columns = {"key": 5, "value": 5}
    writes = False

    def targets(self, symbols, lengths):
        n = symbols.shape[1]
        key = tf.cast(tf.tensordot(symbols[..., :5], [16.0, 8.0, 4.0, 2.0, 1.0], 1), tf.int32)
        key = tf.where(tf.sequence_mask(lengths, n), key, 32)
        first = tf.argmin(key * n + tf.range(n), axis=1)  # the position breaks ties
        return tf.gather(symbols, first, batch_dims=1)[:, None]


TASKS = {task.name: task for task in (Smallest(),)}


def get_task(name):
    """Return the task called ``name``.

    Raises:
        ValueError: no task has that name; the message lists those that exist.
    """
    if name not in TASKS:
        raise ValueError(f"task: unknown {name!r}; known: {', '.join(TASKS)}")
    return TASKS[name]
