import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from hamlib.evaluation import wrong_rate
from hamlib.memory import PRESETS
from hamlib.models import load_weights, locked
from hamlib.proof import begun, random_starts
from hamlib.recipes import RATES, RECIPES, Recipe, Stage, get_recipe, grow
from hamlib.tasks import get_task
from hamlib.training import (
    build,
    compile_model,
    failed_attempts,
    fitting,
    open_run,
    read_log,
    read_run,
    stream,
    train,
    try_rates,
    tune,
    tuning,
)
from hamlib.training.runs import set_aside

# With the book's memory: its noise, too, must go on where it stopped.
SHORT = Recipe(task="smallest", memory="book", stages=grow(4), epochs=3, steps=40, validation_steps=4)


def train_plainly(recipe, folder, seed=0, **more):
    """`train` without XLA, which takes longer to compile than so few steps take."""
    return train(recipe, folder, seed, verbose=0, jit_compile=False, **more)


def history(folder):
    return {column: values.tolist() for column, values in read_log(folder).items()}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    model, checkpoints = train(SHORT, folder, seed=3, verbose=0)
    return folder, model, checkpoints


def run_killed(folder, where):
    """Train SHORT in another process that kills itself; return its exit status."""
    code = f"""
        import os, sys
        import keras, psutil, tensorflow as tf
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from hamlib import training
        from test_training import SHORT

        def die():
            psutil.Process().kill()

        class Kill(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                self.epoch = epoch
            def on_train_batch_end(self, batch, logs=None):
                if {where!r} == "in mid-epoch" and self.epoch == 1:
                    die()

        if {where!r} == "while a checkpoint is written":
            save = tf.train.CheckpointManager.save
            def torn(manager, number):
                path = save(manager, number)
                if number == 2:  # the second one arrives in part
                    data = path + ".data-00000-of-00001"
                    with open(data, "r+b") as file:
                        file.truncate(os.path.getsize(data) // 2)
                    die()
            tf.train.CheckpointManager.save = torn
        if {where!r} == "before the best weights are renamed":
            replace, calls = os.replace, []
            def torn(source, target):
                calls.append(str(target).endswith("best.weights.h5"))
                if sum(calls) == 2:
                    die()
                replace(source, target)
            os.replace = torn
        training.train(SHORT, {str(folder)!r}, seed=3, verbose=0, callbacks=[Kill()])
    """
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True).returncode


@pytest.mark.parametrize(
    "where", ["in mid-epoch", "while a checkpoint is written", "before the best weights are renamed"]
)
def test_a_killed_run_goes_on_as_if_it_never_had_been(tmp_path, unbroken, where):
    killed = -signal.SIGKILL if os.name == "posix" else signal.SIGTERM  # as psutil does it on Windows
    assert run_killed(tmp_path / "run", where) == killed
    model, checkpoints = train(SHORT, tmp_path / "run", seed=3, verbose=0)
    folder, expected, reference = unbroken
    assert history(tmp_path / "run")["epoch"] == [0, 1, 2]
    assert history(tmp_path / "run") == history(folder)
    for ours, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert float(checkpoints.best_error) == float(reference.best_error)
    assert int(model.optimizer.iterations) == 120


def test_a_finished_run_is_only_loaded(unbroken):
    folder, model, _ = unbroken
    before = (folder / "log.csv").read_bytes()
    again, checkpoints = train(SHORT, folder, seed=3, verbose=0)
    assert (folder / "log.csv").read_bytes() == before and int(checkpoints.epoch) == 3
    for ours, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_leaves_its_logs(unbroken):
    folder, _, _ = unbroken
    assert {"loss", "wrong", "val_loss", "val_wrong", "n", "epoch"} == set(history(folder))
    assert list((folder / "logs" / "train").glob("events.out.tfevents.*"))
    assert json.loads((folder / "run.json").read_text())["seed"] == 3
    assert read_run(folder) == SHORT


