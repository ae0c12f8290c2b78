"""A memory that stays: told one operation after the other, its nodes in a variable."""

import tensorflow as tf

from hamlib.memory import check_power_of_two
from hamlib.models.access import Held, hard_access
from hamlib.models.answering import check_fits


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
        _, state = model.start({"symbols": tf.zeros([1, n, 0]), "lengths": tf.zeros([1], tf.int32)})
        self.nodes = tf.Variable(state.nodes[0], trainable=False)
        # One shape for ever: called as a concrete function, it skips half of the cost of a call.
        operation = tf.TensorSpec([model.memory.query_width])
        self._operate = tf.function(self._access, jit_compile=True, autograph=False).get_concrete_function(operation)

    def operate(self, operation):
        """Do one operation: one hard access.

        Args:
            operation: ``[b]``, floats.

        Returns:
            ``answer[k]``, the probability that each bit is 1, and ``path[log2 n + 1]``, the rows that were visited.
        """
        return self._operate(tf.convert_to_tensor(operation))

    def _access(self, operation):
        symbols = tf.zeros([1, self.n, 0])
        _, path, made = hard_access(self.model, Held(self.nodes), operation[None], (), 0, symbols)
        return made.answer[0], path[0]
