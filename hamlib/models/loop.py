"""The loop over the output symbols in training, as a Keras RNN."""

import keras
import tensorflow as tf
from keras import ops


class _Step(keras.layers.Layer):
    """A function ``(inputs, states) -> (outputs, states)`` as a Keras RNN cell."""

    def __init__(self, step, states):
        super().__init__()
        self.step, self.state_size = step, [1] * states  # the states are always given, and their true size follows n
        self.built = True

    def call(self, inputs, states):
        return self.step(inputs, states)


def recurrent(step, inputs, states, constants, variables=None):
    """Apply ``step(inputs_t, states, constants) -> (outputs_t, states)`` along ``inputs[batch, T, k]``.

    With ``variables``, the trainable ones, a compiled loop keeps only the states for the gradient, and the rest
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
    return keras.layers.RNN(cell, return_sequences=True)(inputs, initial_state=list(states))
