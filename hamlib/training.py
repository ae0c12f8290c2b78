"""Training: `compile`, a stream of fresh batches, the curriculum, and runs that survive a kill.

A run is a folder. After each epoch its whole state (weights, optimiser, epoch, size, best error) is
checkpointed, and the weights with the lowest validation error are kept in ``best.weights.h5``. The
examples are a pure function of the step, so a run that was stopped goes on as if it never had been.
"""

import csv
import dataclasses
import json
import math
import os
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from hamlib.memory import TreeMemory, preset
from hamlib.models import HAM, EncoderDecoder, RawHAM, Reinforce, Trial
from hamlib.recipes import RATES, Recipe, get_recipe, suggest
from hamlib.tasks import Structure, get_task, stream_seed


def build(recipe):
    """Return an untrained model for a recipe, its weights drawn from Keras's global seed."""
    task = get_task(recipe.task)
    if recipe.memory is None:
        attention = recipe.model == "lstm+a"  # the widths give both more weights than any HAM here
        return EncoderDecoder(task.symbol_width, task.answer_width, 32 if attention else 64, attention)
    if isinstance(task, Structure):  # the operation asks
        widths = dict(symbol_width=task.answer_width, query_width=task.symbol_width)
        return RawHAM(TreeMemory(**preset(recipe.memory) | widths), output="mlp")
    memory = TreeMemory(task.symbol_width, writable=task.writes, **preset(recipe.memory))
    return HAM(memory, task.answer_width, recipe.accesses, recipe.numbered) if recipe.model == "ham" else RawHAM(memory)


def compile_model(model, recipe, jit_compile=True):
    """Give ``model`` the recipe's loss, its optimiser, and the judge as the metric ``wrong``.

    Args:
        model: a model for the recipe's task.
        recipe: a `Recipe`.
        jit_compile: whether XLA compiles the training step; False to look into it step by step. The
            noise of JOIN is drawn differently then: a run repeats itself, but not across this switch.
    """
    task = get_task(recipe.task)

    def wrong(targets, outputs):
        return task.wrong(targets, outputs[..., : targets.shape[2]])

    def loss(targets, outputs):  # what is not judged costs nothing
        judged = targets >= 0
        bit_loss = keras.losses.get(recipe.loss)
        return bit_loss(ops.where(judged, targets, 0.0), ops.where(judged, outputs, 0.0))

    first, last = recipe.learning_rate
    falling = keras.optimizers.schedules.ExponentialDecay(first, recipe.epochs * recipe.steps, last / first)
    model.compile(
        keras.optimizers.Adam(falling, global_clipnorm=recipe.clip),
        Reinforce(recipe.discount, recipe.entropy[0], recipe.samples) if recipe.loss == "reinforce" else loss,
        metrics=[wrong],
        jit_compile=jit_compile,
        steps_per_execution=max(1, recipe.steps // 10),  # ten calls an epoch: Keras costs time for each
    )
    model.optimizer.build(model.trainable_variables)


def stream(task, n, batch_size, seed, first_step=0, *lesson, decoys=False, samples=1, **more):
    """An endless ``tf.data`` stream of the batches ``first_step``, ``first_step + 1``, ... of a seed.

    Args:
        task: a `Task`.
        n, batch_size, seed, lesson, more: as in `Task.examples`.
        first_step: the step of the first batch.
        decoys: whether the inputs come with the task's ``decoys``.
        samples: how often each input of a batch stands in it, one after the other.

    Returns:
        a ``tf.data.Dataset`` of ``(inputs, targets)``.
    """
    steps = tf.data.Dataset.range(first_step, tf.int64.max)

    def draw(step):
        inputs, targets = task.examples(n, batch_size, seed, step, *lesson, **more)
        if decoys:
            inputs["decoys"] = task.decoys(inputs["symbols"], tf.stack([tf.constant(seed, tf.int64), step]))
        return tf.nest.map_structure(lambda value: tf.repeat(value, samples, axis=0), (inputs, targets))

    return steps.map(draw).prefetch(16)


class Curriculum(keras.callbacks.Callback):
    """Doubles n when it is mastered: ends the ``fit`` of a stage once its validation error is low.

    Args:
        sizes: n of each stage (Sec. 3.3).
        threshold: the validation error (``val_wrong``) under which the next stage begins.
    """

    def __init__(self, sizes, threshold):
        super().__init__()
        self.sizes, self.threshold = sizes, threshold
        self.stage = tf.Variable(0, dtype=tf.int64)

    @property
    def n(self):
        """Leaves of the tree in the current stage."""
        return self.sizes[int(self.stage)]

    def on_epoch_end(self, epoch, logs=None):
        logs["n"] = self.n
        if logs["val_wrong"] < self.threshold and self.n != self.sizes[-1]:
            self.stage.assign_add(1)
            self.model.stop_training = True


class FallingNoise(keras.callbacks.Callback):
    """Lets the noise fall to zero over the first half of a run: digital values early, fine print late.

    Args:
        epochs: of the whole run; epoch k has max(0, 1 - 2k / epochs) of the first noise.
    """

    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch, logs=None):
        memory = getattr(self.model, "memory", None)
        for name in ("join", "search") if memory else ():
            if (noise := getattr(memory, name).noise) is not None:
                noise.assign(memory.config[f"{name}_noise"] * max(0.0, 1 - 2 * epoch / self.epochs))


