"""The folder of a run: its card, its log, and a checkpoint after each epoch."""

import csv
import dataclasses
import json
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from hamlib.models import save_weights, write_whole
from hamlib.recipes import Recipe


class Checkpoints(keras.callbacks.Callback):
    """Saves a whole run after each epoch and keeps the weights with the lowest validation error.

    ``folder/checkpoints`` holds the last two states of the run: weights, optimiser, epoch, stage. A
    state is complete before it is named the latest, so a kill at any moment leaves a good one.
    ``folder/best.weights.h5`` holds the best weights at the largest n reached, rounded if any are.

    Args:
        folder: the run's folder; None for a worker that writes nothing and only counts along.
        model: the compiled model.
        curriculum: the run's `Curriculum`.
    """

    def __init__(self, folder, model, curriculum):
        super().__init__()
        self.curriculum = curriculum
        self.answering = getattr(model, "answering", model)
        self.epoch = tf.Variable(0, dtype=tf.int64)
        self.seconds = tf.Variable(0.0, dtype=tf.float64)
        self.best_reached = tf.Variable(0, dtype=tf.int64)
        self.best_error = tf.Variable(1.0, dtype=tf.float64)
        self.variables = [*model.variables, *model.optimizer.variables, curriculum.number]
        self.variables += [self.epoch, self.seconds, self.best_reached, self.best_error]
        self.best_weights = self.manager = None
        if folder is None:
            return
        self.best_weights = Path(folder) / "best.weights.h5"
        self.state = tf.train.Checkpoint(
            model=model.variables,  # with the state of the noise, which `model` itself would leave out
            optimizer=model.optimizer.variables,
            stage=curriculum.number,
            epoch=self.epoch,
            seconds=self.seconds,
            best_reached=self.best_reached,
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
        self.n = self.curriculum.stage.n

    def on_epoch_end(self, epoch, logs=None):
        digital = getattr(getattr(self.answering, "memory", None), "digital", None)
        reached = 2 * self.n + (
            0 if digital is None else int(digital)
        )  # weights that are not rounded yet are no rivals of those that are
        if reached > self.best_reached or logs["val_wrong"] <= self.best_error:
            self.best_reached.assign(reached)
            self.best_error.assign(logs["val_wrong"])
            if self.manager:
                save_weights(self.answering, self.best_weights)
        self.epoch.assign(epoch + 1)
        self.seconds.assign_add(time.monotonic() - self.started)
        if self.manager:
            self.manager.save(epoch + 1)


class Epochs(keras.callbacks.Callback):
    """A bar over the epochs of runs that say nothing else."""

    bar = None

    def on_epoch_end(self, epoch, logs=None):
        if not epoch or not self.bar:
            self.bar = keras.utils.Progbar(None, unit_name="epoch", stateful_metrics=["val_wrong"])
        self.bar.update(epoch + 1, [("val_wrong", logs["val_wrong"])], finalize=False)


def _is_whole(path):
    """Whether every tensor of a checkpoint can be read; a restore that failed half-way would mix two states."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, IndexError, ValueError):
        return False
    return True


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
        found = dataclasses.asdict(read_run(folder)) | {"seed": json.loads(card.read_text())["seed"]}
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
        fields = json.loads(card.read_text())
        fields.pop("seed")
        return Recipe.from_json(fields)
    except KeyError as error:
        raise ValueError(f"folder: {card} is not the card of a run (missing field {error})") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"folder: {card} is not the card of a run ({error})") from error


def failed_attempts(folder):
    """Return the folders of a run's attempts that were set aside, the first one first."""
    return [path.parent for path in sorted(Path(folder).glob("attempt*/checkpoints"))]


def set_aside(folder):
    """Move what a run has done into a folder of its own in ``folder``, so that it begins anew."""
    to = Path(folder) / f"attempt{len(failed_attempts(folder)) + 1}"
    to.mkdir(exist_ok=True)
    for name in ("start", "logs", "log.csv", "best.weights.h5", "checkpoints"):  # the last one says that all are there
        if (Path(folder) / name).exists():
            (Path(folder) / name).rename(to / name)


def seconds_set_aside(folder):
    """Return the seconds of training of all attempts that were set aside: each has counted on from those before."""
    failed = failed_attempts(folder)
    name = "seconds/.ATTRIBUTES/VARIABLE_VALUE"
    return tf.train.load_variable(failed[-1] / "checkpoints", name) if failed else 0.0


def read_log(folder):
    """Return what a run has logged, ``{column: array[epochs]}``: ``epoch``, ``n``, ``loss``, ``val_wrong`` and so on.

    Raises:
        FileNotFoundError: the folder holds no log.csv.
    """
    with open(Path(folder) / "log.csv", newline="") as file:
        return {column: np.array(values, float) for column, *values in zip(*csv.reader(file), strict=True)}


def forget_epochs(log, epochs):
    """Drop from a CSV log the epochs that a resumed run will do again."""
    if log.exists():
        with open(log, newline="") as file:
            head, *rows = list(csv.reader(file)) or [[]]
        kept = [row for row in rows if row and row[0].isdigit() and int(row[0]) < epochs]
        with open(log, "w", newline="") as file:
            csv.writer(file).writerows([head, *kept] if kept else [])
