"""Trying every leaf: the answers and the loss against loops, one leaf at a time."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from hamlib.models import BestLeaf, EveryLeaf, PolicyGradient, chance_of_best
from hamlib.proof import begun, random_starts
from hamlib.recipes import RECIPES, Stage
from hamlib.tasks import get_task
from hamlib.training import build, compile_model, fitting, train

N, STEPS, BATCH = 4, 5, 6


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(5)
    answering = build(RECIPES["queue-digital"])
    answering.memory.digital.assign(1.0)
    return EveryLeaf(answering)


@pytest.fixture(scope="module")
def starts():
    task = get_task("queue")
    return begun(task, random_starts(task, N, STEPS, BATCH, [2]))


def after(model, inputs, row, leaf):
    """The answers of one start, whose first operation goes to a leaf, by the moves of the memory."""
    memory = model.memory
    nodes = memory.grow_written(inputs["written"][row : row + 1], inputs["filled"][row : row + 1])
    path, answers = tf.constant([[1, 2 + leaf // 2, 4 + leaf]]), []
    for query in tf.convert_to_tensor(inputs["queries"][row])[:, None]:
        read = memory.read(nodes, path)
        answers.append(read[0, 1:6])  # the operation's first bit says that it is a POP, the others are the value
        nodes = memory.write(nodes, path, query)
        if len(answers) < STEPS:
            path = memory.attend(nodes, inputs["queries"][row][None, len(answers)], "hard")
    return np.array(answers)


def test_every_leaf_is_tried(model, starts):
    inputs, targets = starts
    outputs = np.asarray(model(inputs, training=True))
    assert outputs.shape == (BATCH, N, STEPS * 5 + 1)
    answers = outputs[..., :-1].reshape(BATCH, N, STEPS, 5)
    for row in range(BATCH):
        for leaf in range(N):
            np.testing.assert_array_equal(answers[row, leaf], after(model, inputs, row, leaf))
    np.testing.assert_allclose(outputs[..., -1].sum(axis=1), 1, rtol=1e-5)
    hard = np.asarray(model(inputs))
    np.testing.assert_array_equal(hard, model.answering(inputs, attention="hard"))
    quiet = model.answering.memory.grow_written(inputs["written"], inputs["filled"])
    paths = np.asarray(model.memory.attend(quiet, inputs["queries"][:, 0], "hard"))[:, -1] - N
    np.testing.assert_array_equal(hard, answers[np.arange(BATCH), paths])  # one of them is where it goes by itself


def test_the_best_leaf(model, starts):
    """-log Σ p over the leaves after which the most answers are right; 0 where all are as good."""
    _, targets = starts
    draw, p = np.random.default_rng(0), np.random.default_rng(1).dirichlet(np.ones(N), BATCH).astype("float32")
    answers = np.repeat(np.clip(targets, 0, 1)[:, None], N, axis=1)
    answers[draw.random(answers.shape) < 0.1] = 0.5  # read as 0
    answers[0] = answers[0, :1]
    outputs = np.concatenate([answers.reshape(BATCH, N, -1), p[..., None]], axis=2).astype("float32")
    for row, loss in enumerate(np.asarray(BestLeaf(reduction=None)(tf.constant(targets), tf.constant(outputs)))):
        right = [
            sum(all((a > 0.5) == (t > 0.5)) for a, t in zip(answers[row, leaf], targets[row], strict=True) if t[0] >= 0)
            for leaf in range(N)
        ]
        best = [p[row, leaf] for leaf in range(N) if right[leaf] == max(right)]
        assert len(best) == N or right != [right[0]] * N
        np.testing.assert_allclose(loss, 0.0 if len(best) == N else -np.log(sum(best)), rtol=1e-5, atol=1e-6)
    chances = np.asarray(chance_of_best(tf.constant(targets), tf.constant(outputs)))
    assert chances[0] == 1 and ((0 < chances) & (chances <= 1)).all()


def test_the_gradient_goes_through_one_access(model, starts):
    """It is that of soft attention's probabilities: nothing comes through what was tried."""
    inputs, targets = starts
    weights = model.trainable_variables
    assert {id(each) for each in weights} == {id(each) for each in model.answering.trainable_variables}
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(BestLeaf().call(targets, model(inputs, training=True)))
    found = dict(zip((each.path for each in weights), tape.gradient(loss, weights), strict=True))
    reached = {path for path, value in found.items() if value is not None and np.any(value)}
    parts = [model.memory.join, model.memory.search]
    assert reached <= {each.path for part in parts for each in part.trainable_variables} and len(reached) >= 8


def test_validation_is_as_of_any_other_model(model, starts):
    inputs, targets = starts
    hard = model(inputs)
    bits = PolicyGradient(model.answering)
    compile_model(bits, RECIPES["stack"], jit_compile=False)
    np.testing.assert_allclose(
        BestLeaf().call(tf.constant(targets), hard), bits.loss.call(tf.constant(targets), hard), rtol=1e-6
    )


def test_a_put_is_read_as_it_was_and_a_pop_empties(model):
    task, memory = get_task("queue"), model.memory
    operations = np.stack([task.push(19), task.pop()]).astype("float32")
    leaves = np.asarray(memory.written(tf.zeros((2, 1, 12)), tf.constant(operations)))[:, 0]
    np.testing.assert_array_equal(leaves, [[*operations[0], 1, 1, 1, 1, 1, 1], [0] * 12])
    read, _, _ = model.answering.controller_step(operations[1:], (), tf.constant(leaves[:1]))
    np.testing.assert_array_equal(read, [[1, 0, 0, 1, 1]])


def test_a_run_that_was_stopped_goes_on_as_if_it_never_had_been(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "ATTEMPTS", 1)
    recipe = dataclasses.replace(
        RECIPES["queue-digital"], stages=(Stage(4, ((2, 4, 4),), leaves=2),), epochs=3, steps=4, validation_steps=1
    )

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    whole, _ = train(recipe, tmp_path / "whole", 4, verbose=0, jit_compile=False)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "parts", 4, verbose=0, jit_compile=False, callbacks=[Stop()])
    parts, run = train(recipe, tmp_path / "parts", 4, verbose=0, jit_compile=False)
    assert int(run.epoch) == 3 and all(map(np.array_equal, whole.get_weights(), parts.get_weights()))