class FallingEntropy(keras.callbacks.Callback):
    """Lets α of a `Reinforce` fall exponentially, from its first value to its last (Sec. 3.3).

    Args:
        entropy: the two values.
        epochs: of the whole run.
    """

    def __init__(self, entropy, epochs):
        super().__init__()
        self.entropy, self.epochs = entropy, epochs

    def on_epoch_begin(self, epoch, logs=None):
        first, last = self.entropy
        self.model.loss.alpha.assign(first * (last / first) ** (epoch / max(1, self.epochs - 1)))


class Checkpoints(keras.callbacks.Callback):
    """Saves a whole run after each epoch and keeps the weights with the lowest validation error.

    ``folder/checkpoints`` holds the last two states of the run: weights, optimiser, epoch, stage. A
    state is complete before it is named the latest, so a kill at any moment leaves a good one.
    ``folder/best.weights.h5`` holds the best weights at the largest n reached.

    Args:
        folder: the run's folder.
        model: the compiled model.
        curriculum: the run's `Curriculum`.
    """

    def __init__(self, folder, model, curriculum):
        super().__init__()
        self.curriculum = curriculum
        self.answering = model.answering if isinstance(model, Trial) else model
        self.epoch = tf.Variable(0, dtype=tf.int64)
        self.seconds = tf.Variable(0.0, dtype=tf.float64)
        self.best_n = tf.Variable(0, dtype=tf.int64)
        self.best_error = tf.Variable(1.0, dtype=tf.float64)
        self.best_weights = Path(folder) / "best.weights.h5"
        self.state = tf.train.Checkpoint(
            model=model.variables,  # with the state of the noise, which `model` itself would leave out
            optimizer=model.optimizer.variables,
            stage=curriculum.stage,
            epoch=self.epoch,
            seconds=self.seconds,
            best_n=self.best_n,
            best_error=self.best_error,
        )
        self.manager = tf.train.CheckpointManager(self.state, str(Path(folder) / "checkpoints"), max_to_keep=2)

    def restore(self):
        """Load the latest state that is whole; return the number of epochs it has done.

        Raises:
            ValueError: there are states, and none is whole.
        """
        paths = self.manager.checkpoints
        whole = [path for path in paths if _is_whole(path)]
        if paths and not whole:
            raise ValueError(f"folder: no checkpoint in {self.manager.directory} can be read; choose another folder")
        if whole:
            self.state.restore(whole[-1]).assert_consumed()
        return int(self.epoch)

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()
        self.n = self.curriculum.n

    def on_epoch_end(self, epoch, logs=None):
        if self.n > self.best_n or logs["val_wrong"] <= self.best_error:
            self.best_n.assign(self.n)
            self.best_error.assign(logs["val_wrong"])
            write_whole(self.best_weights, self.answering.save_weights)
        self.epoch.assign(epoch + 1)
        self.seconds.assign_add(time.monotonic() - self.started)
        self.manager.save(epoch + 1)


