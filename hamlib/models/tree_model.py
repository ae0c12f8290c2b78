"""What all models with a tree memory share: a call, and one output symbol after the other, soft or hard."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from hamlib.memory import FLOAT32, TreeMemory, check_attention, read_leaves
from hamlib.models.access import Nodes, hard_access, repeat
from hamlib.models.answering import Answering
from hamlib.models.exporting import Exporting
from hamlib.models.loop import ManySteps, recurrent


class State(NamedTuple):
    """What one output symbol hands to the next."""

    nodes: Any  # [batch, 2n, d]
    controller: tuple = ()  # the controller's states
    leaves: tuple = ()  # with decoys: [batch, n, d], what is read and written, while `nodes` are searched


class TreeModel(Answering, Exporting, ManySteps, keras.Model):
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
        if "written" in inputs:
            nodes = self.memory.grow_written(inputs["written"], inputs["filled"])
        else:
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
