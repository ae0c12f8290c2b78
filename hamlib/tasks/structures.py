"""The three data structures of Sec. 4.3: operations one by one, and what each POP returns."""

import numpy as np
import tensorflow as tf

from hamlib.memory import check_power_of_two
from hamlib.tasks import odd
from hamlib.tasks.base import Task
from hamlib.tasks.sampling import numbers, sampled, shuffled, uniform, window


class Structure(Task):
    """What the three share: a symbol is an operation, PUSH or POP, and is a query; the leaves are empty at first.

    The t-th of m operations is a POP with probability t/m (Sec. 4.3), and a PUSH where nothing is left to pop. Only
    POPs are judged. The queries are ``[batch, T, b]``, one operation a timestep, so no model sees a later one.
    """

    answer_columns = {"value": 5}
    kinds = ("alike", "reuse", "placed")

    def examples(self, n, batch_size, seed, step, lengths=None, leaves=None, answers=None, skip=False, kinds=()):
        """Draw a batch as `Task.examples` does: n operations on ``leaves`` leaves (default: n), at first empty.

        On fewer leaves than operations, not more is pushed than there are leaves: a POP stands for a PUSH without one,
        and an input ends where nothing is left to pop either.

        Kinds: ``"reuse"``: no more than `room` is *in* it at a time, and leaves are used again; no input ends early,
        and half of the batch pushes and pops in runs, whose mean length is drawn: it gets full, then partly empty.
        ``"alike"``: half of the batch pushes first, up to a random operation, and then pops; in the other half
        priorities are near each other. ``"dense"``, of a priority queue: they are so in half of the one and half of
        the other, half of them as near as can be. ``"placed"``: each PUSH goes to a leaf of its own that is drawn: all
        but where to PUSH to can then be learned with soft attention.
        """
        pairs = self.check_request(n, batch_size, lengths, kinds)
        leaves = check_power_of_two(leaves or n, "leaves")
        seed = tf.cast(tf.stack([seed, step]), tf.int64)
        operations, targets = _sample(self, int(n), int(batch_size), seed, tf.constant(pairs, tf.int32), kinds, leaves)
        return self.told(self.on_leaves(operations, leaves), seed, kinds), targets

    def told(self, inputs, seed, kinds):
        if "placed" not in kinds:
            return inputs
        return inputs | {"places": self.places(inputs["queries"], inputs["symbols"].shape[1], seed)}

    def places(self, operations, leaves, seed):
        """Draw a leaf of its own for each PUSH, for a memory that shall learn first what POP needs.

        With soft attention it can learn all but where to PUSH to: a blend of two leaves, each written a little, leads
        nowhere.

        Args:
            operations: ``[batch, m, b]``, of which not more than ``leaves`` push.
            leaves: how many there are.
            seed: of TensorFlow's stateless random numbers.

        Returns:
            ``[batch, m]``, ints; -1 for a POP.
        """
        pushes = operations[..., 0] == 0
        nth = tf.cumsum(tf.cast(pushes, tf.int32), axis=1) - 1
        nth = tf.clip_by_value(nth, 0, leaves - 1)  # past its end an input is zeros, as if it pushed
        return tf.where(pushes, tf.gather(shuffled(operations.shape[0], leaves, seed), nth, batch_dims=1), -1)

    def inputs(self, symbols, lengths):
        return self.on_leaves(symbols, 1 << (symbols.shape[1] - 1).bit_length())

    def on_leaves(self, operations, leaves):
        """Return what a model takes: ``operations[batch, m, b]`` on so many leaves, which are empty at first."""
        batch = operations.shape[0]
        return {"symbols": tf.zeros([batch, leaves, 0]), "lengths": tf.zeros([batch], tf.int32), "queries": operations}

    def compose(self, n, lengths, seed, kinds=(), leaves=None):
        arguments, _ = super().compose(n, lengths, seed)
        m, place, reuse = lengths[:, None], tf.range(n), "reuse" in kinds
        row = tf.range(lengths.shape[0])[:, None]
        leaves = leaves or n
        room = self.room(leaves) if reuse else leaves
        chance = uniform([lengths.shape[0], n], tf.random.fold_in(seed, 2), 0 * m, m)
        if "alike" in kinds:
            turn = uniform(m.shape, tf.random.fold_in(seed, 4), 0 * m, m + 1)
            chance = tf.where(row % 4 >= 2, turn, chance)
        wishes = chance <= place
        if reuse:
            mean = uniform(m.shape, tf.random.fold_in(seed, 6), 0 * m + 1, m + 1)
            turns = uniform([lengths.shape[0], n], tf.random.fold_in(seed, 7), 0 * mean, mean) == 0
            wishes = tf.where(row % 2 == 1, tf.cumsum(tf.cast(turns, tf.int32), axis=1) % 2 == 1, wishes)

        def operate(before, wish):
            left, pushed, _ = before
            pop = (wish | ((left if reuse else pushed) == room)) & (left > 0)
            return left + tf.where(pop, -1, 1), pushed + tf.where(pop, 0, 1), pop

        start = tf.zeros_like(lengths), tf.zeros_like(lengths), tf.zeros_like(wishes[:, 0])
        _, pushed, pops = map(tf.transpose, tf.scan(operate, tf.transpose(wishes), start))
        pops = pops[..., None]
        if not reuse:
            lengths = tf.minimum(lengths, tf.reduce_sum(tf.cast(pushed <= leaves, tf.int32), axis=1))
        operations = tf.concat([tf.cast(pops, tf.float32), tf.where(pops, 0.0, arguments[..., 1:])], axis=-1)
        return operations, lengths

    def room(self, leaves):
        """How many things a tree of so many leaves holds."""
        return leaves

    def ranks(self, symbols):
        """Return ``[batch, m]`` ints: of all that was pushed by ``symbols[batch, m, b]``, a POP takes the highest."""
        raise NotImplementedError

    def run(self, symbols):
        """Do the operations ``symbols[batch, m, b]``.

        Returns:
            ``top[batch, m]``, which of them a POP would undo in the place of each, and ``there[batch, m, m]``, bools,
            what is there before it, by the operation that pushed it.
        """
        place, ranks, pops = tf.range(symbols.shape[1]), self.ranks(symbols), symbols[..., 0] > 0

        def operate(before, t):
            there = before[2]
            top = tf.argmax(tf.where(there, ranks, -1), axis=1, output_type=tf.int32)
            pop, at_top = tf.gather(pops, t, axis=1)[:, None], place == top[:, None]
            return top, there, tf.where(pop, there & ~at_top, there | (place == t))

        nothing = tf.zeros_like(pops)
        top, there, _ = tf.scan(operate, place, (tf.zeros_like(place[0] + ranks[:, 0]), nothing, nothing))
        return tf.transpose(top), tf.transpose(there, [1, 0, 2])

    def targets(self, symbols, lengths):
        judged = (symbols[..., 0] > 0) & tf.sequence_mask(lengths, symbols.shape[1])
        answers = tf.gather(symbols[..., -5:], self.run(symbols)[0], batch_dims=1)
        return tf.where(judged[..., None], answers, -1.0)

    def odd_kinds(self, n, rng):
        return odd.of_operations(n, rng, 2 ** self.columns["priority"] if "priority" in self.columns else 0)

    def pop(self):
        """Return ``[b]``, the symbol of POP."""
        return np.eye(1, self.symbol_width, dtype="float32")[0]

    def push(self, *arguments):
        """Return ``[b]``, the symbol of a PUSH of ``arguments``.

        Args:
            arguments: ints, in the order of `columns`: ``value``, or ``priority, value``.

        Raises:
            ValueError: not as many as a PUSH has, or one that its bits cannot hold.
        """
        columns = dict(list(self.columns.items())[1:])
        if len(arguments) != len(columns):
            raise ValueError(f"push: got {len(arguments)} arguments; expected {', '.join(columns)}")
        bits = "0"
        for (name, width), number in zip(columns.items(), arguments, strict=True):
            if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or not 0 <= number < 2**width:
                raise ValueError(f"{name}: got {number!r}; expected {width} bits, 0 to {2**width - 1}")
            bits += f"{number:0{width}b}"
        return np.array([*map(int, bits)], "float32")

    def problem(self, symbols):
        left = np.cumsum(np.where(symbols[:, 0], -1, 1))
        if (left < 0).any():
            return f"pops at operation {int(np.argmax(left < 0))}, where nothing is left"
        if symbols[symbols[:, 0] == 1, 1:].any():
            return "has a POP with arguments; expected zeros"