def _is_whole(path):
    """Whether every tensor of a checkpoint can be read; a restore that failed half-way would mix two states."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, IndexError, ValueError):
        return False
    return True


def write_whole(path, write):
    """Call ``write`` on a temporary name, then rename it to ``path``: the file is there whole or not at all."""
    path = Path(path)
    temporary = path.with_name(f".writing-{path.name}")
    write(temporary)
    os.replace(temporary, path)


def open_run(folder, recipe, seed):
    """Make ``folder`` the home of a run, or check that it is the home of this very run.

    Raises:
        ValueError: the folder holds a run of another recipe or seed; the message says what differs.
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    card = folder / "run.json"
    wanted = dataclasses.asdict(recipe) | {"seed": seed}
    if card.exists():
        found = dataclasses.asdict(read_run(folder)) | {"seed": json.loads(card.read_text()).get("seed")}
        differ = [k for k in wanted if found.get(k) != wanted[k]]
        if differ:
            what = "; ".join(f"{k} is {found.get(k)!r} there and {wanted[k]!r} here" for k in differ)
            raise ValueError(f"folder: {folder} holds another run ({what}); choose another folder")
    elif (folder / "checkpoints").exists():
        raise ValueError(f"folder: {folder} holds checkpoints without a run.json; choose another folder")
    else:
        write_whole(card, lambda path: path.write_text(json.dumps(wanted, indent=1) + "\n"))
    return folder


