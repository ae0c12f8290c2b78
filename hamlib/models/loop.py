"""The loops of training: over the output symbols, as a Keras RNN, and over the steps."""

import keras
import tensorflow as tf
from keras import ops


class ManySteps:
    """The part of a Keras model that takes several batches in one compiled loop: Keras costs time for each call.

    ``fit`` is given datasets of stacked batches (``dataset.batch(k, True)``); one "step" on them is then k steps.
    """

    def train_step(self, data):
        """Train on a batch, or on each of those that are stacked, ``lengths[k, batch]``, in their order."""
        return self._each(super().train_step, data)

    def test_step(self, data):
        """Judge a batch, or each of those that are stacked."""
        return self._each(super().test_step, data)

    def _each(self, step, data):
        lengths = data[0]["lengths"]
        if lengths.shape.rank == 1:
            return step(data)
        steps = lengths.shape[0]

        def body(k):
            step(tf.nest.map_structure(lambda value: value[k], data))
            return (k + 1,)

        tf.while_loop(lambda k: k < steps, body, (tf.constant(0),), maximum_iterations=steps, parallel_iterations=1)
        return self.get_metrics_result()


class _Step(keras.layers.Layer):
    """A function ``(inputs, states) -> (outputs, states)`` as a Keras RNN cell."""

    def __init__(self, step, states):
        super().__init__(dtype="float32")
        self.step, self.state_size = step, [1] * states  # the states are always given, and their true size follows n
        self.built = True

    def call(self, inputs, states):
        return self.step(inputs, states)


def recurrent(step, inputs, states, constants, variables=None):
    """Apply ``step(inputs_t, states, constants) -> (outputs_t, states)`` along ``inputs[batch, T, k]``.

    With ``variables``, those that a step reads, a compiled loop keeps only the states for the gradient, and the rest
    of a step is computed once more on the way back. That halves the time of a training step, which goes into
    keeping more than into computing. All that a step uses must then enter it as an argument.

    Returns:
        ``outputs[batch, T, b]``.
    """
    if inputs.shape[1] == 1:
        return step(inputs[:, 0], states, constants)[0][:, None]

    def plain(inputs_t, states):
        return step(inputs_t, states, constants)

    others = [*constants, *map(ops.convert_to_tensor, variables or [])]
    first, last = len(states), len(states) + len(constants)

    @keras.remat
    def again(inputs_t, *tensors):
        with keras.StatelessScope(state_mapping=list(zip(variables, tensors[last:], strict=True))):
            outputs_t, after = step(inputs_t, tensors[:first], tensors[first:last])
        return outputs_t, *after

    def recomputed(inputs_t, states):
        outputs_t, *after = again(inputs_t, *states, *others)
        return outputs_t, after

    compiled = not tf.executing_eagerly()  # run eagerly, `keras.remat` counts the weights' gradients twice
    cell = _Step(recomputed if variables and compiled else plain, len(states))
    return keras.layers.RNN(cell, return_sequences=True, dtype="float32")(inputs, initial_state=list(states))