@tf.function(jit_compile=True, autograph=False)
def _sample(task, n, batch_size, seed, pairs, kinds, leaves):
    operations, m, _ = sampled(task, n, batch_size, seed, pairs, kinds, leaves)
    return operations, task.targets(operations, m)


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

    def room(self, leaves):
        return max(1, leaves - 1)

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
    sizes = (8, 16, 32, 64, 128)
    kinds = (*Structure.kinds, "dense")

    def check_request(self, n, batch_size, lengths=None, kinds=()):
        if n > 128:
            raise ValueError(f"n: got {n}; there are 128 priorities, so at most 128 operations")
        return super().check_request(n, batch_size, lengths, kinds)

    def compose(self, n, lengths, seed, kinds=(), leaves=None):
        symbols, lengths = super().compose(n, lengths, seed, kinds, leaves)
        batch, place = lengths.shape[0], tf.range(lengths.shape[0])[:, None]
        some = tf.range(128) % 4 == 0  # the 32 of five bits
        if n > 32:
            some = some | True
        elif "alike" in kinds:  # half of the batch: from a window of all, at least about as wide as there are pushes
            dense = "dense" in kinds
            near = window(batch, max(1, n // 2), 128, tf.random.fold_in(seed, 5), dense)
            some = tf.where(place % 2 == 0 if dense else place % 4 < 2, near, some)
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