def read_run(folder):
    """Return the `Recipe` of the run in ``folder``.

    Raises:
        FileNotFoundError: the folder holds no run.
        ValueError: its run.json cannot be read.
    """
    card = Path(folder) / "run.json"
    if not card.is_file():
        raise FileNotFoundError(f"folder: {folder} holds no run (no run.json)")
    try:
        return Recipe.from_json(json.loads(card.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"folder: {card} is not the card of a run ({error!r})") from error


def read_log(folder):
    """Return what a run has logged, ``{column: array[epochs]}``: ``epoch``, ``n``, ``loss``, ``val_wrong`` and so on.

    Raises:
        FileNotFoundError: the folder holds no log.csv.
    """
    with open(Path(folder) / "log.csv", newline="") as file:
        return {column: np.array(values, float) for column, *values in zip(*csv.reader(file), strict=True)}


def _forget_epochs(log, epochs):
    """Drop from a CSV log the epochs that a resumed run will do again."""
    if log.exists():
        with open(log, newline="") as file:
            head, *rows = list(csv.reader(file)) or [[]]
        kept = [row for row in rows if row and row[0].isdigit() and int(row[0]) < epochs]
        with open(log, "w", newline="") as file:
            csv.writer(file).writerows([head, *kept] if kept else [])


def train(recipe, folder, seed=0, verbose="auto", jit_compile=True, callbacks=()):
    """Train a recipe in a folder, or go on with the run that is there.

    Args:
        recipe: a `Recipe`.
        folder: the run's home: ``run.json``, ``checkpoints``, ``best.weights.h5``, ``log.csv`` and
            TensorBoard's ``logs``; ``start``, the home of the run that this one starts from.
        seed: of the first weights and of the examples.
        verbose: as in ``fit``.
        jit_compile: whether XLA compiles the training step.
        callbacks: more Keras callbacks.

    Returns:
        ``(model, checkpoints)``: the model with its best weights, and the run's `Checkpoints`.

    Raises:
        ValueError: the folder holds another run, or a bad seed.
        OSError: the folder cannot be written.
    """
    task = get_task(recipe.task)
    stream_seed(seed, "train")  # a bad seed must leave no folder behind
    folder = open_run(folder, recipe, seed)
    if recipe.start:
        begun, before = train(get_recipe(recipe.start), folder / "start", seed, verbose, jit_compile)
    keras.utils.set_random_seed(seed)
    answering = build(recipe)
    if recipe.start:
        answering.set_weights(begun.get_weights())
    model = Trial(answering) if recipe.loss == "reinforce" else answering
    compile_model(model, recipe, jit_compile)
    curriculum = Curriculum(recipe.sizes, recipe.threshold)
    checkpoints = Checkpoints(folder, model, curriculum)
    if recipe.start:
        checkpoints.seconds.assign(before.seconds)  # a run that goes on knows better
    _forget_epochs(folder / "log.csv", checkpoints.restore())

    def batches(purpose, n, *lesson, first_step=0):
        aids = dict(alike=recipe.alike, decoys=recipe.decoys, samples=recipe.samples) if purpose == "train" else {}
        purpose_seed = stream_seed(seed, purpose)
        return stream(task, n, recipe.batch_size, purpose_seed, first_step, recipe.lengths(n), *lesson, **aids)

    watching = [
        curriculum,
        *([] if recipe.noisy else [FallingNoise(recipe.epochs)]),
        checkpoints,
        *([FallingEntropy(recipe.entropy, recipe.epochs)] if recipe.loss == "reinforce" else []),
        keras.callbacks.CSVLogger(folder / "log.csv", append=True),
        keras.callbacks.TensorBoard(folder / "logs", write_graph=False),
        *callbacks,
    ]
    compiled = {}  # a new size is a new shape, for which the steps are compiled anew
    while (epoch := int(checkpoints.epoch)) < recipe.epochs:
        n, lesson = curriculum.n, recipe.lesson(curriculum.n, epoch)
        model.train_function, model.test_function = compiled.get(lesson), compiled.get(n)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Gradients do not exist")  # after the last symbol nothing is written
            model.fit(
                batches("train", *lesson, first_step=int(model.optimizer.iterations)),
                epochs=epoch + 1 if recipe.lessons else recipe.epochs,
                initial_epoch=epoch,
                steps_per_epoch=recipe.steps,
                validation_data=batches("validation", *recipe.whole(n)),
                validation_steps=recipe.validation_steps,
                shuffle=False,
                verbose=verbose,
                callbacks=watching,
            )
        compiled[lesson], compiled[n] = model.train_function, model.test_function
    answering.load_weights(checkpoints.best_weights)
    return answering, checkpoints


def tune(recipe, folder, seed=0):
    """Try each learning rate of `recipes.RATES` in a quarter of a recipe's epochs, or go on with what is there.

    Args:
        recipe, seed: as in `train`.
        folder: the home of the runs.

    Returns:
        ``{rate: lowest validation error}``.
    """
    short = dataclasses.replace(recipe, epochs=math.ceil(recipe.epochs / 4))
    errors = {}
    for rate in RATES:
        _, checkpoints = train(short.at_rate(rate), Path(folder) / f"rate{rate:g}", seed, verbose=0)
        errors[rate] = float(checkpoints.best_error)
    return errors


def search(recipe, folder, trials, seed=0):
    """Search hyper-parameters at random, as the paper does (Sec. 4.1), or go on with the search that is there.

    Args:
        recipe: the `Recipe` whose fields in `recipes.SPACE` are drawn anew for each trial.
        folder: the search's home: ``trials.db``, Optuna's, and the folder of each trial's run.
        trials: how many runs there shall be in all.
        seed: of all runs, and of what is drawn.

    Returns:
        Optuna's ``Study``; its trials have the best validation error of their run as ``value``.

    Raises:
        ValueError: ``trials`` is not a positive integer, or a bad seed.
        OSError: the folder cannot be written.
    """
    import optuna  # only a search needs it

    if isinstance(trials, bool) or not isinstance(trials, int) or trials < 1:
        raise ValueError(f"trials: got {trials!r}; expected a positive integer")
    stream_seed(seed, "train")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'trials.db'}", study_name=f"{recipe.task}-seed{seed}", load_if_exists=True
    )

    def run(trial):
        _, checkpoints = train(suggest(recipe, trial), folder / f"trial{len(done())}", seed, verbose=0)
        return float(checkpoints.best_error)

    def done():
        return study.get_trials(states=[optuna.trial.TrialState.COMPLETE])

    while len(done()) < trials:  # a trial that was stopped is drawn again, the same, and goes on in its folder
        study.sampler = optuna.samplers.RandomSampler(seed=seed + len(done()))
        study.optimize(run, n_trials=1)
    return study
