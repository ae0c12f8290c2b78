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
        columns: the parts of an input symbol and their widths in bits, for people and pictures.
        answer_columns: the same of an output symbol.
        symbol_width, answer_width: b, the bits of an input symbol and of an output symbol.
        writes: whether a memory for it needs WRITE: with a single access there is nothing to write.
        shortest: the shortest input that makes sense, in symbols.
    """

    name: str
    columns: dict
    answer_columns: dict
    writes = True
    shortest = 1

    @property
    def symbol_width(self):
        return sum(self.columns.values())

    @property
    def answer_width(self):
        return sum(self.answer_columns.values())

    def answer_length(self, m):
        """T, how many output symbols the longest answer to inputs of at most m symbols has."""
        return m

    def examples(self, n, batch_size, seed, step, lengths=None, leaves=None, answers=None, skip=True, alike=False):
        """Draw a batch: fresh random symbols and the right answers.

        Args:
            n: the longest input, a power of two; shorter ones are padded with zeros.
            batch_size: sequences in the batch.
            seed, step: which batch; the same two always give the same one.
            lengths: how long the inputs are: None, all of length n; a pair (low, high), uniform on
                [low, high]; or a sequence of pairs, each input first draws its pair.
            leaves: None, the tree has n leaves and the first m hold the input. Else the number of its
                leaves, a power of two: half of the inputs stand at the front, the others at random
                leaves, in order, so that a short input meets a deep tree.
            answers: None for the whole answer. Else how many output symbols are asked.
            skip: whether they are from anywhere in the answer: a number, the same for the batch, is skipped before.
                Otherwise they are the first.
            alike: whether, in half of the batch, the keys of an input agree in their first bits, none to all
                of them: near and equal keys are rare in short inputs and the rule in long ones.

        Returns:
            ``(inputs, targets)``: inputs a dict of ``symbols[batch, leaves, b]`` float32 0/1;
            ``lengths[batch]`` int32; where ``leaves`` is given, ``filled[batch, leaves]``, bools, the
            leaves that hold the input; where symbols are skipped, ``skipped[batch]`` int32; and unless
            T = 1, ``queries[batch, T, 0]``, which says only how many output symbols are wanted. Targets
            ``[batch, T, b]`` float32: 0/1, and -1 past the end of an answer, where nothing is judged.

        Raises:
            ValueError: n or leaves no power of two, fewer leaves than n, the batch is empty, or lengths
                outside [shortest, n].
        """
        pairs = self.check_request(n, batch_size, lengths)
        if leaves is not None and check_power_of_two(leaves, "leaves") < n:
            raise ValueError(f"leaves: got {leaves}; expected at least n = {n}")
        seed = tf.cast(tf.stack([seed, step]), tf.int64)
        pairs = tf.constant(pairs, tf.int32)
        inputs, targets = _draw(self, int(n), int(batch_size), seed, pairs, leaves, answers, skip, alike)
        return inputs | self._queries(targets.shape[1], batch_size), targets

    @staticmethod
    def _queries(answers, batch_size):
        return {"queries": tf.zeros([batch_size, answers, 0])} if answers > 1 else {}

    def inputs(self, symbols, lengths):
        """Pad checked ``symbols[batch, m, b]`` to the next power of two: the inputs of a model.

        Args:
            symbols, lengths: as `check_inputs` returns them.
        """
        batch, m, _ = symbols.shape
        n = 1 << (m - 1).bit_length()
        padded = np.pad(symbols, ((0, 0), (0, n - m), (0, 0)))
        return {"symbols": padded, "lengths": lengths} | self._queries(self.answer_length(m), batch)

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
        if (pairs[:, 0] < self.shortest).any() or (pairs[:, 1] > n).any() or (pairs[:, 0] > pairs[:, 1]).any():
            raise ValueError(f"lengths: got {lengths!r}; expected {self.shortest} <= low <= high <= n = {n}")
        return pairs

    def compose(self, n, lengths, seed, alike):
        """Draw input symbols; here of fair random bits.

        Args:
            n: how many for each input.
            lengths: ``[batch]``, m.
            seed: of TensorFlow's stateless random numbers.
            alike: as in `examples`.

        Returns:
            ``symbols[batch, n, b]``, whatever past the first m of each, and ``lengths[batch]``.
        """
        batch = lengths.shape[0]
        bits = tf.cast(_uniform([batch, n, self.symbol_width], seed, 0, 2), tf.float32)
        if alike:
            key = next(iter(self.columns.values()))
            agree = tf.where(tf.range(batch) % 4 < 2, _uniform([batch], tf.random.fold_in(seed, 1), 0, key + 1), 0)
            bits = tf.where(tf.range(self.symbol_width) < agree[:, None, None], bits[:, :1], bits)
        return bits, lengths

    def targets(self, symbols, lengths):
        """Return the right answers ``[batch, T, b]`` for ``symbols[batch, n, b]``, ``lengths[batch]``.

        They are 0/1, and -1 past the end of an answer.
        """
        raise NotImplementedError

    def wrong(self, targets, outputs):
        """Say which sequences are answered wrongly: any bit, rounded, differs (Sec. 4.1).

        Args:
            targets: ``[batch, T, b]`` of 0/1, and of -1 where nothing is judged.
            outputs: ``[batch, T, b]``, the probability that each bit is 1.

        Returns:
            ``[batch]`` of bools.
        """
        return ops.any((ops.round(outputs) != targets) & (targets >= 0), axis=(1, 2))

    def check_inputs(self, symbols, lengths=None):
        """Return ``symbols`` and ``lengths`` as float32 and int32 arrays, or say what is wrong with them.

        Args:
            symbols: ``[batch, m, b]`` of 0/1, any m >= 1.
            lengths: ``[batch]`` ints in [shortest, m]; None where every input is m long.

        Raises:
            ValueError: a wrong rank, width, type or value, or a `problem`; the message names the first bad one.
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
        if lengths.min() < self.shortest or lengths.max() > m:
            raise ValueError(f"lengths: got {lengths.min()} to {lengths.max()}; expected {self.shortest} to m = {m}")
        for row, length in enumerate(lengths):
            if problem := self.problem(symbols[row, :length].astype(int)):
                raise ValueError(f"symbols: input {row} {problem}")
        return symbols.astype("float32"), lengths.astype("int32")

    def problem(self, symbols):
        """Say what makes ``symbols[m, b]``, ints 0/1, no input of this task; None where nothing does."""


