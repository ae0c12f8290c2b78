"""Models: a tree memory with something that asks it questions.

`RawHAM` (Sec. 4.3) has no controller: the query of an access is an operation from outside, or a
zero vector where nothing is asked, as in *select the smallest* of the 2016 code.
"""

import keras
from keras import ops

from hamlib.memory import ATTENTIONS, MLP, TreeMemory, check_attention, read_leaves

OUTPUTS = ("symbols", "mlp")


class _Access(keras.layers.Layer):
    """One access as a Keras RNN cell: attend -> read -> write. Its state is (nodes, symbols)."""

    state_size = [1, 1]  # the state is always given, and its true size follows n

    def __init__(self, memory, output, attention, **kwargs):
        super().__init__(**kwargs)
        self.memory, self.output_mlp, self.attention = memory, output, attention
        self.built = True

    def call(self, query, states):
        nodes, symbols = states
        where = self.memory.attend(nodes, query, self.attention)
        if self.output_mlp:
            answer = self.output_mlp(self.memory.read(nodes, where)[:, None])[:, 0]
        else:
            answer = read_leaves(symbols, where)
        if self.memory.writable:
            nodes = self.memory.write(nodes, where, query)
        return answer, [nodes, symbols]


@keras.saving.register_keras_serializable("hamlib")
class RawHAM(keras.Model):
    """Raw HAM: a tree memory with a query from outside for each access (Sec. 4.3, the 2016 code).

    Args:
        memory: a `TreeMemory`, or its config.
        output: ``"symbols"``, the answer is the attended input symbol, Σ_e p(e)·x_e, as in the 2016
            code; or ``"mlp"``, the answer is an MLP of h_a that ends in a sigmoid, as in Sec. 4.3.
        output_hidden: ReLU units in the output MLP; 0 for one layer.

    Raises:
        ValueError: ``output`` is not known.

    Call arguments:
        inputs: a dict of ``symbols[batch, n, b]``, n a power of two; ``lengths[batch]``, m of each
            input; and, unless there is but one access with a zero query, ``queries[batch, T, l]``.
        attention: ``"soft"`` or ``"hard"``.
        training: whether the memory's noise is on.

    Returns:
        ``[batch, T, b]``, the probability that each output bit is 1.
    """

    def __init__(self, memory, output="symbols", output_hidden=0, **kwargs):
        super().__init__(**kwargs)
        if output not in OUTPUTS:
            raise ValueError(f"output: unknown {output!r}; known: {', '.join(OUTPUTS)}")
        self.memory = memory if isinstance(memory, TreeMemory) else TreeMemory(**memory)
        self.output_kind, self.output_hidden = output, output_hidden
        self.output_mlp = None
        if output == "mlp":
            self.output_mlp = MLP(
                self.memory.node_width, self.memory.symbol_width, hidden=output_hidden, activation="sigmoid"
            )
        self.accesses = {
            attention: keras.layers.RNN(_Access(self.memory, self.output_mlp, attention), return_sequences=True)
            for attention in ATTENTIONS
        }
        self.built = True

    def get_config(self):
        memory = keras.saving.serialize_keras_object(self.memory)
        return super().get_config() | dict(memory=memory, output=self.output_kind, output_hidden=self.output_hidden)

    @classmethod
    def from_config(cls, config):
        return cls(**(config | {"memory": keras.saving.deserialize_keras_object(config["memory"])}))

    def call(self, inputs, attention="soft", training=False):
        check_attention(attention)
        symbols = inputs["symbols"]
        state = [self.memory.grow(symbols, inputs["lengths"]), symbols]
        if "queries" in inputs:
            return self.accesses[attention](inputs["queries"], initial_state=state)
        no_query = ops.zeros_like(state[0][:, 0, :1]) @ ops.zeros((1, self.memory.query_width))
        answer, _ = self.accesses[attention].cell(no_query, state)
        return answer[:, None]
