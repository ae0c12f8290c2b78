"""Models: a tree memory with something that asks it questions.

`RawHAM` (Sec. 4.3) has no controller: the query of an access is an operation from outside, or a
zero vector where nothing is asked, as in the 2016 code. `HAM` (Sec. 3.1) has one: an LSTM, whose state asks.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from hamlib.memory import FLOAT32, MLP, TreeMemory, check_attention, read_leaves
from hamlib.models.access import Nodes, hard_access, repeat
from hamlib.models.answering import Answering
from hamlib.models.exporting import Exporting
from hamlib.models.loop import ManySteps, recurrent

OUTPUTS = ("symbols", "mlp")


class State(NamedTuple):
    """What one output symbol hands to the next."""

    nodes: Any  # [batch, 2n, d]
    controller: tuple = ()  # the controller's states
    leaves: tuple = ()  # with decoys: [batch, n, d], what is read and written, while `nodes` are searched


class _TreeModel(Answering, Exporting, ManySteps, keras.Model):
    """What `RawHAM` and `HAM` share: a memory, and T output symbols one after the other.

    A subclass says what is asked of the memory and what is made of what it reads: `make_query` and `controller_step`.
    """

    accesses = 1
    reads_operations = False
    query_bits = 0
    reads_symbols = False  # whether an access reads the input symbol at a leaf, not the leaf's value

    def __init__(self, memory, **kwargs):
        super().__init__(**kwargs | FLOAT32)
        self.memory = memory if isinstance(memory, TreeMemory) else TreeMemory(**memory)

    def get_config(self):
        return super().get_config() | dict(memory=keras.saving.serialize_keras_object(self.memory))

    @classmethod
    def from_config(cls, config):
        return cls(**(config | {"memory": keras.saving.deserialize_keras_object(config["memory"])}))

    def call(self, inputs, attention="soft", training=False):
        check_attention(attention)
        for name in ("decoys", "places"):
            if name in inputs and attention == "hard":
                raise ValueError(f"attention: got 'hard' for a model that is given {name}; expected 'soft'")
        if attention == "hard":
            return self.respond(inputs)
        noise = self.memory.sample_noise(*ops.shape(inputs["symbols"])[:2]) if training else []
        queries, state = self.asked(inputs), self.start(inputs, noise)

        def step(query, states, constants):
            symbols, *noise = constants
            states = tf.nest.pack_sequence_as(state, states)
            after, _, answer = self.soft_step(states, query, symbols, noise, "places" in inputs)
            return answer, tf.nest.flatten(after)

        constants = [ops.convert_to_tensor(inputs["symbols"]), *noise]
        variables = self.variables_of_a_step if training else None
        return recurrent(step, queries, tf.nest.flatten(state), constants, variables)

    @property
    def variables_of_a_step(self):
        """All that a step reads: a compiled loop that goes back through it needs them as arguments."""
        digital = self.memory.digital
        return self.trainable_variables + ([] if digital is None else [digital])

    def signature(self, n):
        symbols = 0 if self.reads_operations else self.memory.symbol_width
        signature = {"symbols": ((None, n, symbols), "float32"), "lengths": ((None,), "int32")}
        if self.query_bits or self.memory.writable:
            signature["queries"] = ((None, None, self.query_bits), "float32")
        return signature

    def asked(self, inputs):
        """Return ``queries[batch, T, k]`` of a call, with the places as a last column where there are some."""
        # T = 1 and nothing asked, where nothing is said
        queries = ops.convert_to_tensor(inputs["queries"] if "queries" in inputs else inputs["symbols"][:, :1, :0])
        if "places" not in inputs:
            return queries
        return ops.concatenate([queries, ops.cast(inputs["places"], "float32")[..., None]], axis=2)

    def start(self, inputs, noise=()):
        """Return the `State` before the first output symbol that is asked.

        Args:
            inputs: as in a call.
            noise: what `TreeMemory.sample_noise` returned.
        """
        nodes = self.memory.grow(inputs["symbols"], inputs.get("filled", inputs["lengths"]), noise)
        state = self.begin(State(nodes), inputs, noise)
        return self._skip(inputs, state, noise) if "skipped" in inputs else state

    def begin(self, state, inputs, noise):
        """Return the first state, with the controller's states."""
        return state

    def widen(self, query):
        """Return ``query[batch, k]`` as `make_query` and `controller_step` take it."""
        return query

    def _skip(self, inputs, state, noise):
        """Return the state after ``skipped`` output symbols, made hard, in Θ(log n) each, without a gradient.

        Leaves that were not written keep the gradient of EMBED.
        """
        memory, n = self.memory, inputs["symbols"].shape[1]
        nothing = inputs["symbols"][:, 0, :0]
        quiet = memory.grow(inputs["symbols"], inputs.get("filled", inputs["lengths"]))

        def step(_, state):
            return self.hard_step(state, nothing, inputs["symbols"])[0], []

        begun = tf.nest.map_structure(tf.stop_gradient, State(quiet, state.controller))
        after, _ = repeat(step, begun, inputs["skipped"][0])
        after = tf.nest.map_structure(tf.stop_gradient, after)

        def written(leaves):
            return ops.where(after.nodes[:, n:] == quiet[:, n:], leaves, after.nodes[:, n:])

        nodes = memory.join_all(written(state.nodes[:, n:]), noise)
        return State(nodes, after.controller, tuple(map(written, state.leaves)))

    def hard_step(self, state, query, symbols, levels=None):
        """Make one output symbol along η paths.

        Args:
            state: a `State`.
            query: ``[batch, k]``, what is asked from outside.
            symbols: ``[batch, n, b]``.
            levels: as in `access_along`: the trees may be smaller than there is room for.

        Returns:
            the `State` after it, ``paths[batch, η, log2 n + 1]`` and ``answer[batch, b]``.
        """
        store, controller, paths, query = Nodes(state.nodes), state.controller, [], self.widen(query)
        for number in range(self.accesses):
            store, path, made = hard_access(self, store, query, controller, number, symbols, levels=levels)
            controller = made.controller
            paths.append(path)
        return State(store.nodes, controller), ops.stack(paths, axis=1), made.answer

    def soft_step(self, state, query, symbols, noise=(), placed=False):
        """Make one output symbol under η soft attentions (Appendix A).

        Args:
            state, query, symbols: as in `hard_step`.
            noise: what `TreeMemory.sample_noise` returned.
            placed: whether the last number of a query is the leaf that the accesses go to; -1 where SEARCH leads.

        Returns:
            the `State` after it, ``p[batch, η, n]`` and ``answer[batch, b]``.
        """
        memory, (nodes, controller, leaves), seen = self.memory, state, []
        query, place = (query[:, :-1], query[:, -1:]) if placed else (query, None)
        query = self.widen(query)
        for number in range(self.accesses):
            p = memory.attend(nodes, self.make_query(query, controller, number), "soft", noise)
            if place is not None:
                p = ops.where(place < 0, p, ops.one_hot(ops.cast(place[:, 0], "int32"), p.shape[1], dtype="float32"))
            values = symbols if self.reads_symbols else leaves[0] if leaves else nodes[:, p.shape[1] :]
            answer, controller, said = self.controller_step(query, controller, read_leaves(values, p))
            if memory.writable:
                nodes = memory.write(nodes, p, said, noise)
                leaves = tuple(memory.write_leaves(true, p, said) for true in leaves)
            seen.append(p)
        return State(nodes, controller, leaves), ops.stack(seen, axis=1), answer

    def make_query(self, query, controller, number):
        """Return ``[batch, l]``, what SEARCH sees in access ``number`` of a timestep.

        Args:
            query: ``[batch, k]``, what is asked from outside in this timestep.
            controller: the controller's states.
            number: from 0 to η - 1.
        """
        raise NotImplementedError

    def controller_step(self, query, controller, read):
        """Return ``answer[batch, b]``, the controller's new states, and ``[batch, l]``, what WRITE sees.

        Args:
            query, controller: as in `make_query`.
            read: ``[batch, d]``, what the access read.
        """
        raise NotImplementedError


@keras.saving.register_keras_serializable("hamlib")
class RawHAM(_TreeModel):
    """Raw HAM: a tree memory with a query from outside for each access (Sec. 4.3, the 2016 code).

    Args:
        memory: a `TreeMemory`, or its config.
        output: ``"symbols"``, the answer is the attended input symbol, Σ_e p(e)·x_e, as in the 2016
            code; or ``"mlp"``, the answer is an MLP of h_a that ends in a sigmoid, as in Sec. 4.3.
        output_hidden: ReLU units in the output MLP; 0 for one layer.
        query_bits: k, as many as an exported model takes; None: l where ``output`` is ``"mlp"``, otherwise 0.

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
        self.query_bits = self.memory.query_width * (output == "mlp") if query_bits is None else query_bits
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
        return self.output_mlp is not None

    @property
    def reads_symbols(self):
        return self.output_mlp is None

    def make_query(self, query, controller, number):
        return query

    def controller_step(self, query, controller, read):
        return self.output_mlp(read[:, None])[:, 0] if self.output_mlp else read, controller, query


@keras.saving.register_keras_serializable("hamlib")
class HAM(_TreeModel):
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