# Compiled: one operation for the whole batch costs a fraction of twenty small ones.
@tf.function(jit_compile=True, autograph=False)
def _draw(task, n, batch_size, seed, pairs, leaves, answers, skip, alike):
    seeds = tf.random.split(tf.random.fold_in(seed, n), 3, alg="philox")
    pair = tf.gather(pairs, _uniform([batch_size], seeds[0], 0, tf.shape(pairs)[0]))
    m = _uniform([batch_size], seeds[1], pair[:, 0], pair[:, 1] + 1)
    symbols, m = task.compose(n, m, seeds[2], alike)
    symbols = symbols * tf.sequence_mask(m, n, tf.float32)[..., None]
    inputs, targets = {"symbols": symbols, "lengths": m}, task.targets(symbols, m)
    if leaves is not None:
        inputs["filled"] = filled = _some_leaves(m, leaves, tf.random.fold_in(seeds[2], leaves))
        place = tf.where(filled, tf.cumsum(tf.cast(filled, tf.int32), axis=1) - 1, n - 1)
        inputs["symbols"] = tf.gather(symbols, place, batch_dims=1) * tf.cast(filled, tf.float32)[..., None]
    if answers is not None and answers < targets.shape[1]:
        first = 0
        if skip:
            first = _uniform([], tf.random.fold_in(seeds[1], answers), 0, targets.shape[1] - answers + 1)
            inputs["skipped"] = tf.fill([batch_size], first)
        targets = tf.gather(targets, first + tf.range(answers), axis=1)
    return inputs, targets


