"""The machine at speed: all accesses of a tree, found level by level.

Without operations, what a subtree does at its k-th access depends on nothing outside. So each subtree is two rows,
known once for all: the state of its root after k accesses, and the leaf that the k-th visits. Those of a node follow
from its children's: it looks at the JOIN of their states, and moves on in the one SEARCH goes to. Nodes of one height
go together.
"""

import functools

import numpy as np
import tensorflow as tf

UNROLLED = 2  # accesses in one turn of the compiled loop
FEW = 512  # up to so many accesses of wide rows are made in NumPy, without compilation


def places(machine, leaves, accesses):
    """Return where accesses go, one after the other, as a model's that answers with zero queries.

    Args:
        machine: a `TreeMachine` without operations, best merged.
        leaves: ``[n]``, the states of the leaves, n a power of two.
        accesses: how many, 1 to n.

    Returns:
        ``[accesses]``, int32, places 0 to n - 1.

    Raises:
        ValueError: so many accesses are not 1 to n, or the machine visits a leaf twice.
    """
    n = len(leaves)
    if not 1 <= accesses <= n:
        raise ValueError(f"accesses: got {accesses}; expected 1 to n = {n}")
    join, right = np.maximum(machine.join, 0).astype(np.int32).ravel(), (machine.right[0] == 1).astype(np.int32)
    leaves = np.asarray(leaves, np.int32)
    states = np.stack([leaves, np.maximum(machine.written[0, leaves], 0)]).astype(np.int32)  # [k, subtree]
    visited = np.arange(n, dtype=np.int32)[None]
    while visited.shape[1] > 1:
        steps = min(accesses, 2 * visited.shape[0])
        if steps <= FEW:
            states, visited = _above(states, visited, join, right, machine.states, steps)
        else:
            states, visited = _compiled(*visited.shape, steps)(states, visited, join, right, machine.states)
    visited = np.asarray(visited)[:accesses, 0]
    if len(np.unique(visited)) < accesses:
        raise ValueError("machine: it visits a leaf twice")
    return visited


def _above(states, visited, join, right, size, steps):
    """One level up in NumPy, as `_compiled`."""
    known, subtrees = visited.shape
    pairs = subtrees // 2
    left, beside = np.arange(0, subtrees, 2), np.arange(1, subtrees, 2)  # where in the rows each child stands
    flat, leaf = states.ravel(), visited.ravel()
    made, went = np.empty((steps + 1, pairs), np.int32), np.empty((steps, pairs), np.int32)
    for k in range(steps):
        made[k] = state = join[flat[left] * size + flat[beside]]
        way = right[state]
        went[k] = leaf[np.minimum(np.where(way, beside, left), len(leaf) - 1)]
        left, beside = left + subtrees * (1 - way), beside + subtrees * way
        left, beside = (np.minimum(at, known * subtrees + at % subtrees) for at in (left, beside))
    made[steps] = join[flat[left] * size + flat[beside]]
    return made, went


@functools.lru_cache(maxsize=64)
def _compiled(known, subtrees, steps):
    """One level up: from ``[known + 1, subtrees]`` to ``[steps + 1, subtrees / 2]``."""
    pairs = subtrees // 2
    base = tf.range(pairs) * 2
    turns = -(-steps // UNROLLED) if steps >= UNROLLED else 1
    unrolled = UNROLLED if steps >= UNROLLED else steps

    @tf.function(jit_compile=True, autograph=False)
    def advance(states, visited, join, right, size):
        states, visited = tf.reshape(states, [-1]), tf.reshape(visited, [-1])

        def turn(t, left, beside, made, went):
            for nth in range(unrolled):
                k = t * unrolled + nth
                state = tf.gather(
                    join,
                    tf.gather(states, left * subtrees + base) * size + tf.gather(states, beside * subtrees + base + 1),
                )
                way = tf.gather(right, state)
                at = tf.minimum(tf.where(way == 1, beside, left), known - 1) * subtrees + base + way
                made = tf.tensor_scatter_nd_update(made, [[k]], state[None])
                went = tf.tensor_scatter_nd_update(went, [[k]], tf.gather(visited, at)[None])
                left, beside = tf.minimum(left + 1 - way, known), tf.minimum(beside + way, known)
            return t + 1, left, beside, made, went

        zeros = tf.zeros([pairs], tf.int32)
        room = tf.zeros([turns * unrolled + 1, pairs], tf.int32)
        begun = (tf.constant(0), zeros, zeros, room, room)
        _, left, beside, made, went = tf.while_loop(lambda t, *_: t < turns, turn, begun)
        last = tf.gather(
            join, tf.gather(states, left * subtrees + base) * size + tf.gather(states, beside * subtrees + base + 1)
        )
        made = tf.tensor_scatter_nd_update(made, [[steps]], last[None])
        return made[: steps + 1], went[:steps]

    return advance
