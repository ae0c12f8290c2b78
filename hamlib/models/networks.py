"""Models: a tree memory with something that asks it questions.

`RawHAM` (Sec. 4.3) has no controller: the query of an access is an operation from outside, or a
zero vector where nothing is asked, as in the 2016 code. `HAM` (Sec. 3.1) has one: an LSTM, whose state asks.
"""

import keras
from keras import ops

from hamlib.memory import MLP, TreeMemory, check_attention, read_leaves
from hamlib.models.loop import repeat

OUTPUTS = ("symbols", "mlp")


class _TreeModel(keras.Model):
    """What `RawHAM` and `HAM` share: a memory, T output symbols one after the other, and `trace`.

    A subclass says what is asked of the memory and what is made of what it reads: `make_query` and `controller_step`.
    """

    accesses = 1
    controller_states = 0  # how many tensors are the controller's state
    reads_symbols = False  # whether an access reads the input symbol at a leaf, not the leaf's value

    def __init__(self, memory, **kwargs):
        super().__init__(**kwargs)
        self.memory = memory if isinstance(memory, TreeMemory) else TreeMemory(**memory)

    def get_config(self):
        return super().get_config() | dict(memory=keras.saving.serialize_keras_object(self.memory))

    @classmethod
    def from_config(cls, config):
        return cls(**(config | {"memory": keras.saving.deserialize_keras_object(config["memory"])}))

    def call(self, inputs, attention="soft", training=False):
        check_attention(attention)
        for aid in ("decoys", "places"):
            if aid in inputs and attention == "hard":
                raise ValueError(f"attention: got 'hard' for a model that is given {aid}; expected 'soft'")
        noise = self.memory.sample_noise(*ops.shape(inputs["symbols"])[:2]) if training else []
        queries, states = self._start(inputs, noise)
        if "skipped" in inputs:
            states = self._skip(inputs, queries[:, 0], states, noise)

        if "places" in inputs:
            queries = ops.concatenate([queries, ops.cast(inputs["places"], "float32")[..., None]], axis=2)

        def step(query, states, constants):
            symbols, *noise = constants
            query, place = (query[:, :-1], query[:, -1]) if "places" in inputs else (query, None)
            return self._step(query, states, symbols, attention, noise, place)[:2]

        constants = [ops.convert_to_tensor(inputs["symbols"]), *noise]
        return repeat(step, queries, states, constants, self.trainable_variables if training else None)

    def _skip(self, inputs, query, states, noise):
        """Return the states after ``skipped`` output symbols, made hard, in Θ(log n) each, without a gradient.

        Leaves that were not written keep the gradient of EMBED.
        """
        (nodes, *controller), memory = states[:3], self.memory
        n = nodes.shape[1] // 2
        quiet = memory.grow(inputs["symbols"], inputs.get("filled", inputs["lengths"]))

        def step(_, before):
            return tuple(self._step(query, before, inputs["symbols"], "hard", [])[1])

        before = tuple(ops.stop_gradient(state) for state in (quiet, *controller))
        after = ops.fori_loop(0, inputs["skipped"][0], step, before)
        walked, *controller = [ops.stop_gradient(state) for state in after]

        def written(leaves):
            return ops.where(walked[:, n:] == quiet[:, n:], leaves, walked[:, n:])

        return [memory.join_all(written(nodes[:, n:]), noise), *controller, *map(written, states[3:])]

    def trace(self, inputs, attention="hard"):
        """Answer one output symbol at a time, and show the way: what pictures of a model at work are drawn from.

        Args:
            inputs, attention: as in a call.

        Yields:
            for each output symbol ``(nodes, where, answer)``: ``nodes[batch, 2n, d]`` before it, a list of
            what `TreeMemory.attend` returned at each of its accesses, and ``answer[batch, b]``.
        """
        check_attention(attention)
        queries, states = self._start(inputs, [])
        for t in range(queries.shape[1]):
            nodes = states[0]
            answer, states, where = self._step(queries[:, t], states, inputs["symbols"], attention, [])
            yield nodes, where, answer

    def _start(self, inputs, noise):
        """Return ``queries[batch, T, ...]`` and the states before the first output symbol, the nodes first."""
        nodes = self.memory.grow(inputs["symbols"], inputs.get("filled", inputs["lengths"]), noise)
        return inputs.get("queries", nodes[:, :1, :0]), [nodes]  # T = 1 and nothing asked, where nothing is said

    def _step(self, query, states, symbols, attention, noise, place=None):
        """Return one output symbol, the states after it, and where its accesses went: to ``place[batch]``, if given."""
        (nodes, *controller), memory, paths = states, self.memory, []
        controller, leaves = controller[: self.controller_states], controller[self.controller_states :]
        for number in range(self.accesses):
            where = memory.attend(nodes, self.make_query(query, controller, number), attention, noise)
            if place is not None:
                where = ops.where(place[:, None] < 0, where, ops.one_hot(ops.cast(place, "int32"), where.shape[1]))
            if self.reads_symbols or leaves:
                read = read_leaves(symbols if self.reads_symbols else leaves[0], where)
            else:
                read = memory.read(nodes, where)
            answer, controller, said = self.controller_step(query, controller, read)
            if memory.writable:
                nodes = memory.write(nodes, where, said, noise)
                leaves = [memory.write_leaves(true, where, said) for true in leaves]
            paths.append(where)
        return answer, [nodes, *controller, *leaves], paths

    def make_query(self, query, controller, number):
        """Return ``[batch, l]``, what SEARCH sees in access ``number`` of a timestep.

        Args:
            query: ``[batch, k]``, what is asked from outside in this timestep.
            controller: the states of the controller, a list.
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

    Raises:
        ValueError: ``output`` is not known.

    Call arguments:
        inputs: a dict of ``symbols[batch, n, b]``, n a power of two; ``lengths[batch]``, m of each
            input (or ``filled[batch, n]``, the leaves that hold it); and, unless there is but one access,
            ``queries[batch, T, l]``, or ``[batch, T, 0]`` for T accesses with a zero query. With
            ``skipped[batch]``, all equal, so many output symbols are made, hard, before the first of the T. With
            ``places[batch, T]``, for soft attention only, an access goes to the leaf that stands there, and where
            SEARCH leads to only where that is -1.
        attention: ``"soft"`` or ``"hard"``.
        training: whether the memory's noise is on.

    Returns:
        ``[batch, T, b]``, the probability that each output bit is 1.
    """

    def __init__(self, memory, output="symbols", output_hidden=0, **kwargs):
        super().__init__(memory, **kwargs)
        if output not in OUTPUTS:
            raise ValueError(f"output: unknown {output!r}; known: {', '.join(OUTPUTS)}")
        self.output_kind, self.output_hidden = output, output_hidden
        self.output_mlp = None
        if output == "mlp":
            self.output_mlp = MLP(
                self.memory.node_width, self.memory.symbol_width, hidden=output_hidden, activation="sigmoid"
            )
        self.built = True

    def get_config(self):
        return super().get_config() | dict(output=self.output_kind, output_hidden=self.output_hidden)

    def _start(self, inputs, noise):
        queries, states = super()._start(inputs, noise)
        if queries.shape[2] == 0:
            queries = queries @ ops.zeros((0, self.memory.query_width))
        return queries, states

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

    controller_states = 2

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
        self.controller = keras.layers.LSTMCell(self.memory.query_width)
        self.controller.build((None, self.memory.node_width))
        self.output_layer = keras.layers.Dense(answer_width, activation="sigmoid")
        self.output_layer.build((None, self.memory.query_width))
        self.built = True

    def get_config(self):
        return super().get_config() | dict(
            answer_width=self.answer_width, accesses=self.accesses, numbered=self.numbers is not None
        )

    def _start(self, inputs, noise):
        steps, (nodes,) = super()._start(inputs, noise)
        leaves = []
        if "decoys" in inputs:  # the leaves, once for the tree over them and once for what is read
            leaves = [nodes[:, nodes.shape[1] // 2 :]]
            nodes = self.memory.grow(inputs["decoys"], inputs.get("filled", inputs["lengths"]), noise)
        return steps, [nodes, *self.controller.get_initial_state(ops.shape(nodes)[0]), *leaves]

    def make_query(self, query, controller, number):
        h = controller[0]
        return h if self.numbers is None else h + ops.take(self.numbers, number, axis=0)

    def controller_step(self, query, controller, read):
        h, controller = self.controller(read, controller)
        return self.output_layer(h), controller, h
