"""The hard path at full speed: a trained model's accesses, in one compiled loop or one by one, its nodes in place.

An access touches log2 n nodes on the way down and as many on the way up, whatever n.
"""

import os

import tensorflow as tf

from hamlib.memory import check_power_of_two, siblings


def check_fits(n, batch, node_width):
    """Raise a ValueError if so many trees need more memory than the machine has; four copies are made at most.

    Args:
        n: leaves of each tree.
        batch: trees.
        node_width: d.
    """
    needed = 4 * batch * 2 * n * node_width * 4
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise ValueError(
            f"n: got {n:,} leaves, which need about {needed / 1e9:,.0f} GB; there are {there / 1e9:,.0f} GB"
        )


def visits(model, inputs, accesses, chunk=4096):
    """Make hard accesses one after the other, as a model does when it answers with zero queries.

    Args:
        model: a `RawHAM` or a `HAM`.
        inputs: ``symbols[batch, n, b]``, and ``lengths[batch]``, as in its call.
        accesses: how many output symbols, a positive integer.
        chunk: how many of them are made between two yields. Each time the nodes are copied once.

    Yields:
        ``(leaves[batch, k, η], answers[batch, k, b])``: of k <= ``chunk`` output symbols the leaves that were visited,
        and the probability that each bit is 1.

    Raises:
        ValueError: n is no power of two, its tree needs more memory than there is, or an argument is not a positive
            integer.
    """
    for name, value in dict(accesses=accesses, chunk=chunk).items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: got {value!r}; expected a positive integer")
    batch, n, _ = inputs["symbols"].shape
    check_power_of_two(n)
    check_fits(n, batch, model.memory.node_width)
    inputs = {name: tf.convert_to_tensor(value) for name, value in inputs.items() if name != "queries"}

    @tf.function(jit_compile=True, autograph=False)
    def start(inputs):
        return model._start(inputs | {"queries": tf.zeros([batch, 1, 0])}, [])

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=True)
    def advance(symbols, query, states, count):
        def step(k, states, leaves, answers):
            answer, states, paths = model._step(query, states, symbols, "hard", [])
            visited = tf.stack([path[:, -1] for path in paths], axis=1) - n
            return k + 1, states, leaves.write(k, visited), answers.write(k, answer)

        kept = [
            tf.TensorArray(tf.int32, chunk, element_shape=[batch, model.accesses]),
            tf.TensorArray(tf.float32, chunk, element_shape=[batch, None]),
        ]
        end = tf.while_loop(lambda k, *_: k < count, step, (tf.constant(0), states, *kept), maximum_iterations=chunk)
        return end[1], *(tf.transpose(array.stack(), [1, 0, 2]) for array in end[2:])

    queries, states = start(inputs)
    while accesses:
        count = min(chunk, accesses)
        states, leaves, answers = advance(inputs["symbols"], queries[:, 0], states, tf.constant(count))
        yield leaves[:, :count].numpy(), answers[:, :count].numpy()
        accesses -= count


class Online:
    """A trained raw HAM that is told one operation after the other (Sec. 4.3); its tree starts empty and stays.

    Args:
        model: a `RawHAM` whose queries are operations.
        n: leaves of the tree, a power of two.

    Attributes:
        nodes: ``[2n, d]``, a variable; an operation changes the log2 n + 1 rows of its path.

    Raises:
        ValueError: n is no power of two, or its tree needs more memory than there is.
    """

    def __init__(self, model, n):
        check_fits(check_power_of_two(n), 1, model.memory.node_width)
        self.model, self.n = model, n
        _, (nodes,) = model._start({"symbols": tf.zeros([1, n, 0]), "lengths": [0]}, [])
        self.nodes = tf.Variable(nodes[0], trainable=False)

    @tf.function(autograph=False)
    def operate(self, operation):
        """Do one operation: one hard access.

        Args:
            operation: ``[b]``, floats.

        Returns:
            ``answer[k]``, the probability that each bit is 1, and ``path[log2 n + 1]``, the rows that were visited.
        """
        memory, query = self.model.memory, operation[None]
        path = memory.descend(self._rows, query, tf.fill([1, self.n.bit_length() - 1], 0.5))
        leaf = self._rows(path[:, -1:])
        answer, _, said = self.model.controller_step(query, [], leaf[:, 0])
        new = memory.update_path(path, self._rows(siblings(path)), memory.written(leaf, said))
        self.nodes.scatter_update(tf.IndexedSlices(new[0], path[0]))
        return answer[0], path[0]

    def _rows(self, index, level=None):
        return tf.gather(self.nodes, index)  # of a variable: it reads these rows, and copies no other
