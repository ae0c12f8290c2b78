"""The perceptron that EMBED, JOIN, SEARCH and WRITE are made of."""

import keras
import tensorflow as tf
from keras import ops

# What every layer here is made with, whatever the global policy or ``floatx``: half precision rounds away what a proof
# rests on, and nothing here needs double.
FLOAT32 = {"dtype": "float32"}


@keras.saving.register_keras_serializable("hamlib")
class MLP(keras.layers.Layer):
    """A perceptron of one or two layers, over one input or over a node and a query.

    A node and a query enter the first layer through two matrices whose products are added. That is
    the layer on the concatenated vector, but the query's part is computed once, not once a node.

    Args:
        input_width: width of the first input.
        units: width of the output.
        query_width: width of the query; 0 for an MLP of one input.
        hidden: ReLU units between; 0 for a single layer.
        activation: the activation of the output.
        normalise: whether layer normalisation stands before that activation.
        noise: half the width of the uniform noise that training adds before that activation, at first.
        bias: whether the layers have biases.
    """

    def __init__(
        self,
        input_width,
        units,
        query_width=0,
        hidden=0,
        activation="relu",
        normalise=False,
        noise=0.0,
        bias=True,
        **kwargs,
    ):
        super().__init__(**kwargs | FLOAT32)
        first = hidden or units
        self.first = _dense(input_width, first, bias)
        self.query = _dense(query_width, first, False) if query_width else None
        self.last = _dense(hidden, units, bias) if hidden else None
        self.norm = keras.layers.LayerNormalization(**FLOAT32) if normalise else None
        if self.norm:
            self.norm.build((None, units))
        self.noise = self.seeds = None
        if noise:
            self.noise = self.add_weight(
                name="noise", shape=(), initializer=keras.initializers.Constant(noise), trainable=False
            )
            self.seeds = keras.random.SeedGenerator()
        self.activation = keras.activations.get(activation)
        self.built = True

    def call(self, inputs, query=None, noise=None):
        """Map ``inputs[batch, k, input_width]`` and ``query[batch, query_width]`` to ``[batch, k, units]``.

        ``noise[batch, k, units]`` is added before the activation; where it is wider, the rest of it to the inputs.
        """
        units = (self.last or self.first).units
        if noise is not None and noise.shape[-1] > units:
            inputs, noise = inputs + noise[..., units:], noise[..., :units]
        x = self.first(inputs)
        if query is not None:
            x = x + self.query(query)[:, None, :]
        if self.last:
            x = self.last(ops.relu(x))
        if self.norm:
            x = self.norm(x)
        if noise is not None:
            x = x + noise
        return self.activation(x)

    def sample_noise(self, shape):
        """Draw uniform noise of a shape; zeros, at no cost, where there is none or it has fallen to zero."""
        if self.noise is None:
            return ops.zeros(shape, "float32")
        seed = self.seeds.next()
        # Philox by name: on a CPU, XLA compiles keras.random's own choice to code fifty times slower.
        return ops.cond(
            self.noise > 0,
            lambda: self.noise * tf.random.stateless_uniform(shape, seed, -1, 1, alg="philox"),
            lambda: tf.zeros(shape),
        )


def _dense(input_width, units, bias):
    """A Dense layer that has its weights from the start, so that a model is whole before its first call."""
    layer = keras.layers.Dense(units, use_bias=bias, **FLOAT32)
    layer.build((None, input_width))
    return layer
