"""What changes from epoch to epoch of a run: its stage, the noise, rounding, α; and what stops it."""

import keras
import numpy as np
import tensorflow as tf


class Curriculum(keras.callbacks.Callback):
    """Goes from stage to stage: ends the ``fit`` of one where the next begins.

    Args:
        stages: of a recipe (Sec. 3.3).
    """

    def __init__(self, stages):
        super().__init__()
        self.stages = stages
        self.number = tf.Variable(0, dtype=tf.int64)

    @property
    def stage(self):
        """The current `Stage`."""
        return self.stages[int(self.number)]

    @property
    def at_last(self):
        """Whether that is the last one."""
        return int(self.number) + 1 == len(self.stages)

    def on_epoch_end(self, epoch, logs=None):
        logs["n"] = self.stage.n
        if not self.at_last and self.stage.ends(epoch, logs["val_wrong"]):
            self.number.assign_add(1)
            self.model.stop_training = True


class NotANumber(ValueError):
    """The loss of a run is no number any more."""


class OnlyNumbers(keras.callbacks.Callback):
    """Stops a run whose loss is no number any more, before anything of it is saved."""

    def on_epoch_end(self, epoch, logs=None):
        if not np.isfinite(logs["loss"]):
            raise NotANumber(
                f"loss: got {logs['loss']} in epoch {epoch + 1}; a smaller learning_rate or clip may keep it a number. "
                "The last good state and the best weights are kept"
            )


class FallingNoise(keras.callbacks.Callback):
    """Lets the noise fall to zero over the first half of a run: digital values early, fine print late.

    Args:
        epochs: of the whole run; epoch k has max(0, 1 - 2k / epochs) of the first noise.
    """

    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch, logs=None):
        memory, share = getattr(self.model, "memory", None), max(0.0, 1 - 2 * epoch / self.epochs)
        for name, first in memory.config["noise"].items() if memory else ():
            if first:
                getattr(memory, name).noise.assign(first * share)


class Rounding(keras.callbacks.Callback):
    """Rounds a digital memory: where the noise falls in the second half of a run, continuous and noisy before.

    Noise that stays keeps the digits away from their thresholds.

    Args:
        epochs: of the whole run.
        noise: ``"falls"`` or ``"stays"``.
    """

    def __init__(self, epochs, noise):
        super().__init__()
        self.first = epochs / 2 if noise == "falls" else 0

    def on_epoch_begin(self, epoch, logs=None):
        memory = getattr(self.model, "memory", None)
        if getattr(memory, "digital", None) is not None:
            memory.digital.assign(float(epoch >= self.first))


class FallingEntropy(keras.callbacks.Callback):
    """Lets α of a `Reinforce` fall exponentially, from its first value to its last (Sec. 3.3).

    Args:
        entropy: the two values; both 0 for none.
        epochs: of the whole run.
    """

    def __init__(self, entropy, epochs):
        super().__init__()
        self.entropy, self.epochs = entropy, epochs

    def on_epoch_begin(self, epoch, logs=None):
        first, last = self.entropy
        fallen = (last / first) ** (epoch / max(1, self.epochs - 1)) if first else 0.0
        self.model.loss.alpha.assign(first * fallen)
