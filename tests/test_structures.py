"""The three data structures: operations and what each POP returns."""

import numpy as np
import pytest

from hamlib.pretrained import load_pretrained
from hamlib.tasks import STRUCTURES, get_task

NAMES = [kind.name for kind in STRUCTURES]
TAKE = {
    "stack": lambda held: held.pop(),
    "queue": lambda held: held.pop(0),
    "priority-queue": lambda held: held.pop(held.index(max(held, key=lambda pushed: pushed[:7]))),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n, lengths", [(1, None), (8, (1, 8)), (32, (1, 32)), (128, (65, 128))])
def test_answers_are_those_of_plain_python(name, n, lengths):
    inputs, targets = get_task(name).examples(n, 50, 3, 1, lengths, kinds=("alike",))
    operations, targets = np.asarray(inputs["queries"]).astype(int), np.asarray(targets).astype(int)
    judged = 0
    for row, answers in zip(operations, targets, strict=True):
        held = []
        for (pop, *pushed), answer in zip(row, answers, strict=True):
            if not pop:
                held.append(pushed)
                assert (answer == -1).all()
            elif answer[0] >= 0:
                assert TAKE[name](held)[-5:] == answer.tolist()
                judged += 1
    assert judged > 0 or n == 1  # a single operation is a PUSH


def test_pops_are_more_and_more_often():
    """The t-th of m operations is a POP with probability t/m (Sec. 4.3), unless nothing is left."""
    pops = np.asarray(get_task("stack").examples(32, 4000, 0, 0)[0]["queries"])[..., 0]
    left = np.cumsum(1 - 2 * pops, axis=1)
    assert (left >= 0).all() and not pops[:, 0].any()
    for t in (2, 8, 16, 24, 32):  # t from 1
        possible = left[:, t - 2] > 0
        assert abs(pops[possible, t - 1].mean() - t / 32) < 5 * np.sqrt(0.25 / possible.sum())


@pytest.mark.parametrize("name", NAMES)
def test_leaves_are_empty_and_operations_are_queries(name):
    task = get_task(name)
    inputs, targets = task.examples(8, 5, 0, 0, leaves=32)
    assert inputs["symbols"].shape == (5, 32, 0) and not np.asarray(inputs["lengths"]).any()
    assert inputs["queries"].shape == (5, 8, task.symbol_width) and targets.shape == (5, 8, 5)


@pytest.mark.parametrize("leaves", [8, 32])
def test_a_place_for_each_push(leaves):
    task = get_task("queue")
    inputs, _ = task.examples(16, 200, 0, 0, (4, 16), leaves=leaves)
    places = np.asarray(task.places(inputs["queries"], leaves, [0, 0]))
    first = set()
    for row, operations in zip(places, np.asarray(inputs["queries"]), strict=True):
        end = operations.any(axis=1).nonzero()[0].max() + 1
        pops = operations[:end, 0] == 1
        pushed = row[:end][~pops].tolist()
        assert (row[:end][pops] == -1).all() and len({*pushed}) == len(pushed) and {*pushed} <= {*range(leaves)}
        first.add(pushed[0])
    assert len(first) == leaves  # whichever leaf it is
    assert (places != np.asarray(task.places(inputs["queries"], leaves, [0, 1]))).any()


def test_priorities_are_distinct():
    task = get_task("priority-queue")
    for n, kinds, step in ((32, (), 4), (32, ("alike",), 1), (128, (), 1)):
        operations = np.asarray(task.examples(n, 40, 0, 0, kinds=kinds)[0]["queries"])
        priorities = (operations[..., 1:8] @ 2 ** np.arange(6, -1, -1)).astype(int)
        for row, pop in zip(priorities, operations[..., 0] == 1, strict=True):
            assert len(set(row[~pop])) == (~pop).sum() and not row[pop].any()
        assert np.gcd.reduce(priorities[::4].ravel()) == step  # in the test of the paper's size, 32 of 5 bits


@pytest.mark.parametrize("dense", [False, True])
def test_near_priorities_meet_more_often(dense):
    """In training, half of the inputs have theirs from a window, of a random place and width."""
    task = get_task("priority-queue")
    operations = np.asarray(
        task.examples(16, 400, 0, 0, kinds=("alike", "dense") if dense else ("alike",))[0]["queries"]
    )
    priorities = (operations[..., 1:8] @ 2 ** np.arange(6, -1, -1)).astype(int)
    pushed = [np.sort(row[pop == 0]) for row, pop in zip(priorities, operations[..., 0], strict=True)]
    neighbours = np.array([np.mean(np.diff(row) == 1) for row in pushed])  # of five bits, no two are
    near = np.arange(400) % 2 == 0 if dense else np.arange(400) % 4 < 2
    assert neighbours[~near].max() == 0 and neighbours[near].mean() > (0.35 if dense else 0.25)
    assert np.mean([np.ptp(row) < 50 for row in pushed]) > 0.1  # not from all


POP, PUSH = [1] + [0] * 5, [0] + [1] * 5


@pytest.mark.parametrize(
    "name, symbols, message",
    [
        ("stack", [PUSH, POP, POP], "input 0 pops at operation 2, where nothing is left"),
        ("queue", [PUSH, [1] * 6], "has a POP with arguments"),
        ("stack", [[0] * 13], r"expected .*b=6"),
        ("priority-queue", [[0] * 13, [0] * 13], r"pushes the priorities \[0, 0\]; expected no priority twice"),
    ],
)
def test_operations_that_cannot_be(name, symbols, message):
    with pytest.raises(ValueError, match=message):
        get_task(name).check_inputs([symbols])


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_inputs_of_the_task(name):
    task = get_task(name)
    inputs, _ = task.examples(16, 20, 3, 4)
    again = task.inputs(*task.check_inputs(np.asarray(inputs["queries"])))
    for key, value in inputs.items():
        np.testing.assert_array_equal(value, again[key])


def test_more_operations_than_priorities():
    with pytest.raises(ValueError, match="n: got 256; there are 128 priorities"):
        get_task("priority-queue").examples(256, 1, 0, 0)


def test_operations_by_name():
    """What PUSH and POP write is what the examples hold."""
    np.testing.assert_array_equal(get_task("stack").push(19), [0, 1, 0, 0, 1, 1])
    np.testing.assert_array_equal(
        get_task("priority-queue").push(24, 19), [0, *(0, 0, 1, 1, 0, 0, 0), *(1, 0, 0, 1, 1)]
    )
    np.testing.assert_array_equal(get_task("queue").pop(), [1, 0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("stack", (32,), "value: got 32; expected 5 bits, 0 to 31"),
        ("stack", (-1,), "value: got -1"),
        ("stack", (2.0,), "value: got 2.0"),
        ("stack", (), "push: got 0 arguments; expected value"),
        ("queue", (3, 4), "push: got 2 arguments; expected value"),
        ("priority-queue", (3,), "push: got 1 arguments; expected priority, value"),
        ("priority-queue", (128, 4), "priority: got 128; expected 7 bits, 0 to 127"),
    ],
)
def test_bad_operations(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        get_task(name).push(*arguments)


@pytest.mark.parametrize("name", NAMES)
def test_more_operations_than_leaves(name):
    """No more is pushed than there are leaves, and all that is answered is what plain Python answers."""
    inputs, targets = get_task(name).examples(16, 200, 2, 1, leaves=8, kinds=("alike",))
    assert inputs["symbols"].shape == (200, 8, 0)
    pushes, longest = [], 0
    for row, answers in zip(np.asarray(inputs["queries"]).astype(int), np.asarray(targets), strict=True):
        judged = answers[:, 0] >= 0
        m = 16 - np.argmax(judged[::-1])  # the last operation that counts
        left = []
        for (pop, *pushed), answer in zip(row[:m].tolist(), answers, strict=False):
            if pop:
                assert TAKE[name](left)[-5:] == answer.astype(int).tolist()
            else:
                left.append(pushed)
        pushes.append(m - judged.sum())
        longest = max(longest, m)
    assert max(pushes) == 8 and longest == 16


@pytest.mark.parametrize("name", NAMES)
def test_leaves_used_again(name):
    """More is pushed than there are leaves, no more is inside than there is room for, and no input ends early."""
    task = get_task(name)
    inputs, targets = task.examples(32, 100, 2, 1, leaves=4, kinds=("reuse",))
    most = pushed = 0
    for row, answers in zip(np.asarray(inputs["queries"]).astype(int), np.asarray(targets), strict=True):
        inside = []
        for (pop, *new), answer in zip(row.tolist(), answers, strict=True):
            if pop:
                assert TAKE[name](inside)[-5:] == answer.astype(int).tolist()
            else:
                inside.append(new)
            most = max(most, len(inside))
        pushed = max(pushed, (row[:, 0] == 0).sum())
    assert most == task.room(4) == (3 if name == "queue" else 4) and pushed > 8


def test_a_live_queue_has_room_for_one_less():
    queue = load_pretrained("queue").start(4)
    for value in range(3):
        queue.push(value)
    with pytest.raises(ValueError, match="push: the queue is full; it holds 3 things"):
        queue.push(3)
