"""A task of one's own: registered by public means, in TensorFlow or NumPy, with errors that name its methods."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hamlib.recipes import RECIPES, grow
from hamlib.tasks import TASKS, Task, get_task, register
from hamlib.training import build, train


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


# -- a task that asks -----------------------------------------------------------------------------


class LastSet(Task):
    """What a variable holds, after assignments to four: the last one counts."""

    name = "last-set"
    columns = answer_columns = {"variable": 2, "value": 5}
    query_columns = {"variable": 2}
    writes = False

    def answer_length(self, m):
        return 1

    def queries(self, symbols, lengths, seed):
        place = tf.random.stateless_uniform(lengths.shape, seed, alg="philox") * tf.cast(lengths, tf.float32)
        return tf.gather(symbols, tf.cast(place, tf.int32), batch_dims=1)[:, None, :2]

    def targets(self, symbols, lengths, queries):
        asked = tf.reduce_all(symbols[..., :2] == queries, axis=2) & tf.sequence_mask(lengths, symbols.shape[1])
        last = tf.argmax(tf.where(asked, tf.range(symbols.shape[1]), -1), axis=1)
        return tf.gather(symbols, last, batch_dims=1)[:, None]


class LastSetInNumpy(LastSet):
    name = "last-set-numpy"

    def targets(self, symbols, lengths, queries):
        def last(row, m, query):
            return [row[k] for k in range(m) if (row[k, :2] == query[0]).all()][-1:]

        return np.array(list(map(last, symbols, lengths, queries)))


def test_a_task_may_ask(tmp_path):
    for kind in (LastSet, LastSetInNumpy):
        register(kind)
    task, slow = get_task("last-set"), get_task("last-set-numpy")
    for leaves in (None, 16):
        inputs, targets = task.examples(8, 40, 1, 2, (1, 8), leaves=leaves)
        assert inputs["queries"].shape == (40, 1, 2)
        np.testing.assert_array_equal(targets[..., :2], inputs["queries"])  # what is found is what was asked for
    inputs, targets = task.examples(8, 40, 1, 2, (1, 8))
    given = [np.array(inputs[name]) for name in ("symbols", "lengths", "queries")]
    np.testing.assert_array_equal(targets, slow.targets(*given))
    again = task.inputs(*task.check_inputs(given[0], given[1]), given[2])
    recipe = dataclasses.replace(
        RECIPES["smallest-2016"], memory="book-search", stages=grow(4), epochs=1, steps=20, validation_steps=1
    )
    for kind in (LastSet, LastSetInNumpy):
        model, _ = train(dataclasses.replace(recipe, task=kind.name), tmp_path / kind.name, verbose=0)
    for attention in ("soft", "hard"):
        np.testing.assert_allclose(model.respond(again, attention), model(inputs, attention=attention), atol=1e-5)
    other = again | {"queries": 1 - again["queries"]}
    assert not np.allclose(model.respond(again, "soft"), model.respond(other, "soft"))  # it sees what is asked


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(query_columns={}), r"queries: got shape \(2, 1, 2\) for inputs .* = \[2, 1, 0\], .* q by query_columns"),
        (dict(queries=Task.queries), r"queries: got shape \(2, 1, 0\) .* = \[2, 1, 2\], T by the method answer_length"),
        (dict(queries=lambda self, s, m, seed: s[:, :1, :2] + 2), "queries: got values other than 0 and 1$"),
    ],
)
def test_queries_that_do_not_fit_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        register(type("Odd", (LastSet,), change))


def test_queries_of_ones_own_and_models_that_cannot_be_asked():
    task = register(LastSet)()
    symbols = np.zeros((3, 5, 7))
    for queries, got in ((None, "3, 1, 0"), (np.zeros((3, 2)), "3, 2")):
        with pytest.raises(ValueError, match=rf"queries: got shape \({got}\); expected \[batch, T, q\] = \[3, 1, 2\]"):
            task.inputs(*task.check_inputs(symbols), queries)
    inputs, _ = task.examples(4, 3, 0, 0)
    recipe = dataclasses.replace(RECIPES["smallest-digital"], task="last-set")  # its query_width is 1
    with pytest.raises(ValueError, match="queries: got 2 bits; expected at most the memory's query_width, 1"):
        build(recipe)(inputs)
    for model, memory in (("ham", "book"), ("lstm", None), ("lstm+a", None)):
        with pytest.raises(ValueError, match="queries: got 2 bits"):
            build(dataclasses.replace(recipe, model=model, memory=memory))(inputs)
