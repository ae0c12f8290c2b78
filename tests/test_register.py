"""A task of one's own: registered by public means, in TensorFlow or NumPy, with errors that name its methods."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hamlib.recipes import RECIPES, grow
from hamlib.tasks import TASKS, Task, get_task, register
from hamlib.training import train


class LargestLast(Task):
    """The pair of the largest key, of equals the last."""

    name = "largest-last"
    columns = answer_columns = {"key": 5, "value": 5}
    writes = False

    def answer_length(self, m):
        return 1

    def targets(self, symbols, lengths):
        keys = tf.tensordot(symbols[..., :5], [16.0, 8, 4, 2, 1], 1)
        place = tf.range(symbols.shape[1])
        inside = place < lengths[:, None]
        best = tf.argmax(tf.where(inside, keys * symbols.shape[1] + tf.cast(place, tf.float32), -1.0), axis=1)
        return tf.gather(symbols, best, batch_dims=1)[:, None]


class InNumpy(LargestLast):
    """The same, written in NumPy."""

    name = "largest-last-numpy"

    def targets(self, symbols, lengths):
        answers = np.zeros((len(symbols), 1, 10), int)  # of any type
        for k, (row, m) in enumerate(zip(symbols, lengths, strict=True)):
            keys = row[:m, :5] @ [16, 8, 4, 2, 1]
            answers[k, 0] = row[m - 1 - np.argmax(keys[::-1])]
        return answers


@pytest.fixture(autouse=True)
def forget():
    known = dict(TASKS)
    yield
    TASKS.clear()
    TASKS.update(known)


def test_in_tensorflow_or_numpy(tmp_path):
    for kind in (LargestLast, InNumpy):
        assert register(kind) is kind
    inputs, targets = get_task("largest-last-numpy").examples(8, 50, 1, 2, (1, 8))
    right = get_task("largest-last").targets(inputs["symbols"], inputs["lengths"])
    np.testing.assert_array_equal(targets, right)
    again, _ = get_task("largest-last-numpy").examples(8, 50, 1, 2, (1, 8))
    np.testing.assert_array_equal(again["symbols"], inputs["symbols"])
    assert (get_task("largest-last").in_numpy, get_task("largest-last-numpy").in_numpy) == (False, True)
    recipe = dataclasses.replace(RECIPES["smallest-2016"], stages=grow(4), epochs=1, steps=20, validation_steps=1)
    for kind in (LargestLast, InNumpy):
        _, run = train(dataclasses.replace(recipe, task=kind.name), tmp_path / kind.name, verbose=0)
        assert int(run.epoch) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(name=None), "name: got None; expected a str"),
        (dict(columns=[5, 5]), r"columns: got \[5, 5\]; expected a dict"),
        (dict(answer_columns={"key": 4}), r"targets: got shape \(2, 1, 10\) for inputs .* = \[2, 1, 4\], T by"),
        (dict(answer_length=lambda self, m: m), r"expected \[batch, T, b\] = \[2, 4, 10\]"),
        (dict(targets=lambda self, symbols, lengths: symbols[:, :1] + 2), "targets: got values other than 0 and 1"),
        (
            dict(problem=lambda self, symbols: "is bad"),
            "compose: it made an input that is bad, says the method problem",
        ),
    ],
)
def test_what_does_not_fit_together_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        register(type("Odd", (LargestLast,), change))
    assert "Odd" not in TASKS and "largest-last" not in TASKS


def test_an_error_of_the_readers_own_code_is_shown():
    class Broken(LargestLast):
        def targets(self, symbols, lengths):
            raise RuntimeError("oh")

    with pytest.raises(RuntimeError, match="oh"):
        register(Broken)


def test_a_subclass_without_targets():
    with pytest.raises(NotImplementedError, match="targets"):
        register(type("None", (Task,), dict(name="x", columns={"a": 1}, answer_columns={"a": 1})))
