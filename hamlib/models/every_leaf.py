"""Learning where an operation goes by trying every leaf: policy iteration by rollouts (Lagoudakis and Parr 2003).

From a tree in which things are already, the first operation is sent to every leaf in turn, and the following ones where
the memory, run hard, sends them. The leaf after which the most answers are right is what soft attention learns, with
cross-entropy. It is told inputs and outputs only, as with REINFORCE, but nothing is sampled, and no gradient goes
through more than one access.
"""

import keras
import tensorflow as tf
from keras import ops

from hamlib.memory import FLOAT32
from hamlib.models.hard_training import HardTraining, bits_cost


class EveryLeaf(HardTraining):
    """Trains a model by trying every leaf for the first of its operations; at any other time it is run hard.

    Args:
        model: a `RawHAM` whose queries are operations; it keeps the weights.

    Call arguments:
        inputs: as in the model's call; in training with ``written[batch, n, b]``, the operation that wrote each leaf,
            and ``filled[batch, n]``, whether one did.
        training: whether every leaf is tried.

    Returns:
        ``[batch, T, b]``, as the model, run hard. In training ``[batch, n, T·b + 1]``, what `BestLeaf` reads: for each
        leaf the answers, if the first operation goes there, and the probability that soft attention sends it there.
    """

    def explore(self, inputs):
        memory, first = self.memory, inputs["queries"][:, 0]
        batch, n = inputs["filled"].shape
        nodes = memory.grow_written(inputs["written"], inputs["filled"], memory.sample_noise(batch, n))
        p = memory.attend(nodes, first, "soft")
        answers = tf.stop_gradient(self._try_every_leaf(inputs, nodes[:, n:]))
        return ops.concatenate([ops.reshape(answers, (batch, n, -1)), p[..., None]], axis=2)

    def _try_every_leaf(self, inputs, leaves):
        """``answers[batch * n, T, b]`` of the inputs with their first operation sent to each of ``leaves``."""
        batch, n, d = leaves.shape
        each = {name: tf.repeat(value, n, axis=0) for name, value in inputs.items()}
        first, there = each["queries"][:, 0], tf.tile(tf.eye(n, dtype=tf.bool), (batch, 1))
        answer, _, _ = self.answering.controller_step(first, (), tf.reshape(leaves, (batch * n, d)))
        written = tf.where(there[..., None], first[:, None], each["written"])
        after = each | dict(written=written, filled=each["filled"] | there, queries=each["queries"][:, 1:])
        return tf.concat([answer[:, None], self.answering(after, attention="hard")], axis=1)


class BestLeaf(keras.losses.Loss):
    """The loss of an `EveryLeaf`: -log of the probability that a best leaf is attended.

    A leaf is the best after which the most answers are right; where several are, it matters not which is attended,
    and where all are, nothing is learned. Outputs of a model that is run hard cost the cross-entropy of their bits.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs | FLOAT32)

    def call(self, targets, outputs):
        if outputs.shape[2] == targets.shape[2]:
            return bits_cost(targets, outputs)
        return -ops.log(ops.maximum(chance_of_best(targets, outputs), 1e-7))


def chance_of_best(targets, outputs):
    """``[batch]``, the probability that a best leaf is attended.

    Args:
        targets: ``[batch, T, b]``; -1 where nothing is judged.
        outputs: ``[batch, n, T·b + 1]``, of an `EveryLeaf` in training.
    """
    batch, n = outputs.shape[:2]
    answers, p = ops.reshape(outputs[..., :-1], (batch, n, *targets.shape[1:])), outputs[..., -1]
    judged, bits = targets[:, None, :, 0] >= 0, targets[:, None] > 0.5
    right = ops.sum(ops.cast(judged & ops.all((answers > 0.5) == bits, axis=-1), "int32"), axis=-1)
    best = right == ops.max(right, axis=1, keepdims=True)
    return ops.where(ops.all(best, axis=1), 1.0, ops.sum(ops.where(best, p, 0.0), axis=1))
