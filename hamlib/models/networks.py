"""Models: a tree memory with something that asks it questions.

`RawHAM` (Sec. 4.3) has no controller: the query of an access is an operation from outside, or a
zero vector where nothing is asked, as in the 2016 code. `HAM` (Sec. 3.1) has one: an LSTM, whose state asks.
"""

import keras
from keras import ops

from hamlib.memory import FLOAT32, MLP
from hamlib.models.tree_model import State, TreeModel

OUTPUTS = ("symbols", "mlp", "leaf")


@keras.saving.register_keras_serializable("hamlib")
class RawHAM(TreeModel):
    """Raw HAM: a tree memory with a query from outside for each access (Sec. 4.3, the 2016 code).

    Args:
        memory: a `TreeMemory`, or its config.
        output: ``"symbols"``, the answer is the attended input symbol, Σ_e p(e)·x_e, as in the 2016
            code; ``"mlp"``, the answer is an MLP of h_a that ends in a sigmoid, as in Sec. 4.3; or ``"leaf"``, the
            last b bits of the operation that WRITE put into the leaf.
        output_hidden: ReLU units in the output MLP; 0 for one layer.
        query_bits: k, as many as an exported model takes; None: 0 where ``output`` is ``"symbols"``, otherwise l.

    Raises:
        ValueError: ``output`` is not known.

    Call arguments:
        inputs: a dict of ``symbols[batch, n, b]``, n a power of two; ``lengths[batch]``, m of each
            input (or ``filled[batch, n]``, the leaves that hold it); and, unless there is but one access,
            ``queries[batch, T, k]``, each filled up to l with zeros: k = 0 for T accesses with a zero query. With
            ``skipped[batch]``, all equal, so many output symbols are made, hard, before the first of the T. With
            ``places[batch, T]``, for soft attention only, an access goes to the leaf that stands there, and where
            SEARCH leads to only where that is -1.
        attention: ``"soft"`` or ``"hard"``.
        training: whether the memory's noise is on.

    Returns:
        ``[batch, T, b]``, the probability that each output bit is 1.
    """

    def __init__(self, memory, output="symbols", output_hidden=0, query_bits=None, **kwargs):
        super().__init__(memory, **kwargs)
        if output not in OUTPUTS:
            raise ValueError(f"output: unknown {output!r}; known: {', '.join(OUTPUTS)}")
        self.output_kind, self.output_hidden = output, output_hidden
        self.query_bits = self.memory.query_width * (output != "symbols") if query_bits is None else query_bits
        self.output_mlp = None
        if output == "mlp":
            self.output_mlp = MLP(
                self.memory.node_width, self.memory.symbol_width, hidden=output_hidden, activation="sigmoid"
            )
        self.built = True

    def get_config(self):
        return super().get_config() | dict(
            output=self.output_kind, output_hidden=self.output_hidden, query_bits=self.query_bits
        )

    def widen(self, query):
        got, most = query.shape[1], self.memory.query_width
        if got > most:
            raise ValueError(f"queries: got {got} bits; expected at most the memory's query_width, {most}")
        return ops.pad(query, ((0, 0), (0, most - got))) if got < most else query

    @property
    def answer_width(self):
        """Bits of an output symbol."""
        return self.memory.symbol_width

    @property
    def reads_operations(self):
        """Whether its queries are operations on a tree that starts empty."""
        return self.output_kind != "symbols"

    @property
    def reads_symbols(self):
        return self.output_kind == "symbols"

    def make_query(self, query, controller, number):
        return query

    def controller_step(self, query, controller, read):
        if self.output_mlp:
            read = self.output_mlp(read[:, None])[:, 0]
        elif not self.reads_symbols:
            read = read[:, self.memory.query_width - self.answer_width : self.memory.query_width]
        return read, controller, query


@keras.saving.register_keras_serializable("hamlib")
class HAM(TreeModel):
    """LSTM+HAM (Sec. 3.1, Fig. 1): an LSTM whose state is the query of each access, and whose input is what is read.

    Args:
        memory: a `TreeMemory`, or its config; l, the LSTM's width, is its ``query_width``.
        answer_width: b, bits of an output symbol.
        accesses: η, memory accesses for each output symbol.
        numbered: whether SEARCH sees h_LSTM plus a learned vector for each of the η accesses. What it learns for one
            output symbol then serves the next, whatever else h_LSTM holds. Not in the paper.

    Raises:
        ValueError: ``accesses`` or ``answer_width`` is not a positive integer.

    Call arguments:
        inputs: a dict of ``symbols[batch, n, b]``, n a power of two; ``lengths[batch]``, m of each
            input (or ``filled[batch, n]``, the leaves that hold it); and, unless T = 1,
            ``queries[batch, T, 0]``, whose T says how many output symbols are wanted. With
            ``skipped[batch]``, all equal, so many output symbols are made, hard, before the first of the T.
            With ``decoys[batch, n, b]``, for soft attention only, the tree is grown over these symbols, while what
            is read and written are the leaves of the true ones.
        attention: ``"soft"`` or ``"hard"``.
        training: whether the memory's noise is on.

    Returns:
        ``[batch, T, b]``, the probability that each output bit is 1.
    """

    def __init__(self, memory, answer_width, accesses=1, numbered=False, **kwargs):
        super().__init__(memory, **kwargs)
        for name, value in dict(answer_width=answer_width, accesses=accesses).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: got {value!r}; expected a positive integer")
        self.answer_width, self.accesses, self.numbers = answer_width, accesses, None
        if numbered:
            self.numbers = self.add_weight(
                name="numbers",
                shape=(accesses, self.memory.query_width),
                initializer=keras.initializers.RandomNormal(stddev=1.0),
            )
        self.controller = keras.layers.LSTMCell(self.memory.query_width, **FLOAT32)
        self.controller.build((None, self.memory.node_width))
        self.output_layer = keras.layers.Dense(answer_width, activation="sigmoid", **FLOAT32)
        self.output_layer.build((None, self.memory.query_width))
        self.built = True

    def get_config(self):
        return super().get_config() | dict(
            answer_width=self.answer_width, accesses=self.accesses, numbered=self.numbers is not None
        )

    def begin(self, state, inputs, noise):
        controller = tuple(self.controller.get_initial_state(ops.shape(state.nodes)[0]))
        if "decoys" not in inputs:
            return State(state.nodes, controller)
        nodes = self.memory.grow(inputs["decoys"], inputs.get("filled", inputs["lengths"]), noise)
        return State(nodes, controller, (state.nodes[:, state.nodes.shape[1] // 2 :],))

    def widen(self, query):
        if query.shape[1]:
            raise ValueError(f"queries: got {query.shape[1]} bits for a HAM; its LSTM asks. A RawHAM takes queries")
        return query

    def make_query(self, query, controller, number):
        h = controller[0]
        return h if self.numbers is None else h + ops.take(self.numbers, number, axis=0)

    def controller_step(self, query, controller, read):
        h, controller = self.controller(read, list(controller))
        return self.output_layer(h), tuple(controller), h