def _some_leaves(m, leaves, seed):
    """Choose m of so many leaves for each input: the first m, or, in half of the batch, any m."""
    shuffled = tf.argsort(_uniform([m.shape[0], leaves], seed, 0, 2**30))
    front = tf.broadcast_to(tf.range(leaves), shuffled.shape)
    any_leaves = tf.range(m.shape[0])[:, None] % 2 == 1
    return tf.where(any_leaves, shuffled, front) < m[:, None]


def _uniform(shape, seed, low, high):
    # Philox by name: the bits must not depend on the device or on compilation.
    if isinstance(low, int):
        return tf.random.stateless_uniform(shape, seed, low, high, tf.int32, alg="philox")
    return low + tf.random.stateless_uniform(shape, seed, 0, 2**31 - 1, tf.int32, alg="philox") % (high - low)


def _keys(symbols, lengths, width=5):
    """Rank the pairs of ``symbols[batch, n, b]`` by key, then by position; what is past m comes last."""
    n = symbols.shape[1]
    key = tf.cast(tf.tensordot(symbols[..., :width], 2.0 ** np.arange(width - 1, -1, -1, "float32"), 1), tf.int32)
    key = tf.where(tf.sequence_mask(lengths, n), key, 2**width)
    return key * n + tf.range(n)  # the position breaks ties


def _numbers(symbols, width):
    """The numbers in the first so many bits of ``symbols[m, b]``, as a list."""
    return (symbols[:, :width] @ 2 ** np.arange(width - 1, -1, -1)).tolist()


def _judged(answers, lengths):
    """``answers[batch, T, b]`` with -1 past the first ``lengths[batch]`` symbols."""
    return tf.where(tf.sequence_mask(lengths, answers.shape[1])[..., None], answers, -1.0)


class Smallest(Task):
    """*Select the smallest*, the task of the 2016 code: return the pair with the smallest key.

    A symbol is a key and a value, 5 bits each, the highest first; of equal keys the first counts::

        01100‖10011  00101‖00110  00101‖11111  10000‖01010   ->   00101‖00110
          12           5  (first)   5            16
    """

    name = "smallest"
    columns = answer_columns = {"key": 5, "value": 5}
    writes = False

    def answer_length(self, m):
        return 1

    def targets(self, symbols, lengths):
        first = tf.argmin(_keys(symbols, lengths), axis=1)
        return tf.gather(symbols, first, batch_dims=1)[:, None]


class Reverse(Task):
    """*Reverse* (Sec. 4.2): return the symbols, ten bits each, last first.

    ::

        1100110011  0010100110  1000001010   ->   1000001010  0010100110  1100110011
    """

    name = "reverse"
    columns = answer_columns = {"symbol": 10}

    def targets(self, symbols, lengths):
        last_first = tf.maximum(lengths[:, None] - 1 - tf.range(symbols.shape[1]), 0)
        return _judged(tf.gather(symbols, last_first, batch_dims=1), lengths)


class Search(Task):
    """*Search* (Sec. 4.2): pairs sorted by key, then a key q; return the value of the first pair of that key.

    A symbol is a key and a value, 5 bits each. The last symbol is q with an empty value, and at least one
    pair has that key; the paper does not say how often q is missing, and without a pair there is no answer::

        00101‖00110  01100‖10011  01100‖11111  10000‖01010  01100‖00000   ->   10011
          5           12  (first)  12           16           q = 12
    """

    name = "search"
    columns = {"key": 5, "value": 5}
    answer_columns = {"value": 5}
    shortest = 2

    def answer_length(self, m):
        return 1

    def compose(self, n, lengths, seed, alike):
        bits, _ = super().compose(n, lengths, seed, alike)
        pairs = tf.gather(bits, tf.argsort(_keys(bits, lengths - 1)), batch_dims=1)
        last = tf.gather(bits, lengths - 1, batch_dims=1)  # its bits say which pair is asked for
        asked = tf.cast(tf.tensordot(last, 2.0 ** np.arange(10, dtype="float32"), 1), tf.int32) % (lengths - 1)
        query = tf.gather(pairs, asked, batch_dims=1) * tf.constant([1.0] * 5 + [0.0] * 5)
        is_query = tf.range(n)[None] == lengths[:, None] - 1
        return tf.where(is_query[..., None], query[:, None], pairs), lengths

    def problem(self, symbols):
        *keys, query = _numbers(symbols, 5)
        if (np.diff(keys) < 0).any():
            return f"has the keys {keys}; expected sorted ones"
        if query not in keys:
            return f"asks for the key {query}, which is none of {keys}"
        if symbols[-1, 5:].any():
            return f"ends with {symbols[-1].tolist()}; expected a key and an empty value"

    def targets(self, symbols, lengths):
        query = tf.gather(symbols, lengths - 1, batch_dims=1)[:, None, :5]
        found = tf.reduce_all(symbols[..., :5] == query, axis=-1)  # the query itself is the last
        first = tf.argmax(found, axis=1, output_type=tf.int32)
        return tf.gather(symbols, first, batch_dims=1)[:, None, 5:]


