"""What both ways to train hard paths have in common: `PolicyGradient` and `EveryLeaf`."""

import keras
from keras import ops

from hamlib.memory import FLOAT32
from hamlib.models.loop import ManySteps


class HardTraining(ManySteps, keras.Model):
    """Trains the paths of a model, which keeps the weights. In training it explores; at any other time it is run hard.

    Args:
        model: a model with a tree.
    """

    def __init__(self, model, **kwargs):
        super().__init__(**kwargs | FLOAT32)
        self.answering = model
        self.built = True

    @property
    def memory(self):
        """The `TreeMemory` of the model."""
        return self.answering.memory

    def call(self, inputs, training=False):
        return self.explore(inputs) if training else self.answering(inputs, attention="hard")

    def explore(self, inputs):
        """Return what the loss reads in training, of inputs as in the model's call."""
        raise NotImplementedError


def bits_cost(targets, answers):
    """``[batch]``, -Σ log p(right bits) of ``answers[batch, T, b]``; nothing is judged where a target is -1."""
    judged = ops.cast(targets >= 0, "float32")
    right = ops.clip(ops.where(targets > 0.5, answers, 1 - answers), 1e-7, 1.0)
    return -ops.sum(judged * ops.log(right), axis=(1, 2))