def test_the_best_weights_are_kept(tmp_path):
    """With a learning rate that wrecks the model, the best epoch's weights come back, not the last's."""

    class Wreck(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.set_weights([np.zeros_like(w) for w in self.model.get_weights()])

    model, checkpoints = train_plainly(SHORT, tmp_path, seed=0, callbacks=[Wreck()])
    errors = history(tmp_path)["val_wrong"]
    assert errors[2] > min(errors) and float(checkpoints.best_error) == pytest.approx(min(errors))
    rate = wrong_rate(model, get_task("smallest"), 4, 2000, attention="soft")
    assert abs((100 - rate.right) / 100 - min(errors)) < 0.1


def test_the_curriculum_doubles_n_and_keeps_the_small_ones(tmp_path):
    recipe = dataclasses.replace(
        SHORT, stages=(Stage(2, until=1), Stage(4, until=2), Stage(8)), inputs=("mixed",), epochs=4
    )
    _, checkpoints = train_plainly(recipe, tmp_path)
    assert history(tmp_path)["n"] == [2, 4, 8, 8]
    assert int(checkpoints.best_reached) == 16
    assert recipe.lengths(4) == ((1, 2), (1, 4)) and recipe.lengths(8) == ((1, 2), (1, 4), (1, 8))


def test_the_curriculum_waits_for_its_threshold(tmp_path):
    recipe = dataclasses.replace(SHORT, stages=grow(8, 16, until=0.0), epochs=2)
    _, checkpoints = train_plainly(recipe, tmp_path)
    assert history(tmp_path)["n"] == [8, 8]


@pytest.mark.parametrize("name, kind", [("add", "decoys"), ("stack", "placed")])
def test_what_else_is_told_comes_with_the_same_inputs(name, kind):
    plain, told = (iter(stream(get_task(name), 8, 4, 0, 5, None, 16, 3, kinds=kinds)) for kinds in ((), (kind,)))
    for _ in range(2):
        (inputs, targets), (more, same) = next(plain), next(told)
        assert set(more) - set(inputs) == {"places" if kind == "placed" else kind}
        for key in inputs:
            np.testing.assert_array_equal(inputs[key], more[key])
        np.testing.assert_array_equal(targets, same)
        if kind == "decoys":
            assert more[kind].shape == inputs["symbols"].shape and (more[kind] != inputs["symbols"]).numpy().any()


LESSONS = dataclasses.replace(
    SHORT,
    task="sort",
    stages=(
        Stage(2, until=1),
        Stage(4, ((4, 4, 1), (8, 2, 1)), until=2),
        Stage(4, ((4, 4, 2), (8, 2, 2)), anywhere=True),
    ),
    inputs=("mixed",),
    epochs=4,
    steps=10,
)


def test_lessons_take_turns_and_go_on_after_a_stop(tmp_path):
    """First symbols, then short answers, deep trees in turn; a run that was stopped ends with the same weights."""
    assert [LESSONS.stages[stage].lesson(epoch) for stage, epoch in ((0, 0), (1, 0), (1, 1), (2, 2), (2, 3))] == [
        (2, None, None, False),
        (4, 4, 1, False),
        (2, 8, 1, False),
        (4, 4, 2, True),
        (2, 8, 2, True),
    ]
    assert LESSONS.lengths(4) == ((1, 2), (1, 4))
    model, _ = train_plainly(LESSONS, tmp_path / "unbroken")
    assert history(tmp_path / "unbroken")["n"] == [2, 4, 4, 4]

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_plainly(LESSONS, tmp_path / "stopped", callbacks=[Stop()])
    again, _ = train_plainly(LESSONS, tmp_path / "stopped")
    assert history(tmp_path / "stopped") == history(tmp_path / "unbroken")
    for ours, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert read_run(tmp_path / "stopped") == LESSONS


def test_a_recipe_begins_with_the_weights_of_another(tmp_path):
    small = dataclasses.replace(RECIPES["smallest-2016"], stages=grow(4), epochs=2, steps=20, validation_steps=1)
    recipe = dataclasses.replace(small, start=small, epochs=1, learning_rate=(1e-9, 1e-9))
    model, run = train_plainly(recipe, tmp_path / "run", seed=2)
    alone, before = train_plainly(small, tmp_path / "alone", seed=2)
    for ours, theirs in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert recipe.total_steps() == 60 and float(run.seconds) > 0 and int(run.epoch) == 1
    again, rerun = train_plainly(recipe, tmp_path / "run", seed=2)
    assert float(rerun.seconds) == float(run.seconds)  # of both
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize(
    "recipe, expected",
    [
        (SHORT, [0.5, 0.25, 0.0, 0.0]),
        (dataclasses.replace(RECIPES["stack"], noise="falls"), [0.5, 0.25, 0.0, 0.0]),  # also with REINFORCE
        (RECIPES["stack"], [0.5] * 4),
    ],
)
def test_the_noise_falls_to_zero_or_stays(tmp_path, recipe, expected):
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(float(self.model.memory.join.noise.numpy()))

    recipe = dataclasses.replace(recipe, stages=grow(2), epochs=4, steps=2, validation_steps=1)
    train_plainly(recipe, tmp_path, callbacks=[Watch()])
    assert seen == expected


def test_small_trees_get_full():
    """Before the last stage, twice as many operations as leaves, in training and in validation."""
    _, eight, _, last = RECIPES["stack"].stages
    assert eight.lesson(3) == eight.whole() == (8, 4, None, False)
    assert last.whole() == (32, None, None, False) and last.lesson(4) == (32, 16, 32, False)


def test_what_is_not_judged_costs_nothing():
    recipe = dataclasses.replace(SHORT, task="sort", loss="binary_crossentropy")
    model = build(recipe)
    compile_model(model, recipe)
    targets = np.array([[[1.0] * 10, [-1.0] * 10]], "float32")
    losses = [model.compute_loss(y=targets, y_pred=np.array([[[0.9] * 10, [p] * 10]], "float32")) for p in (0.1, 0.8)]
    assert float(losses[0]) == pytest.approx(-np.log(0.9) / 2, rel=1e-3) and float(losses[0]) == float(losses[1])


@pytest.mark.parametrize("loss", ["mean_squared_error", "binary_crossentropy"])
def test_one_step_is_the_same_with_and_without_xla(loss):
    recipe = dataclasses.replace(SHORT, loss=loss, steps=1)
    losses, weights = [], []
    for jit_compile in (True, False):
        keras.utils.set_random_seed(0)
        model = build(recipe)
        compile_model(model, recipe, jit_compile)
        model.memory.join.noise.assign(0.0)  # XLA draws other numbers from the same seed
        batch = stream(get_task("smallest"), 8, 50, seed=0).take(1)
        losses.append(model.fit(batch, steps_per_epoch=1, shuffle=False, verbose=0).history["loss"][0])
        weights.append(model.get_weights())
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for compiled, plain in zip(*weights, strict=True):
        np.testing.assert_allclose(compiled, plain, atol=2e-4)


def test_a_stream_goes_on_where_it_should():
    task = get_task("smallest")
    late = list(stream(task, 4, 5, seed=1, first_step=3).take(2))
    all_of_it = list(stream(task, 4, 5, seed=1).take(5))
    for ours, theirs in zip(late, all_of_it[3:], strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, ours, theirs)


def test_it_learns():
    """Six seconds of training must answer nine of ten right, from a chance of one in eight."""
    recipe = dataclasses.replace(RECIPES["smallest-2016"], steps=1500, learning_rate=(0.003, 0.001), epochs=1)
    keras.utils.set_random_seed(0)
    model = build(recipe)
    compile_model(model, recipe)
    task = get_task("smallest")
    before = wrong_rate(model, task, 8, 1000).right
    model.fit(stream(task, 8, 50, seed=0), steps_per_epoch=recipe.steps, shuffle=False, verbose=0)
    assert before < 40 < 90 < wrong_rate(model, task, 8, 1000).right


def test_the_recipe_of_2016():
    recipe = get_recipe("smallest-2016")
    assert (recipe.epochs, recipe.steps, recipe.batch_size) == (100, 1000, 50)
    assert recipe.stages[0].lesson(0) == (8, None, None, False) and recipe.lengths(8) is None
    assert recipe.loss == "mean_squared_error" and recipe.learning_rate == (0.001, 0.001)


def test_a_folder_with_another_run_is_refused(unbroken, tmp_path):
    folder, _, _ = unbroken
    with pytest.raises(ValueError, match="holds another run .*seed is 3 there and 4 here"):
        train(SHORT, folder, seed=4, verbose=0)
    with pytest.raises(ValueError, match="holds another run .*steps is 40 there and 41 here"):
        train(dataclasses.replace(SHORT, steps=41), folder, seed=3, verbose=0)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(ValueError, match="checkpoints without a run.json"):
        open_run(tmp_path, SHORT, 0)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path):
    class Wreck(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.set_weights([np.full_like(w, np.nan) for w in self.model.get_weights()])

    with pytest.raises(ValueError, match="loss: got nan in epoch 2; .* the best weights are kept"):
        train_plainly(SHORT, tmp_path, seed=0, callbacks=[Wreck()])
    model = build(SHORT)
    load_weights(model, tmp_path / "best.weights.h5")
    assert np.isfinite(model.get_weights()[0]).all() and history(tmp_path)["epoch"] == [0]
    _, run = train_plainly(SHORT, tmp_path, seed=0)  # it goes on from the last good state
    assert int(run.epoch) == 3 and np.isfinite(history(tmp_path)["loss"]).all()


def test_two_runs_in_one_folder(tmp_path):
    with locked(tmp_path / "run" / "run.json"), pytest.raises(ValueError, match="is in use by another process"):
        train(SHORT, tmp_path / "run", verbose=0)


def test_checkpoints_that_are_all_damaged_are_no_fresh_start(tmp_path):
    train_plainly(dataclasses.replace(SHORT, steps=2, epochs=2), tmp_path)
    for data in (tmp_path / "checkpoints").glob("*.data-*"):
        data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(ValueError, match="no checkpoint in .* can be read"):
        train_plainly(dataclasses.replace(SHORT, steps=2, epochs=2), tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        train(SHORT, tmp_path / "file" / "run", verbose=0)


def test_reading_what_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no run"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text('{"task": "smallest"')
    with pytest.raises(ValueError, match="is not the card of a run"):
        read_run(tmp_path)


@pytest.mark.parametrize("noise", ["falls", "stays"])
def test_when_a_memory_is_digital(tmp_path, monkeypatch, noise):
    recipe = dataclasses.replace(SHORT, memory="digital", noise=noise, epochs=4, steps=2, validation_steps=1)
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            memory = self.model.memory
            seen.append([float(part) for part in (memory.digital, memory.embed.noise, memory.join.noise)])

    monkeypatch.setattr(fitting, "ATTEMPTS", 1)
    train_plainly(recipe, tmp_path, callbacks=[Watch()])
    shares = (0.5, 0.25, 0, 0) if noise == "falls" else (0.5, 0.5, 0.5, 0.5)
    digital = (0, 0, 1, 1) if noise == "falls" else (1, 1, 1, 1)
    assert seen == [[rounded, share, share] for rounded, share in zip(digital, shares, strict=True)]


def test_starts_are_trained_until_it_is_proved(tmp_path, monkeypatch):
    """Each epoch has starts of its own, of the lesson's size; once it is proved, the run is over, and stays so."""
    asked, given = [], []

    def is_proved(model, task):
        asked.append(float(model.memory.digital))
        return len(asked) > 3

    def batches(task, n, *args, examples=None, **more):
        if examples:
            given.append((examples[0]["filled"].shape, examples[1].shape[1], examples[0]["queries"].sum()))
        return stream(task, n, *args, examples=examples, **more)

    monkeypatch.setattr(fitting, "is_proved", is_proved)
    monkeypatch.setattr(fitting, "stream", batches)
    recipe = dataclasses.replace(
        RECIPES["queue-digital"],
        stages=(Stage(4, ((2, 4, 4), (4, 8, 8)), leaves=4),),
        batch_size=4,
        epochs=8,
        steps=2,
        validation_steps=1,
    )
    _, checkpoints = train_plainly(recipe, tmp_path)
    assert asked == [0] + 4 * [1] and int(checkpoints.epoch) == 3  # at last the best weights are asked
    assert [each[:2] for each in given] == [((8, 2), 4), ((8, 4), 8), ((8, 2), 4)] and given[0] != given[2]
    train_plainly(recipe, tmp_path)
    assert len(asked) == 7 and len(read_log(tmp_path)["epoch"]) == 3


def test_what_is_not_proved_is_trained_anew(tmp_path, monkeypatch):
    recipe = dataclasses.replace(SHORT, memory="digital", epochs=2, steps=2, validation_steps=1)
    verdicts = iter([False, True, True, True])
    monkeypatch.setattr(fitting, "is_proved", lambda *_: next(verdicts))

    def killed(folder):
        (folder / "attempt1").mkdir()
        (folder / "best.weights.h5").rename(folder / "attempt1" / "best.weights.h5")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(fitting, "set_aside", killed)
        train_plainly(recipe, tmp_path / "run", 7)
    model, run = train_plainly(recipe, tmp_path / "run", 7)
    alone, other = train_plainly(recipe, tmp_path / "alone", 1007)  # attempt 2 is the run of a seed of its own
    assert all(map(np.array_equal, model.get_weights(), alone.get_weights()))
    assert failed_attempts(tmp_path / "run") == [tmp_path / "run" / "attempt1"]
    assert len(read_log(tmp_path / "run" / "attempt1")["epoch"]) == len(read_log(tmp_path / "run")["epoch"]) == 2
    again, same = train_plainly(recipe, tmp_path / "run", 7)  # done: it is only loaded
    assert all(map(np.array_equal, again.get_weights(), alone.get_weights()))
    assert float(same.seconds) == float(run.seconds) > float(other.seconds)  # those of all attempts
    monkeypatch.setattr(fitting, "ATTEMPTS", 2)
    monkeypatch.setattr(fitting, "is_proved", lambda *_: False)
    train_plainly(recipe, tmp_path / "run", 7)
    assert len(failed_attempts(tmp_path / "run")) == 1  # no more of them


def test_a_kill_while_an_attempt_is_set_aside(tmp_path):
    for name in ("run.json", "log.csv", "best.weights.h5", "checkpoints/checkpoint", "logs/events", "start/run.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "attempt1").mkdir()
    (tmp_path / "log.csv").rename(tmp_path / "attempt1" / "log.csv")
    assert failed_attempts(tmp_path) == []  # it is not whole yet
    set_aside(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["attempt1", "run.json"]
    moved = {path.name for path in (tmp_path / "attempt1").iterdir()}
    assert moved == {"start", "log.csv", "best.weights.h5", "checkpoints", "logs"}


def test_examples_that_are_given_come_in_turn():
    task = get_task("stack")
    examples = begun(task, random_starts(task, 4, 8, 5, [1]))
    batches = iter(stream(task, 8, 3, 0, 1, samples=2, examples=examples))
    for rows in [3, 4, 0], [1, 2, 3]:
        inputs, targets = next(batches)
        assert np.array_equal(targets, examples[1][np.repeat(rows, 2)])
        for name, value in examples[0].items():
            assert np.array_equal(inputs[name], np.asarray(value)[np.repeat(rows, 2)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(n=12), "n: got 12; expected a power of two"),
        (dict(lessons=((8, 8),)), r"lessons: got \(\(8, 8\),\); expected triples"),
        (dict(leaves=3), "leaves: got 3; expected a power of two, or None"),
        (dict(anywhere=1), "anywhere: got 1; expected True or False"),
        (dict(until=1.5), "until: got 1.5; expected an epoch, or an error"),
        (dict(until=-1), "until: got -1"),
    ],
)
def test_a_stage_that_makes_no_sense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Stage(**change)


def test_no_entropy_at_all(tmp_path):
    recipe = dataclasses.replace(
        RECIPES["smallest-reinforce"],
        loss=dict(discount=0, entropy=(0, 0), samples=1),
        stages=grow(2),
        epochs=2,
        steps=2,
    )
    train_plainly(dataclasses.replace(recipe, validation_steps=1), tmp_path)
    assert np.isfinite(read_log(tmp_path)["loss"]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            dict(loss=dict(discount=1, entropy=(0.1, 0), samples=1)),
            r"entropy: got \(0.1, 0\); expected two positive numbers",
        ),
        (dict(loss=dict(discount=1)), "loss: got {'discount': 1}; expected discount, entropy, samples"),
        (dict(loss="squared"), "loss: got 'squared'; expected reinforce, best-leaf, mean_squared_error"),
        (dict(loss="best-leaf"), "loss: got 'best-leaf'; it is for stack, queue with join='digits'"),
        (dict(loss=dict(discount=1.5, entropy=(0, 0), samples=1)), r"discount: got 1.5; expected γ in \[0, 1\]"),
        (dict(memory="book"), "noise: got .* with 'reinforce' and task smallest, none of embed, join, search"),
        (dict(task="sort", memory="book-ask"), "noise: got .* and task sort, none of embed, search"),
        (dict(task="add", inputs=("decoys",)), "inputs: got decoys, for soft attention only, with 'reinforce'"),
        (dict(inputs=("decoys",)), r"inputs: got \('decoys',\); expected some of mixed, alike"),
        (dict(model="lstm"), "memory: got .* for the model 'lstm'"),
        (dict(stages=()), r"stages: got \(\); expected a stage or more"),
        (dict(stages=(8,)), r"stages: got \(8,\); expected a stage or more"),
        (dict(noise=True), "noise: got True; expected falls or stays"),
    ],
)
def test_a_recipe_that_says_what_would_not_be_done_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(RECIPES["smallest-reinforce"], **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card.pop("memory"), r"is not the card of a run \(recipe: missing fields memory; expected task"),
        (lambda card: card.pop("seed"), r"is not the card of a run \(missing field 'seed'\)"),
        (lambda card: card.update(speed=3), r"is not the card of a run \(recipe: unknown fields speed; expected task"),
        (lambda card: card["memory"].update(join="old"), r"is not the card of a run \(join: unknown 'old'; known: new"),
        (lambda card: card.update(task="swap"), r"is not the card of a run \(task: unknown 'swap'"),
    ],
)
def test_a_card_that_is_not_whole_says_what_is_wrong(tmp_path, change, message):
    open_run(tmp_path, SHORT, 0)
    card = json.loads((tmp_path / "run.json").read_text())
    change(card)
    (tmp_path / "run.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=message):
        read_run(tmp_path)


def test_a_preset_that_changes_does_not_change_a_run(tmp_path, monkeypatch):
    open_run(tmp_path, SHORT, 0)
    monkeypatch.setitem(PRESETS, "book", PRESETS["book"] | dict(join="copy"))
    assert read_run(tmp_path) == SHORT and SHORT.memory["join"] == "new"
    with pytest.raises(ValueError, match="holds another run .*memory is .*'new'.* there and .*'copy'.* here"):
        open_run(tmp_path, dataclasses.replace(SHORT, memory="book"), 0)


def test_unknown_recipe():
    with pytest.raises(ValueError, match="recipe: unknown 'best'; known: smallest-2016, smallest"):
        get_recipe("best")


def test_an_lstm_with_a_tree_learns_to_reverse(tmp_path):
    """In less than a minute: 95% of the sequences of up to 4 symbols, soft and hard."""
    recipe = dataclasses.replace(
        RECIPES["reverse"], stages=grow(4), epochs=6, learning_rate=(0.005, 0.0005), validation_steps=4
    )
    model, _ = train(recipe, tmp_path, verbose=0)
    for attention in ("soft", "hard"):
        assert wrong_rate(model, get_task("reverse"), 4, 500, attention=attention, lengths=(1, 4)).right > 95


@pytest.fixture
def plain_search(monkeypatch):
    monkeypatch.setattr(tuning, "train", functools.partial(train, jit_compile=False))


def test_each_learning_rate_is_tried(tmp_path, plain_search):
    recipe = dataclasses.replace(SHORT, memory="2016", learning_rate=(0.002, 0.001), steps=10)
    errors = try_rates(recipe, tmp_path)
    assert len(RATES) >= 3 and tuple(errors) == RATES
    for rate, error in errors.items():
        folder = tmp_path / f"rate{rate:g}"
        assert error == min(history(folder)["val_wrong"])
        assert read_run(folder) == dataclasses.replace(recipe, learning_rate=(rate, rate / 2), epochs=1)


def test_a_search_at_random_goes_on_where_it_stopped(tmp_path, monkeypatch, plain_search):
    recipe = dataclasses.replace(SHORT, epochs=2, steps=10)
    unbroken = tune(recipe, tmp_path / "unbroken", 2)
    assert [trial.value for trial in unbroken.trials] == [
        min(history(tmp_path / "unbroken" / f"trial{k}")["val_wrong"]) for k in (0, 1)
    ]
    low, high = tuning.SPACE["learning_rate"]
    rates = [trial.params["learning_rate"] for trial in unbroken.trials]
    assert len(set(rates)) == 2 and all(low <= rate <= high for rate in rates)
    learning_rate = read_run(tmp_path / "unbroken" / "trial1").learning_rate  # this recipe's is constant
    assert learning_rate == (rates[1], float(f"{rates[1]:.6g}"))  # the last is rounded

    save, saved = tf.train.CheckpointManager.save, []

    def interrupted(manager, number):
        saved.append(save(manager, number))
        if len(saved) == 3:  # after the first epoch of the second trial
            raise KeyboardInterrupt

    monkeypatch.setattr(tf.train.CheckpointManager, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(recipe, tmp_path / "stopped", 2)
    again = tune(recipe, tmp_path / "stopped", 2)
    assert len(saved) == 4  # only the epoch that was missing
    finished = [(trial.value, trial.params) for trial in again.trials if trial.value is not None]
    assert finished == [(trial.value, trial.params) for trial in unbroken.trials]
    with pytest.raises(ValueError, match="trials: got 0; expected a positive integer"):
        tune(recipe, tmp_path, 0)