class Merge(Task):
    """*Merge* (Sec. 4.2): two sequences of pairs, each sorted by priority; return all values, by priority.

    A symbol is a priority and a value. The paper's priorities are distinct numbers of {1/300, ..., 300/300}; here each
    is the nearest k/1023, a number of ten bits, so that all symbols of this book are bits; the value has 5. The two
    sequences stand one after the other, without a mark: the second begins where the priority falls, and where it
    does not fall there is nothing to merge. An input of more than 300 symbols, so in trees of more than 256 leaves,
    needs more priorities: there they are any of the 1,024 numbers of ten bits::

        0010110011‖10011  1100000000‖00110   0101010110‖11111   ->   10011  11111  00110
          179 (0.175)       768 (0.75)         342 (0.334)
    """

    name = "merge"
    columns = {"priority": 10, "value": 5}
    answer_columns = {"value": 5}
    shortest = 2

    def compose(self, n, lengths, seed, alike):
        batch = lengths.shape[0]
        values = tf.cast(_uniform([batch, n, 5], seed, 0, 2), tf.float32)
        seeds = tf.random.split(seed, 3, alg="philox")
        known = tf.range(1024) if n > 256 else tf.constant(np.round(np.arange(1, 301) * 1023 / 300), tf.int32)
        order = _uniform([batch, known.shape[0]], seeds[0], 0, 2**20)
        if alike:  # from a window of the priorities, for half of the batch
            width = _uniform([batch, 1], seeds[1], n, known.shape[0] + 1)
            start = tf.random.fold_in(seeds[1], 1)
            start = _uniform([batch], start, tf.zeros([batch], tf.int32), known.shape[0] - width[:, 0] + 1)[:, None]
            place = tf.range(known.shape[0])
            inside = (place >= start) & (place < start + width) | (tf.range(batch)[:, None] % 4 >= 2)
            order = tf.where(inside, order, 2**20)
        drawn = tf.gather(known, tf.argsort(order)[:, :n])
        first = _uniform([batch], seeds[2], tf.ones([batch], tf.int32), lengths)[:, None]
        place = tf.range(n)
        sequence = tf.where(place < first, 0, tf.where(place < lengths[:, None], 1, 2))
        priorities = tf.gather(drawn, tf.argsort(sequence * 1024 + drawn), batch_dims=1)
        bits = tf.bitwise.right_shift(priorities[..., None], tf.range(9, -1, -1)) % 2
        return tf.concat([tf.cast(bits, tf.float32), values], axis=-1), lengths

    def problem(self, symbols):
        priorities = _numbers(symbols, 10)
        if len(set(priorities)) < len(priorities) or (np.diff(priorities) < 0).sum() > 1:
            return f"has the priorities {priorities}; expected two sequences, each sorted, without equals"

    def targets(self, symbols, lengths):
        by_priority = tf.argsort(_keys(symbols, lengths, 10))
        return _judged(tf.gather(symbols[..., 10:], by_priority, batch_dims=1), lengths)


