"""The tree memory once more, in NumPy loops: one tree, one node at a time, as the paper says it."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": sigmoid,
    "hard_tanh": lambda x: np.clip(x, -1, 1),
}


def mlp(layer, *inputs):
    """One MLP on the concatenated inputs, from the weights of a `hamlib.memory.MLP`."""
    x = np.concatenate(inputs).astype("float64")
    kernel = np.asarray(layer.first.kernel)
    if layer.query is not None:
        kernel = np.concatenate([kernel, np.asarray(layer.query.kernel)])
    x = x @ kernel + (np.asarray(layer.first.bias) if layer.first.use_bias else 0)
    if layer.last is not None:
        x = np.maximum(x, 0) @ np.asarray(layer.last.kernel)
        x = x + (np.asarray(layer.last.bias) if layer.last.use_bias else 0)
    if layer.norm is not None:
        x = (x - x.mean()) / np.sqrt(x.var() + layer.norm.epsilon)
        x = x * np.asarray(layer.norm.gamma) + np.asarray(layer.norm.beta)
    return ACTIVATIONS[layer.activation.__name__](x)


def grow(memory, symbols, m):
    """nodes[2n, d] for symbols[n, b] of which the first m are the input."""
    n = len(symbols)
    nodes = np.zeros((2 * n, memory.node_width))
    for k in range(m):
        nodes[n + k] = marked(memory, mlp(memory.embed, symbols[k]))
    return join_above(memory, nodes)


def marked(memory, carried):
    """A leaf: the marks of a digital memory, its last coordinates, are 0."""
    return np.concatenate([carried, np.zeros(memory.node_width - len(carried))])


def join(memory, left, right):
    made = mlp(memory.join, left, right)
    if memory.config["join"] == "new":
        return made
    if memory.config["join"] == "carry":
        if memory.digital > 0:
            made = np.where(made > 0, 1.0, -1.0)
        carried, g = len(left) - memory.config["marks"], (made[-1] + 1) / 2
        return np.concatenate([g * right[:carried] + (1 - g) * left[:carried], made[:-1]])
    value, new, from_right = made[: len(left)], (made[len(left) : -1] + 1) / 2, (made[-1] + 1) / 2
    return new * value + (1 - new) * (from_right * right + (1 - from_right) * left)


def join_above(memory, nodes):
    for i in reversed(range(1, len(nodes) // 2)):
        nodes[i] = join(memory, nodes[2 * i], nodes[2 * i + 1])
    return nodes


def attend_soft(memory, nodes, query):
    """p[n]: each leaf's probability is the product of the decisions above it."""
    n = len(nodes) // 2
    p = np.ones(n)
    for k in range(n):
        node = n + k
        while node > 1:
            parent = node // 2
            right = mlp(memory.search, nodes[parent], query)[0]
            p[k] *= right if node % 2 else 1 - right
            node = parent
    return p


def attend_hard(memory, nodes, query):
    """The rows from the root to a leaf."""
    path = [1]
    while path[-1] < len(nodes) // 2:
        right = mlp(memory.search, nodes[path[-1]], query)[0] > 0.5
        path.append(2 * path[-1] + int(right))
    return path


def written(memory, leaf, query):
    if memory.write_gate is None:
        return marked(memory, mlp(memory.write_value, query))
    leaf = leaf[: memory.carried]
    gate = mlp(memory.write_gate, leaf, query)
    return marked(memory, gate * mlp(memory.write_value, leaf, query) + (1 - gate) * leaf)


def write_soft(memory, nodes, p, query):
    nodes, n = nodes.copy(), len(p)
    for k in range(n):
        nodes[n + k] = p[k] * written(memory, nodes[n + k], query) + (1 - p[k]) * nodes[n + k]
    return join_above(memory, nodes)


def write_hard(memory, nodes, path, query):
    nodes = nodes.copy()
    nodes[path[-1]] = written(memory, nodes[path[-1]], query)
    for i in reversed(path[:-1]):
        nodes[i] = join(memory, nodes[2 * i], nodes[2 * i + 1])
    return nodes
