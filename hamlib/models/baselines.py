"""`EncoderDecoder` has no tree: the two models that Table 1 sets beside HAM."""

import keras
import tensorflow as tf
from keras import ops

from hamlib.memory import FLOAT32, check_attention
from hamlib.models.exporting import Exporting
from hamlib.models.loop import ManySteps, recurrent


@keras.saving.register_keras_serializable("hamlib")
class EncoderDecoder(Exporting, ManySteps, keras.Model):
    """The models without a tree of Table 1: an encoder-decoder LSTM, or an LSTM with additive attention.

    * LSTM (Sutskever et al. 2014): one LSTM reads the symbols; its last state is the first of another, which answers.
    * LSTM+A (Bahdanau et al. 2014): the first LSTM reads in both directions, and the second is fed, at each step,
      the mean of what it said under an attention over all symbols, Θ(n) a step.

    The decoder never sees its own answers, as HAM's controller does not.

    Args:
        symbol_width, answer_width: b, bits of an input symbol and of an output symbol.
        units: width of each LSTM.
        attention: whether the decoder attends to the encoder's outputs.

    Raises:
        ValueError: a width is not a positive integer.

    Call arguments:
        inputs: a dict of ``symbols[batch, n, b]`` and ``lengths[batch]``, and, unless T = 1, ``queries[batch, T, 0]``.
        attention: ``"soft"`` or ``"hard"``, without effect: there is no hard path.

    Returns:
        ``[batch, T, b]``, the probability that each output bit is 1.
    """

    def __init__(self, symbol_width, answer_width, units=64, attention=False, **kwargs):
        super().__init__(**kwargs | FLOAT32)
        widths = dict(symbol_width=symbol_width, answer_width=answer_width, units=units)
        for name, value in widths.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: got {value!r}; expected a positive integer")
        self.config = widths | dict(attention=attention)
        self.encoder = keras.layers.LSTM(units, return_sequences=True, return_state=True, **FLOAT32)
        self.attends = None
        if attention:
            self.encoder = keras.layers.Bidirectional(self.encoder, **FLOAT32)
            self.keys = keras.layers.Dense(units, **FLOAT32)
            self.query = keras.layers.Dense(units, use_bias=False, **FLOAT32)
            self.attends = keras.layers.AdditiveAttention(**FLOAT32)
        self.decoder = keras.layers.LSTMCell(units, **FLOAT32)
        self.output_layer = keras.layers.Dense(answer_width, activation="sigmoid", **FLOAT32)
        self._call_compiled = tf.function(self.call, jit_compile=True, autograph=False)
        self.built = True
        symbols = ops.zeros((1, 2, symbol_width), "float32")
        self(dict(symbols=symbols, lengths=ops.ones(1, "int32")))  # so that it has its weights from the start

    def get_config(self):
        return super().get_config() | self.config

    def signature(self, n):
        widths = dict(symbols=(n, self.config["symbol_width"]), lengths=(), queries=(None, 0))
        return {name: ((None, *shape), "int32" if name == "lengths" else "float32") for name, shape in widths.items()}

    def respond(self, inputs, attention="soft"):
        """Answer as a call does, compiled."""
        return self._call_compiled(inputs)

    def call(self, inputs, attention="soft", training=False):
        check_attention(attention)
        symbols = ops.convert_to_tensor(inputs["symbols"])
        mask = ops.arange(symbols.shape[1], dtype="int32")[None] < ops.cast(inputs["lengths"], "int32")[:, None]
        said, *states = self.encoder(symbols, mask=mask)
        h, c = states[:2]  # of the forward direction
        steps = inputs.get("queries", symbols[:, :1, :0])
        if steps.shape[2]:
            raise ValueError(f"queries: got {steps.shape[2]} bits for an EncoderDecoder. A RawHAM takes queries")
        if not self.attends:
            return recurrent(self._plain_step, steps, [h, c], [])
        return recurrent(self._attending_step, steps, [h, c], [said, self.keys(said), mask])

    def _plain_step(self, step, states, constants):
        h, states = self.decoder(step, states)
        return self.output_layer(h), states

    def _attending_step(self, step, states, constants):
        said, keys, mask = constants
        query = self.query(states[0])[:, None]
        read = self.attends([query, said, keys], mask=[None, mask])[:, 0]
        h, states = self.decoder(read, states)
        return self.output_layer(h), states