class Sort(Task):
    """*Sort* (Sec. 4.2): return the pairs by key; pairs of equal key stay in their order.

    A symbol is a key and a value, 5 bits each, the highest first::

        01100‖10011  00101‖00110  00101‖11111   ->   00101‖00110  00101‖11111  01100‖10011
          12           5            5                  5  (first)   5            12
    """

    name = "sort"
    columns = answer_columns = {"key": 5, "value": 5}

    def targets(self, symbols, lengths):
        by_key = tf.argsort(_keys(symbols, lengths))
        return _judged(tf.gather(symbols, by_key, batch_dims=1), lengths)


class Add(Task):
    """*Add* (Sec. 4.2): two binary numbers of k digits one after the other; return their sum, then stop.

    Digits stand lowest first, one symbol a leaf: m = 2k + 2 symbols (an odd m loses one). An input symbol is one
    of four, one-hot: 0, 1, +, =. An output symbol is a bit and a flag: the flag is 1 in the End-Of-Output symbol
    that follows the k + 1 digits of the sum, and its bit is 0::

        1 1 0 + 1 0 1 =   ->   0 0 0 1 end            (3 + 5 = 8, k = 3)
    """

    name = "add"
    columns = {"zero": 1, "one": 1, "plus": 1, "equals": 1}
    answer_columns = {"bit": 1, "end": 1}
    shortest = 4

    def answer_length(self, m):
        return m // 2 + 1

    def compose(self, n, lengths, seed, alike):
        bits, _ = super().compose(n, lengths, seed, alike)
        k = lengths[:, None] // 2 - 1
        position = tf.range(n)[None]
        kind = tf.where(position == k, 2, tf.where(position == 2 * k + 1, 3, tf.cast(bits[..., 0], tf.int32)))
        return tf.one_hot(kind, 4), 2 * k[:, 0] + 2

    def decoys(self, symbols, seed):
        """Return ``symbols[batch, n, 4]`` with other digits, for a tree that shall know where digits stand, not which.

        A tree can learn to add two digits by itself and to send an access to any leaf that holds the answer. All goes
        well for a symbol or two; but the digits that were added are never visited, so never crossed out.

        Args:
            symbols: as `examples` returns them.
            seed: of TensorFlow's stateless random numbers.
        """
        digit = symbols[..., 0] + symbols[..., 1]
        other = tf.cast(_uniform(digit.shape, seed, 0, 2), tf.float32)
        return tf.stack([digit * (1 - other), digit * other, symbols[..., 2], symbols[..., 3]], axis=-1)

    def problem(self, symbols):
        text, k = "".join("01+="[np.argmax(symbol)] for symbol in symbols), len(symbols) // 2 - 1
        if (symbols.sum(axis=1) != 1).any():
            return f"has the symbols {symbols.tolist()}; expected one bit of each to be 1"
        if len(symbols) % 2 or set(text[:k] + text[k + 1 : -1]) - {"0", "1"} or text[k] + text[-1] != "+=":
            return f"is {text!r}; expected two binary numbers of the same length, as in '110+101='"

    def targets(self, symbols, lengths):
        k, digits = lengths // 2 - 1, symbols[..., 1]
        position = tf.range(self.answer_length(symbols.shape[1]))[None]
        inside = position < k[:, None]
        a = tf.where(inside, digits[:, : position.shape[1]], 0)
        second = tf.minimum(position + k[:, None] + 1, symbols.shape[1] - 1)
        b = tf.where(inside, tf.gather(digits, second, batch_dims=1), 0)

        def add_column(before, column):  # the carry ripples from the lowest digit
            return column + tf.floor(before / 2)

        columns = tf.transpose(tf.scan(add_column, tf.transpose(a + b), tf.zeros_like(a[:, 0])))
        end = tf.cast(position == k[:, None] + 1, tf.float32)
        return _judged(tf.stack([columns % 2, end], axis=-1), k + 2)


TASKS = {task.name: task for task in (Smallest(), Reverse(), Search(), Merge(), Sort(), Add())}


def get_task(name):
    """Return the task called ``name``.

    Raises:
        ValueError: no task has that name; the message lists those that exist.
    """
    if name not in TASKS:
        raise ValueError(f"task: unknown {name!r}; known: {', '.join(TASKS)}")
    return TASKS[name]
