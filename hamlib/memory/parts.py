"""The learned parts of a memory: EMBED, JOIN, SEARCH and WRITE, in their forms."""

import keras
import numpy as np
from keras import ops

from hamlib.memory.forms import DEFAULTS, DIGITAL, JOINS, NODES, PARTS, WRITES, check_forms, check_parts
from hamlib.memory.mlp import FLOAT32, MLP


class Parts(keras.layers.Layer):
    """EMBED, JOIN, SEARCH and WRITE: the half of a `TreeMemory` that is learned. Its arguments stand there."""

    def __init__(
        self,
        symbol_width,
        node_width=DEFAULTS["node_width"],
        query_width=DEFAULTS["query_width"],
        node=DEFAULTS["node"],
        join=DEFAULTS["join"],
        write=DEFAULTS["write"],
        hidden=None,
        noise=None,
        marks=DEFAULTS["marks"],
        **kwargs,
    ):
        widths = dict(symbol_width=symbol_width, node_width=node_width, query_width=query_width, marks=marks)
        for name, value in widths.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: got {value!r}; expected an integer of at least 1")
        check_forms(node, join, write)
        if join in DIGITAL and marks >= node_width:
            raise ValueError(f"marks: got {marks}; expected fewer than node_width = {node_width}")
        if join == "digits" and node_width != query_width + marks:
            raise ValueError(f"node_width: got {node_width}; expected query_width + marks = {query_width + marks}")
        hidden = check_parts("hidden", DEFAULTS["hidden"] if hidden is None else hidden, PARTS, int)
        noise = check_parts("noise", {} if noise is None else noise, PARTS[:3], float)
        super().__init__(**kwargs | FLOAT32)
        self.config = widths | dict(node=node, join=join, write=write, hidden=hidden, noise=noise)
        self.symbol_width, self.node_width, self.query_width, _ = widths.values()
        self.writable = write is not None
        self.carried = carried = node_width - marks if join == "carry" else node_width

        # JOIN makes the value itself; or the marks, and g; or H, T and g.
        self.join_units = dict(new=node_width, digits=marks, carry=marks + 1).get(join, 2 * node_width + 1)
        self.seen = marks if join == "digits" else node_width  # how many coordinates of a child JOIN sees
        self.join_noise = self.join_units + 2 * self.seen * (join == "digits")  # its width: on what JOIN sees, too
        ends = dict(activation="hard_tanh") if join == "carry" else NODES[node]
        self.embed = MLP(symbol_width, carried, hidden=hidden["embed"], noise=noise["embed"], **NODES[node])
        self.join = MLP(2 * self.seen, self.join_units, hidden=hidden["join"], noise=noise["join"], **ends)
        ask = dict(query_width=query_width, hidden=hidden["search"], noise=noise["search"])
        self.search = MLP(node_width, 1, activation="sigmoid", **ask)
        self.write_gate = self.write_value = None  # T and H
        if write in ("highway", "emptying"):
            sees = dict(query_width=query_width, hidden=hidden["write"], activation="sigmoid")
            self.write_gate, self.write_value = MLP(carried, carried, **sees), MLP(carried, carried, **sees)
            for mlp, bias in (self.write_gate, WRITES[write]["empties"]), (self.write_value, -WRITES[write]["empties"]):
                (mlp.last or mlp.first).bias.assign(bias * np.ones(carried))
        elif write and write != "put":
            self.write_value = MLP(query_width, carried, hidden=hidden["write"], **WRITES[write])
        if JOINS[join]:
            self.join.norm.beta.assign(-JOINS[join] * (np.arange(self.join_units) // node_width == 1))  # T's
        self.digital = None
        if join in DIGITAL:
            self.digital = self.add_weight(name="digital", shape=(), initializer="zeros", trainable=False)
        self.built = True

    def get_config(self):
        return super().get_config() | self.config

    def _joined(self, pairs, noise=None):
        """JOIN of ``pairs[batch, k, 2d]``, left and right child side by side: ``[batch, k, d]``."""
        d, form = self.node_width, self.config["join"]
        left, right = pairs[..., :d], pairs[..., d:]
        if form == "digits":  # a subtree without anything is zeros at every height
            marks = ops.concatenate([left[..., -self.seen :], right[..., -self.seen :]], axis=-1)
            made = self._digits(self.join(marks, noise=noise))
            made = ops.where(ops.any(marks != 0, axis=-1, keepdims=True), made, 0.0)
            return ops.concatenate([ops.zeros_like(left[..., : -self.seen]), made], axis=-1)
        made = self.join(pairs, noise=noise)
        if form == "new":
            return made
        if form == "carry":
            made = self._digits(made)
        from_right = (made[..., -1:] + 1) / 2  # from [-1, 1] to [0, 1]
        copied = from_right * right + (1 - from_right) * left
        if form == "carry":
            return ops.concatenate([copied[..., : self.carried], made[..., :-1]], axis=-1)
        new = (made[..., d : 2 * d] + 1) / 2
        return new * made[..., :d] + (1 - new) * copied

    def _digits(self, made):
        """Round to -1 and 1 where the memory is digital, with the gradient of what is not rounded."""
        rounded = ops.where(self.digital > 0.5, ops.where(made > 0, 1.0, -1.0), made)
        return ops.stop_gradient(rounded) + (made - ops.stop_gradient(made))  # in this order it is exact

    def _marked(self, leaves):
        """``leaves[..., carried]`` with marks of 0: ``[..., d]``."""
        marks = self.node_width - self.carried
        return ops.pad(leaves, [(0, 0)] * (len(leaves.shape) - 1) + [(0, marks)]) if marks else leaves

    def written(self, leaves, query):
        """WRITE of ``leaves[batch, k, d]`` in its highway form: ``T * H + (1 - T) * h_a``; where it replaces, H."""
        if self.config["write"] == "put":  # the first bit of an operation says that it is a POP
            new = (1 - query[:, :1]) * ops.pad(query, ((0, 0), (0, self.seen)), constant_values=1.0)
            return ops.broadcast_to(new[:, None], ops.shape(leaves))
        if not self.write_gate:
            new = self._marked(self.write_value(query[:, None]))
            return ops.broadcast_to(new, ops.shape(leaves))
        leaves = leaves[..., : self.carried]
        gate = self.write_gate(leaves, query)
        return self._marked(gate * self.write_value(leaves, query) + (1 - gate) * leaves)
