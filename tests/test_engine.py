"""Compiled loops and live structures against NumPy loops and against each other."""

import keras
import numpy as np
import pytest
import reference
from test_memory import memory_of

from hamlib.models import HAM, Online, RawHAM
from hamlib.pretrained import LiveStructure, load_pretrained
from hamlib.recipes import Recipe
from hamlib.tasks import STRUCTURES, get_task
from hamlib.training import build


def two_accesses():
    return HAM(memory_of(), answer_width=3, accesses=2, numbered=True)


def no_controller():
    return RawHAM(memory_of())


@pytest.mark.parametrize("make, chunk", [(no_controller, 3), (no_controller, 100), (two_accesses, 4)])
def test_the_engine_goes_where_the_model_goes(make, chunk):
    """Leaf by leaf and bit by bit, wherever the loop is cut."""
    keras.utils.set_random_seed(1)
    model, draw = make(), np.random.default_rng(0)
    inputs = {"symbols": draw.integers(0, 2, (5, 8, 3)).astype("float32"), "lengths": np.array([8, 1, 3, 5, 7])}
    inputs |= {"queries": np.zeros((5, 7, 0), "float32")}
    chunks = list(model.visits(inputs, chunk=chunk, watched=True))
    assert [visit.answers.shape[1] for visit in chunks] == {3: [3, 3, 1], 4: [4, 3], 100: [7]}[chunk]
    paths, answers = (np.concatenate([visit[k] for visit in chunks], axis=1) for k in (1, 2))
    for t, (_, where, answer) in enumerate(model.trace(inputs)):
        np.testing.assert_array_equal(paths[:, t], np.stack(where, axis=1))
        np.testing.assert_allclose(answers[:, t], answer, atol=1e-5)
    np.testing.assert_allclose(model(inputs, attention="hard"), answers, atol=1e-5)
    assert len(np.unique(paths[..., -1])) > 1


@pytest.mark.parametrize(
    "n, more, message",
    [
        (6, {}, "n: got 6; a full binary tree needs a power of two"),
        (8, dict(chunk=2.5), "chunk: got 2.5; expected a positive integer"),
        (2**40, {}, r"n: got 1,099,511,627,776 leaves, which need about [\d,]+ GB; there are [\d,]+ GB"),
    ],
)
def test_bad_arguments(n, more, message):
    symbols = np.broadcast_to(np.float32(0), (1, n, 3))  # takes no memory
    with pytest.raises(ValueError, match=message):
        next(RawHAM(memory_of()).visits({"symbols": symbols, "lengths": [1]}, **more))


def untrained(name):
    keras.utils.set_random_seed(4)
    return build(Recipe(task=name, memory="book-take"))


@pytest.mark.parametrize("name", [kind.name for kind in STRUCTURES])
def test_one_operation_after_the_other_is_the_batch(name):
    """Answers, paths and nodes are those of the walk and of NumPy loops, and only a path changes."""
    model, (inputs, _) = untrained(name), get_task(name).examples(16, 1, 0, 0)
    online = Online(model, 16)
    nodes = reference.join_above(model.memory, np.zeros((32, 32)))
    answers = model(inputs, attention="hard")[0]
    paths = [where[0][0] for _, where, _ in model.trace(inputs)]
    for operation, expected, way in zip(inputs["queries"][0], answers, paths, strict=True):
        before = online.nodes.numpy()
        answer, path = online.operate(operation)
        np.testing.assert_allclose(answer, expected, atol=1e-5)
        np.testing.assert_array_equal(path, way)
        np.testing.assert_array_equal(path, reference.attend_hard(model.memory, nodes, operation))
        nodes = reference.write_hard(model.memory, nodes, path, operation)
        np.testing.assert_allclose(online.nodes, nodes, atol=1e-4)
        unvisited = np.setdiff1d(np.arange(32), path)
        np.testing.assert_array_equal(online.nodes.numpy()[unvisited], before[unvisited])
    assert len(np.unique(paths)) > 5


def test_a_structure_counts_and_refuses():
    """Full, empty, too wide, a priority twice: an error, and nothing has changed."""
    queue = LiveStructure(untrained("priority-queue"), get_task("priority-queue"), 4)
    with pytest.raises(IndexError, match="pop: the priority-queue is empty"):
        queue.pop()
    assert queue.path is None
    queue.push(3, 9)
    queue.push(100, 1)
    nodes = queue.memory.nodes.numpy()
    for bad, message in [
        ((3, 1), "priority: got 3, which is there already"),
        ((4, 32), "value: got 32; expected 5 bits, 0 to 31"),
        ((4,), "push: got 1 arguments; expected priority, value"),
    ]:
        with pytest.raises(ValueError, match=message):
            queue.push(*bad)
    np.testing.assert_array_equal(queue.memory.nodes, nodes)
    assert len(queue) == 2 and 0 <= queue.pop() < 32 and len(queue) == 1  # 100 has gone, 3 has not
    queue.push(100, 2)
    queue.push(50, 2)
    queue.push(49, 2)
    assert not np.array_equal(queue.memory.nodes, nodes)
    nodes = queue.memory.nodes.numpy()
    with pytest.raises(ValueError, match="push: the priority-queue is full; it holds 4 things"):
        queue.push(51, 2)
    assert len(queue) == 4 and queue.path[0] == 1 and 4 <= queue.path[-1] < 8
    np.testing.assert_array_equal(queue.memory.nodes, nodes)


@pytest.mark.parametrize(
    "name, next_of", [("stack", lambda held: held[-1]), ("queue", lambda held: held[0]), ("priority-queue", max)]
)
def test_the_shipped_structures_answer_as_a_list_does(name, next_of):
    """The paper's test, streamed: five rows of 32 operations."""
    draw, judged = np.random.default_rng(0), 0
    for _ in range(5):
        learned, right = load_pretrained(name).start(32), []
        priorities = 4 * draw.permutation(32)
        for t in range(32):
            if right and draw.integers(32) < t:
                right.remove(expected := next_of(right))
                assert learned.pop() == expected[-1]
                judged += 1
            else:
                value = int(draw.integers(32))
                right.append((int(priorities[t]), value) if name == "priority-queue" else (t, value))
                learned.push(*right[-1][name != "priority-queue" :])
        assert len(learned) == len(right)
    assert judged > 50


@pytest.mark.parametrize(
    "n, message", [(6, "n: got 6; a full binary tree"), (2**40, "n: got 1,099,511,627,776 leaves")]
)
def test_bad_sizes_of_a_structure(n, message):
    with pytest.raises(ValueError, match=message):
        LiveStructure(untrained("stack"), get_task("stack"), n)
