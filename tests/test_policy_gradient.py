"""REINFORCE: its gradients against plain back-propagation along every path of a tree of four leaves."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_memory import memory_of

from hamlib.evaluation import wrong_rate
from hamlib.memory import put_rows, rows
from hamlib.models import HAM, PolicyGradient, RawHAM, Reinforce, rollout
from hamlib.recipes import RECIPES, grow
from hamlib.tasks import get_task
from hamlib.training import build, train

N, STEPS = 4, 2
DECISIONS = 2  # log2 n


def ham(accesses=1, numbered=False):
    keras.utils.set_random_seed(3)
    return HAM(memory_of(), answer_width=2, accesses=accesses, numbered=numbered)


def raw(output="mlp"):
    keras.utils.set_random_seed(3)
    return RawHAM(memory_of(), output=output)


def batch(model, copies):
    draw = np.random.default_rng(1)
    symbols = draw.integers(0, 2, (1, N, model.memory.symbol_width))
    width = model.memory.query_width if isinstance(model, RawHAM) else 0
    answer = model.memory.symbol_width if isinstance(model, RawHAM) else 2
    inputs = {"symbols": symbols, "lengths": [N], "queries": draw.normal(size=(1, STEPS, width))}
    targets = draw.integers(0, 2, (1, STEPS, answer))

    def repeat(values, kind):
        return tf.repeat(tf.cast(values, kind), copies, axis=0)

    inputs = {key: repeat(value, tf.int32 if key == "lengths" else tf.float32) for key, value in inputs.items()}
    return inputs, repeat(targets, tf.float32)


def all_paths(model):
    """Thresholds that force each path once: above 1 goes left, below 0 goes right; ``[paths, K, log2 n]``."""
    accesses = STEPS * model.accesses
    right = np.array(list(itertools.product((0, 1), repeat=accesses * DECISIONS)), "float32")
    return 2 - 3 * right.reshape(-1, accesses, DECISIONS)


def join_again(memory, nodes, path, noise):
    """JOIN the path's inner nodes again, the lowest first, each from the whole tree, under noise[batch, log2 n, k]."""
    for level in range(DECISIONS - 1, -1, -1):
        node = path[:, level : level + 1]
        pair = rows(nodes, tf.concat([2 * node, 2 * node + 1], axis=1))
        value = memory._joined(tf.reshape(pair, (len(path), 1, -1)), noise[:, level : level + 1])
        nodes = put_rows(nodes, node, value)
    return nodes


