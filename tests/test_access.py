"""One hard access over its three stores, against NumPy loops; and the loops that answer."""

import keras
import numpy as np
import psutil
import pytest
import reference
import tensorflow as tf
from test_memory import memory_of

from hamlib.models import HAM, Online, RawHAM
from hamlib.models.access import Held, Journal, Nodes, around, hard_access
from hamlib.pretrained import load_pretrained


def array(nodes, accesses):
    return Nodes(tf.constant(nodes)), lambda store: store.nodes


def journal(nodes, accesses):
    rows = tf.tile(tf.range(nodes.shape[1])[None, :, None], [len(nodes), 1, 1])
    store = Journal.begin(tf.constant(nodes), rows, accesses)
    return store, lambda store: store.look(tf.tile(tf.range(nodes.shape[1])[None], [len(nodes), 1]))


def variable(nodes, accesses):
    return Held(tf.Variable(nodes[0])), lambda store: store.variable[None]


@pytest.mark.parametrize("make", [array, journal, variable])
@pytest.mark.parametrize("n", [1, 2, 16])
def test_random_accesses_over_every_store_are_numpys(make, n):
    """Paths, answers and all nodes after each of seven accesses, with decisions wherever the thresholds say."""
    keras.utils.set_random_seed(2)
    memory = memory_of()
    model, draw = RawHAM(memory, output="mlp"), np.random.default_rng(n)
    batch = 1 if make is variable else 3
    trees = [reference.join_above(memory, draw.normal(size=(2 * n, memory.node_width))) for _ in range(batch)]
    store, nodes_of = make(np.stack(trees).astype("float32"), 7)
    queries = draw.normal(size=(7, batch, memory.query_width)).astype("float32")
    thresholds = draw.uniform(size=(7, batch, n.bit_length() - 1)).astype("float32")
    visited = set()
    for query, limits in zip(queries, thresholds, strict=True):
        store, paths, made = hard_access(model, store, query, (), 0, tf.zeros([batch, n, 0]), limits)
        for k in range(batch):
            path = [1]
            for limit in limits[k]:
                path.append(2 * path[-1] + int(reference.mlp(memory.search, trees[k][path[-1]], query[k])[0] > limit))
            np.testing.assert_array_equal(paths[k], path)
            answer = reference.mlp(model.output_mlp, trees[k][path[-1]])
            np.testing.assert_allclose(made.answer[k], answer, rtol=1e-3, atol=1e-4)
            trees[k] = reference.write_hard(memory, trees[k], path, query[k])
            visited.add(path[-1])
        np.testing.assert_allclose(nodes_of(store)[:, 1:], np.stack(trees)[:, 1:], rtol=1e-3, atol=1e-4)
    assert len(visited) > 1 or n == 1


def test_a_tree_may_lie_in_a_larger_room():
    """With fewer levels than there is room for, an access is that of the tree alone, and changes no row beyond it."""
    memory = memory_of()
    model, draw = HAM(memory, answer_width=3), np.random.default_rng(0)
    symbols = draw.integers(0, 2, (2, 4, 3)).astype("float32")
    nodes, controller, _ = model.start({"symbols": symbols, "lengths": np.array([4, 3])})
    room = tf.pad(nodes, [[0, 0], [0, 24], [0, 0]])
    roomy = tf.pad(symbols, [[0, 0], [0, 12], [0, 0]])
    query = tf.zeros([2, 0])
    small, path, made = hard_access(model, Nodes(nodes), query, controller, 0, symbols)
    large, way, made_there = hard_access(model, Nodes(room), query, controller, 0, roomy, levels=tf.constant(2))
    np.testing.assert_array_equal(way, tf.pad(path, [[0, 0], [0, 2]]))
    np.testing.assert_allclose(made_there.answer, made.answer, atol=1e-6)
    np.testing.assert_allclose(large.nodes[:, 1:8], small.nodes[:, 1:], atol=1e-6)
    np.testing.assert_array_equal(large.nodes[:, 8:], room[:, 8:])


def test_the_journal_says_what_an_access_saw():
    nodes = np.random.default_rng(0).normal(size=(2, 8, 5)).astype("float32")
    store, _ = journal(nodes, 2)
    path = tf.constant([[1, 2, 5], [1, 3, 6]])
    values = tf.random.normal([2, 3, 5])
    after = store.update(path, values)
    np.testing.assert_array_equal(after.seen, around(path))
    np.testing.assert_array_equal(after.look(path), values)
    np.testing.assert_array_equal(after.look(tf.constant([[4], [7]])), nodes[[0, 1], [4, 7]][:, None])
    again = after.update(path[:, ::1], values + 1)
    np.testing.assert_array_equal(again.seen[:, :3], [[8, 9, 10]] * 2)


@pytest.mark.parametrize("batch", [1, 5, 20])
@pytest.mark.parametrize("attention", ["soft", "hard"])
def test_slices_and_filling_change_no_answer(batch, attention):
    """However a batch is cut, however long the loop and large the room, each input is answered as it is alone."""
    model, draw = HAM(memory_of(), answer_width=3, accesses=2), np.random.default_rng(0)
    inputs = {"symbols": draw.integers(0, 2, (batch, 8, 3)).astype("float32"), "queries": np.zeros((batch, 5, 0), "f")}
    inputs["lengths"] = draw.integers(1, 9, batch).astype("int32")
    together = model.respond(inputs, attention)
    assert together.shape == (batch, 5, 3)
    plain = tf.function(lambda: model.respond(inputs, attention))()  # one graph, one shape
    np.testing.assert_allclose(together, plain, atol=1e-5)
    last = {name: value[-1:] for name, value in inputs.items()}
    np.testing.assert_allclose(model.respond(last, attention)[0], together[-1], atol=1e-5)


def test_answers_of_many_sizes_take_no_more_memory():
    """Sixty sizes share few compiled loops."""
    sorter, draw = load_pretrained("raw-sort"), np.random.default_rng(0)
    for batch in (1, 16):
        sorter.answer(draw.integers(0, 2, (batch, 100, 10)))
    process = psutil.Process()
    before = process.memory_info().rss
    for _ in range(60):
        sorter.answer(draw.integers(0, 2, (int(draw.integers(1, 40)), int(draw.integers(1, 200)), 10)))
    assert process.memory_info().rss - before < 150e6
    assert sorter.model._compiled.advance_hard.experimental_get_tracing_count() == 2  # a single input, and sixteen


def test_a_live_structure_goes_on_for_ever():
    """Full means that n things are in it, not that n were pushed."""
    stack = load_pretrained("stack").start(4)
    for _ in range(20):
        for value in (1, 2, 3, 4):
            stack.push(value)
        with pytest.raises(ValueError, match="push: the stack is full; it holds 4 things"):
            stack.push(5)
        for _ in range(4):
            stack.pop()
    assert len(stack) == 0 and isinstance(stack.memory, Online)
