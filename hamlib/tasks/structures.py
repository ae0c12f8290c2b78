"""The three data structures of Sec. 4.3: operations one by one, and what each POP returns."""

import numpy as np
import tensorflow as tf

from hamlib.tasks.base import Task, numbers, uniform


class Structure(Task):
    """What the three share: a symbol is an operation, PUSH or POP, and is a query; the leaves are empty at first.

    The t-th of m operations is a POP with probability t/m (Sec. 4.3), and a PUSH where nothing is left to pop. Only
    POPs are judged. The queries are ``[batch, T, b]``, one operation a timestep, so no model sees a later one.
    """

    answer_columns = {"value": 5}

    def examples(self, n, batch_size, seed, step, lengths=None, leaves=None, answers=None, skip=False, alike=False):
        """Draw a batch as `Task.examples` does; n operations, on ``leaves`` empty leaves (default: n)."""
        drawn, targets = super().examples(n, batch_size, seed, step, lengths, None, answers, False, alike)
        return self._on_empty_leaves(drawn["symbols"][:, : targets.shape[1]], max(n, leaves or n)), targets

    def inputs(self, symbols, lengths):
        return self._on_empty_leaves(symbols, 1 << (symbols.shape[1] - 1).bit_length())

    def _on_empty_leaves(self, operations, leaves):
        batch = operations.shape[0]
        return {"symbols": tf.zeros([batch, leaves, 0]), "lengths": tf.zeros([batch], tf.int32), "queries": operations}

    def compose(self, n, lengths, seed, alike):
        arguments, _ = super().compose(n, lengths, seed, False)
        m, place = lengths[:, None], tf.range(n)
        wishes = uniform([lengths.shape[0], n], tf.random.fold_in(seed, 2), 0 * m, m) <= place

        def operate(before, wish):
            left, _ = before
            pop = wish & (left > 0)
            return left + tf.where(pop, -1, 1), pop

        start = tf.zeros_like(lengths), tf.zeros_like(wishes[:, 0])
        pops = tf.transpose(tf.scan(operate, tf.transpose(wishes), start)[1])[..., None]
        return tf.concat([tf.cast(pops, tf.float32), tf.where(pops, 0.0, arguments[..., 1:])], axis=-1), lengths

    def ranks(self, symbols):
        """Return ``[batch, m]`` ints: of all that was pushed by ``symbols[batch, m, b]``, a POP takes the highest."""
        raise NotImplementedError

    def targets(self, symbols, lengths):
        place, ranks = tf.range(symbols.shape[1]), self.ranks(symbols)
        inside = tf.sequence_mask(lengths, symbols.shape[1])
        pops = symbols[..., 0] > 0

        def operate(before, t):
            there, _ = before
            top = tf.argmax(tf.where(there, ranks, -1), axis=1, output_type=tf.int32)
            pop, at_top = tf.gather(pops, t, axis=1)[:, None], place == top[:, None]
            return tf.where(pop, there & ~at_top, there | (place == t)), top

        start = tf.zeros_like(pops), tf.zeros_like(lengths)
        top = tf.transpose(tf.scan(operate, place, start)[1])
        return tf.where((pops & inside)[..., None], tf.gather(symbols[..., -5:], top, batch_dims=1), -1.0)

    def problem(self, symbols):
        left = np.cumsum(np.where(symbols[:, 0], -1, 1))
        if (left < 0).any():
            return f"pops at operation {int(np.argmax(left < 0))}, where nothing is left"
        if symbols[symbols[:, 0] == 1, 1:].any():
            return "has a POP with arguments; expected zeros"


class Stack(Structure):
    """*Stack* (Sec. 4.3): POP returns the value pushed last of those still there.

    A symbol is a bit, 1 for POP, and a value of 5 bits::

        push 10011  push 00110  pop  push 11111  pop  pop   ->   00110  11111  10011
    """

    name = "stack"
    columns = {"pop": 1, "value": 5}

    def ranks(self, symbols):
        return tf.broadcast_to(tf.range(symbols.shape[1]), symbols.shape[:2])


class Queue(Structure):
    """*Queue* (Sec. 4.3): POP returns the value pushed first of those still there.

    A symbol is a bit, 1 for POP, and a value of 5 bits::

        push 10011  push 00110  pop  push 11111  pop  pop   ->   10011  00110  11111
    """

    name = "queue"
    columns = {"pop": 1, "value": 5}

    def ranks(self, symbols):
        return tf.broadcast_to(tf.range(symbols.shape[1])[::-1], symbols.shape[:2])


class PriorityQueue(Structure):
    """*PriorityQueue* (Sec. 4.3): POP returns the value of the highest priority of those still there.

    A symbol is a bit, 1 for POP, a priority of 7 bits, and a value of 5. In one input no priority comes twice. The
    paper's priorities have 5 bits: 32 numbers, too few for the 128 operations of its longer test. So here inputs of at
    most 32 operations have the paper's, as the first 5 of 7 bits, the others 0; longer ones have any of the 128::

        push 0110000‖10011  push 1000000‖00110  pop  push 0000100‖11111  pop   ->   00110  10011
              24                  32                       1
    """

    name = "priority-queue"
    columns = {"pop": 1, "priority": 7, "value": 5}

    def check_request(self, n, batch_size, lengths=None):
        if n > 128:
            raise ValueError(f"n: got {n}; there are 128 priorities, so at most 128 operations")
        return super().check_request(n, batch_size, lengths)

    def compose(self, n, lengths, seed, alike):
        symbols, lengths = super().compose(n, lengths, seed, alike)
        batch = lengths.shape[0]
        some = tf.range(128) % 4 == 0  # the 32 of five bits
        if n > 32:
            some = some | True
        elif alike:
            some = some | (tf.range(batch)[:, None] % 4 < 2)
        order = tf.where(some, uniform([batch, 128], tf.random.fold_in(seed, 3), 0, 2**20), 2**20)
        bits = tf.bitwise.right_shift(tf.argsort(order)[:, :n, None], tf.range(6, -1, -1)) % 2
        priorities = tf.cast(bits, tf.float32) * (1 - symbols[..., :1])
        return tf.concat([symbols[..., :1], priorities, symbols[..., 8:]], axis=-1), lengths

    def ranks(self, symbols):
        return tf.cast(tf.tensordot(symbols[..., 1:8], 2.0 ** np.arange(6, -1, -1, "float32"), 1), tf.int32)

    def problem(self, symbols):
        pushed = numbers(symbols[symbols[:, 0] == 0, 1:], 7)
        if len(set(pushed)) < len(pushed):
            return f"pushes the priorities {pushed}; expected no priority twice"
        return super().problem(symbols)