def plainly(model, inputs, thresholds, noise=None):
    """What `rollout` returns, by the memory's own moves on the whole tree, for the tape to go back through."""
    queries, (nodes, controller, _) = model.asked(inputs), model.start(inputs)
    memory, answers, p, paths = model.memory, [], [], []
    for k in range(thresholds.shape[1]):
        query = model.make_query(queries[:, k // model.accesses], controller, k % model.accesses)
        path = memory.sample(nodes, query, thresholds[:, k])
        p.append(memory.search(rows(nodes, path[:, :-1]), query)[..., 0])
        read = memory.read(nodes, path)
        if model.reads_symbols:
            read = rows(inputs["symbols"], path[:, -1:] - N)[:, 0]
        answer, controller, said = model.controller_step(queries[:, k // model.accesses], controller, read)
        nodes = memory.write(nodes, path, said)
        if noise is not None:
            nodes = join_again(memory, nodes, path, noise[:, k])
        answers.append(answer)
        paths.append(path)
    return [tf.stack(values, axis=1) for values in (answers, p, paths)]


MODELS = {
    "ham": ham,
    "two accesses": lambda: ham(2),
    "numbered": lambda: ham(2, True),
    "raw": raw,
    "raw, symbols": lambda: raw("symbols"),
    "raw, from empty": raw,
}


@pytest.mark.parametrize(
    "name, jit_compile, noisy",
    [(name, True, False) for name in MODELS]
    + [("numbered", False, False), ("numbered", True, True), ("raw", True, True)],
)
def test_gradients_along_a_path_are_those_of_the_whole_tree(name, jit_compile, noisy):
    """The backward pass that touches log2 n nodes gives what back-propagation through all nodes gives."""
    model = MODELS[name]()
    thresholds = np.random.default_rng(0).permutation(all_paths(model))[:16]
    inputs, _ = batch(model, len(thresholds))
    if name == "raw, from empty":  # all nodes of a level stand in one row of the journal
        inputs["symbols"] = inputs["symbols"][..., :0]
    draw = np.random.default_rng(2)
    weigh = [draw.normal(size=shape).astype("float32") for shape in (2, DECISIONS)]
    noise = draw.uniform(-0.5, 0.5, (*thresholds.shape, model.memory.join_units)).astype("float32") if noisy else None

    def gradients(run):
        with tf.GradientTape() as tape:
            answers, p, paths = run(model, inputs, thresholds, noise)[:3]
            total = tf.reduce_sum(answers[..., :2] * weigh[0]) + tf.reduce_sum(p * weigh[1])
        found = tape.gradient(total, [v.value for v in model.trainable_variables], unconnected_gradients="zero")
        return answers, p, paths, *map(tf.convert_to_tensor, found)

    ours = tf.function(gradients, jit_compile=jit_compile)(rollout)
    plain = tf.function(gradients)(plainly)  # the reference need not be compiled by XLA
    for mine, expected in zip(ours, plain, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-5)
    assert any(np.abs(np.asarray(gradient)).max() > 0.01 for gradient in ours[3:])


def exact(model, inputs, targets, alpha=0.0):
    """The gradient that the estimator shall have in the mean, from all paths at once; with a discount of 1."""
    thresholds = all_paths(model)
    with tf.GradientTape() as tape:
        answers, p, paths = plainly(model, inputs, thresholds)
        right = tf.cast(paths[..., 1:] % 2, tf.float32)
        each = tf.reduce_prod(right * p + (1 - right) * (1 - p), axis=(1, 2))
        answers = answers[:, model.accesses - 1 :: model.accesses]
        rewards = tf.reduce_sum(tf.cast((answers > 0.5) == (targets > 0.5), tf.float32), axis=(1, 2))
        log_right = tf.reduce_sum(tf.math.log(tf.where(targets > 0.5, answers, 1 - answers)), axis=(1, 2))
        entropy = -p * tf.math.log(p) - (1 - p) * tf.math.log(1 - p)
        undecided = tf.reduce_sum(1 / entropy, axis=(1, 2))
        cost = tf.reduce_sum(tf.stop_gradient(each) * (alpha * undecided - log_right) - each * rewards)
    return flat(tape.gradient(cost, [v.value for v in model.trainable_variables], unconnected_gradients="zero"))


def flat(gradients):
    return np.concatenate([np.ravel(tf.convert_to_tensor(gradient)) for gradient in gradients])


def estimates(trial, loss, model, rounds=200, copies=64):
    """``[rounds, weights]``: the estimator on so many batches of paths."""
    inputs, targets = batch(model, copies)

    @tf.function(jit_compile=True)
    def once():
        with tf.GradientTape() as tape:
            cost = loss(targets, trial(inputs, training=True))
        found = tape.gradient(cost, [v.value for v in model.trainable_variables], unconnected_gradients="zero")
        return [tf.convert_to_tensor(gradient) for gradient in found]

    return np.stack([flat(once()) for _ in range(rounds)])


@pytest.mark.parametrize("baseline, samples", [(0.0, 1), (3.0, 1), (3.0, 4)])
def test_the_estimator_is_right_in_the_mean(baseline, samples):
    """Its mean lies within the standard error of the gradient from all 16 paths, whatever the baseline."""
    model = ham()
    model.memory.join.noise.assign(0.0)  # `exact` has none
    trial = PolicyGradient(model)
    trial.baseline.bias.assign([baseline])
    trial.baseline.kernel.assign(0 * trial.baseline.kernel)
    expected = exact(model, *batch(model, 16), alpha=0.1)
    found = estimates(trial, Reinforce(discount=1.0, entropy=0.1, samples=samples), model)
    error = (found.mean(0) - expected) / (found.std(0) / np.sqrt(len(found)) + 1e-6)
    assert (abs(error) < 5).all() and np.sqrt((error**2).mean()) < 1.5
    assert abs(expected).max() > 0.05 and found.std(0).max() > 0


def test_the_baseline_lowers_the_variance():
    model = ham()
    trial = PolicyGradient(model)
    trial.baseline.kernel.assign(0 * trial.baseline.kernel)
    inputs, targets = batch(model, 500)
    answers = np.asarray(trial(inputs, training=True))[..., :2]
    reward = ((answers > 0.5) == (np.asarray(targets) > 0.5)).sum(-1).mean()  # of one access, in bits
    variances = []
    for bias, samples in ((0.0, 1), (reward, 1), (0.0, 8)):
        trial.baseline.bias.assign([bias])
        variances.append(estimates(trial, Reinforce(discount=0.0, samples=samples), model).var(0).sum())
    assert max(variances[1:]) < 0.7 * variances[0]


def test_the_baseline_learns_the_mean_return():
    model = ham()
    trial, loss = PolicyGradient(model), Reinforce(discount=1.0)
    inputs, targets = batch(model, 500)
    optimizer = keras.optimizers.Adam(0.1)

    @tf.function(jit_compile=True)
    def once():
        with tf.GradientTape() as tape:
            outputs = trial(inputs, training=True)
            cost = loss(targets, outputs)
        weights = trial.baseline.trainable_variables
        optimizer.apply(tape.gradient(cost, [v.value for v in weights]), weights)
        return outputs

    optimizer.build(trial.baseline.trainable_variables)
    outputs = [np.asarray(once()) for _ in range(200)][-1]
    returns = ((outputs[..., :2] > 0.5) == (np.asarray(targets) > 0.5)).sum((1, 2)).mean()
    assert abs(outputs[:, 0, -1].mean() - returns) < 0.15


def test_discounted_returns():
    """Σ_j γ^(j-k)·r_j against a loop; nothing is said of accesses after the last judged bit."""
    targets = np.array([[[1, 1], [0, 1], [-1, -1]]], "float32")
    answers = np.array([[[0.9, 0.2], [0.1, 0.8], [0.5, 0.5]]], "float32")
    told = np.random.default_rng(0).normal(size=(1, 3, 3)).astype("float32")
    loss = Reinforce(discount=0.5, entropy=0.25)
    returns = [1 + 0.5 * 2, 2]
    expected = -np.log([0.9, 0.2, 0.9, 0.8]).sum()
    for k in range(2):
        log_path, undecided, baseline = told[0, k]
        error = returns[k] - baseline
        expected += -error * log_path + error**2 + 0.25 * undecided
    np.testing.assert_allclose(loss(targets, np.concatenate([answers, told], axis=-1)), expected, rtol=1e-5)


def test_returns_less_the_others():
    """Of three paths for each of two inputs, one is judged by how much better it is than the other two."""
    returns = np.array([[1, 0], [4, 0], [7, 3], [0, 0], [0, 0], [6, 0]], "float32")
    expected = [[-4.5, -1.5], [0, -1.5], [4.5, 3], [-3, 0], [-3, 0], [6, 0]]
    np.testing.assert_allclose(Reinforce(samples=3)._less_the_others(returns), expected)


def test_at_any_other_time_the_most_probable_path():
    model = ham()
    inputs, _ = batch(model, 3)
    np.testing.assert_array_equal(PolicyGradient(model)(inputs), model(inputs, attention="hard"))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(discount=1.5), r"discount: got 1.5; expected γ in \[0, 1\]"),
        (dict(discount=float("nan")), "discount: got nan"),
        (dict(entropy=-1), "entropy: got -1; expected α of at least 0"),
        (dict(entropy=float("nan")), "entropy: got nan"),
        (dict(samples=0), "samples: got 0; expected a positive integer"),
        (dict(samples=2.0), "samples: got 2.0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Reinforce(**arguments)


def test_the_smallest_of_four_with_reinforce(tmp_path):
    """A minute of training from scratch finds the smallest of 4 in at least 95%."""
    recipe = dataclasses.replace(RECIPES["smallest-reinforce"], stages=grow(4), epochs=12)
    model, _ = train(recipe, tmp_path, verbose=0)
    assert isinstance(model, RawHAM)
    assert wrong_rate(model, get_task("smallest"), 4, 2000).right > 95


def test_a_stopped_run_goes_on_as_if_it_never_had_been(tmp_path):
    """The draws of paths, the baseline and α go on too."""
    recipe = dataclasses.replace(RECIPES["smallest-reinforce"], stages=grow(4), epochs=3, steps=20, validation_steps=1)

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    unbroken, _ = train(recipe, tmp_path / "unbroken", verbose=0)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "stopped", verbose=0, callbacks=[Stop()])
    resumed, _ = train(recipe, tmp_path / "stopped", verbose=0)
    for ours, theirs in zip(resumed.get_weights(), unbroken.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (tmp_path / "stopped" / "log.csv").read_text() == (tmp_path / "unbroken" / "log.csv").read_text()


def test_what_is_skipped_is_skipped_by_a_rollout_too():
    """The answers of a rollout along the most probable paths are those of a hard call: targets are not shifted."""
    keras.utils.set_random_seed(0)
    model = build(RECIPES["raw-sort"])
    inputs, _ = get_task("sort").examples(8, 4, 0, 3, leaves=16, answers=3, skip=True)
    assert (np.asarray(inputs["skipped"]) > 0).all()
    answers, *_ = rollout(model, inputs, np.full((4, 3, 4), 0.5, "float32"))
    np.testing.assert_allclose(answers, model(inputs, attention="hard"), atol=1e-6)
