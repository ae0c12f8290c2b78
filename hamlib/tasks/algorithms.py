"""The paper's five algorithms (Sec. 4.2), and the task of the 2016 code."""

import numpy as np
import tensorflow as tf

from hamlib.tasks import odd
from hamlib.tasks.base import Task
from hamlib.tasks.sampling import numbers, uniform, window


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

    def odd_kinds(self, n, rng):
        return odd.of_numbers(n, rng, 5, 5)

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

    def odd_kinds(self, n, rng):
        return odd.of_numbers(n, rng, 10, 0)

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

    def compose(self, n, lengths, seed, kinds=()):
        bits, _ = super().compose(n, lengths, seed, kinds)
        pairs = tf.gather(bits, tf.argsort(_keys(bits, lengths - 1)), batch_dims=1)
        last = tf.gather(bits, lengths - 1, batch_dims=1)  # its bits say which pair is asked for
        asked = tf.cast(tf.tensordot(last, 2.0 ** np.arange(10, dtype="float32"), 1), tf.int32) % (lengths - 1)
        query = tf.gather(pairs, asked, batch_dims=1) * tf.constant([1.0] * 5 + [0.0] * 5)
        is_query = tf.range(n)[None] == lengths[:, None] - 1
        return tf.where(is_query[..., None], query[:, None], pairs), lengths

    def problem(self, symbols):
        *keys, query = numbers(symbols, 5)
        if (np.diff(keys) < 0).any():
            return f"has the keys {keys}; expected sorted ones"
        if query not in keys:
            return f"asks for the key {query}, which is none of {keys}"
        if symbols[-1, 5:].any():
            return f"ends with {symbols[-1].tolist()}; expected a key and an empty value"

    def odd_kinds(self, n, rng):
        return odd.of_search(n, rng)

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

    def compose(self, n, lengths, seed, kinds=()):
        batch = lengths.shape[0]
        values = tf.cast(uniform([batch, n, 5], seed, 0, 2), tf.float32)
        seeds = tf.random.split(seed, 3, alg="philox")
        known = tf.constant(self.priorities(n), tf.int32)
        order = uniform([batch, known.shape[0]], seeds[0], 0, 2**20)
        if "alike" in kinds:  # from a window of the priorities, for half of the batch
            inside = window(batch, n, known.shape[0], seeds[1]) | (tf.range(batch)[:, None] % 4 >= 2)
            order = tf.where(inside, order, 2**20)
        drawn = tf.gather(known, tf.argsort(order)[:, :n])
        first = uniform([batch], seeds[2], tf.ones([batch], tf.int32), lengths)[:, None]
        place = tf.range(n)
        sequence = tf.where(place < first, 0, tf.where(place < lengths[:, None], 1, 2))
        priorities = tf.gather(drawn, tf.argsort(sequence * 1024 + drawn), batch_dims=1)
        bits = tf.bitwise.right_shift(priorities[..., None], tf.range(9, -1, -1)) % 2
        return tf.concat([tf.cast(bits, tf.float32), values], axis=-1), lengths

    def priorities(self, n):
        """Return the numbers that are priorities in trees of n leaves, sorted."""
        return np.arange(1024) if n > 256 else np.round(np.arange(1, 301) * 1023 / 300).astype(int)

    def problem(self, symbols):
        priorities = numbers(symbols, 10)
        if len(set(priorities)) < len(priorities) or (np.diff(priorities) < 0).sum() > 1:
            return f"has the priorities {priorities}; expected two sequences, each sorted, without equals"

    def odd_kinds(self, n, rng):
        return odd.of_merge(n, rng, self.priorities(n))

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

    def odd_kinds(self, n, rng):
        return odd.of_numbers(n, rng, 5, 5)

    def targets(self, symbols, lengths):
        by_key = tf.argsort(_keys(symbols, lengths))
        return _judged(tf.gather(symbols, by_key, batch_dims=1), lengths)


class Add(Task):
    """*Add* (Sec. 4.2): two binary numbers of k digits one after the other; return their sum, then stop.

    Digits stand lowest first, one symbol a leaf: m = 2k + 2 symbols (an odd m loses one). An input symbol is one
    of four, one-hot: 0, 1, +, =. An output symbol is a bit and a flag: the flag is 1 in the End-Of-Output symbol
    that follows the k + 1 digits of the sum, and its bit is 0::

        1 1 0 + 1 0 1 =   ->   0 0 0 1 end            (3 + 5 = 8, k = 3)

    With the kind ``"decoys"`` of training inputs the tree is grown over `decoys`: it can learn where to go only.
    """

    name = "add"
    columns = {"zero": 1, "one": 1, "plus": 1, "equals": 1}
    answer_columns = {"bit": 1, "end": 1}
    shortest = 4
    kinds = ("decoys",)

    def answer_length(self, m):
        return m // 2 + 1

    def compose(self, n, lengths, seed, kinds=()):
        bits, _ = super().compose(n, lengths, seed, kinds)
        k = lengths[:, None] // 2 - 1
        position = tf.range(n)[None]
        kind = tf.where(position == k, 2, tf.where(position == 2 * k + 1, 3, tf.cast(bits[..., 0], tf.int32)))
        return tf.one_hot(kind, 4), 2 * k[:, 0] + 2

    def told(self, inputs, seed, kinds):
        return inputs | ({"decoys": self.decoys(inputs["symbols"], seed)} if "decoys" in kinds else {})

    def decoys(self, symbols, seed):
        """Return ``symbols[batch, n, 4]`` with other digits, for a tree that shall know where digits stand, not which.

        A tree can learn to add two digits by itself and to send an access to any leaf that holds the answer. All goes
        well for a symbol or two; but the digits that were added are never visited, so never crossed out.

        Args:
            symbols: as `examples` returns them.
            seed: of TensorFlow's stateless random numbers.
        """
        digit = symbols[..., 0] + symbols[..., 1]
        other = tf.cast(uniform(digit.shape, seed, 0, 2), tf.float32)
        return tf.stack([digit * (1 - other), digit * other, symbols[..., 2], symbols[..., 3]], axis=-1)

    def problem(self, symbols):
        text, k = "".join("01+="[np.argmax(symbol)] for symbol in symbols), len(symbols) // 2 - 1
        if (symbols.sum(axis=1) != 1).any():
            return f"has the symbols {symbols.tolist()}; expected one bit of each to be 1"
        if len(symbols) % 2 or set(text[:k] + text[k + 1 : -1]) - {"0", "1"} or text[k] + text[-1] != "+=":
            return f"is {text!r}; expected two binary numbers of the same length, as in '110+101='"

    def odd_kinds(self, n, rng):
        return odd.of_add(n, rng)

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


def _keys(symbols, lengths, width=5):
    """Rank the pairs of ``symbols[batch, n, b]`` by key, then by position; what is past m comes last."""
    n = symbols.shape[1]
    key = tf.cast(tf.tensordot(symbols[..., :width], 2.0 ** np.arange(width - 1, -1, -1, "float32"), 1), tf.int32)
    key = tf.where(tf.sequence_mask(lengths, n), key, 2**width)
    return key * n + tf.range(n)  # the position breaks ties


def _judged(answers, lengths):
    """``answers[batch, T, b]`` with -1 past the first ``lengths[batch]`` symbols."""
    return tf.where(tf.sequence_mask(lengths, answers.shape[1])[..., None], answers, -1.0)
