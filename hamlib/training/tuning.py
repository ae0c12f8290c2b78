"""Learning rates and other hyper-parameters, tried in runs of their own."""

import contextlib
import dataclasses
import hashlib
import math
import re
import time
import warnings
from pathlib import Path

from hamlib.models import locked
from hamlib.recipes import RATES
from hamlib.tasks import stream_seed
from hamlib.training.callbacks import NotANumber
from hamlib.training.fitting import train
from hamlib.training.workers import check_alone

# What a search at random samples (Sec. 4.1): a range, log-uniform, or a choice.
SPACE = {"learning_rate": (0.001, 0.01), "clip": [0.1, 1.0, 5.0]}
HEARTBEAT = 60  # seconds between the signs of life that a trial gives in a database


def try_rates(recipe, folder, seed=0, callbacks=()):
    """Try each learning rate of `recipes.RATES` in a quarter of a recipe's epochs, or go on with what is there.

    Args:
        recipe, seed, callbacks: as in `train`.
        folder: the home of the runs.

    Returns:
        ``{rate: lowest validation error}``.
    """
    short = dataclasses.replace(recipe, epochs=math.ceil(recipe.epochs / 4))
    errors = {}
    for rate in RATES:
        _, checkpoints = train(short.at_rate(rate), Path(folder) / f"rate{rate:g}", seed, 0, callbacks=callbacks)
        errors[rate] = float(checkpoints.best_error)
    return errors


def suggest(recipe, trial):
    """Return ``recipe`` with fields sampled from `SPACE`; the learning rate still falls as far as the recipe's.

    Args:
        recipe: a `Recipe`.
        trial: an Optuna trial.
    """
    rate = trial.suggest_float("learning_rate", *SPACE["learning_rate"], log=True)
    clip = trial.suggest_categorical("clip", SPACE["clip"])
    return dataclasses.replace(recipe.at_rate(rate), clip=clip)


def tune(recipe, folder, trials, seed=0, callbacks=(), storage=None):
    """Search hyper-parameters at random, as the paper does (Sec. 4.1), or go on with the search that is there.

    Any number of processes, on any machines, may call it with one storage at once: they share out the trials, which are
    numbered from 0 and sampled by their number, and each returns when all are done. A trial whose worker died is tried
    again; where workers also share the folder, it goes on from its last whole epoch. In a journal a trial is dead when
    nobody holds its lock, a file beside it, which the system gives back when a process ends; in a database, when
    it has given no sign of life for three times `HEARTBEAT`.

    Args:
        recipe: the `Recipe` whose fields in `SPACE` are sampled anew for each trial.
        folder: the search's home, with the folder of each trial's run.
        trials: how many runs there shall be in all.
        seed: of all runs, and of what is sampled.
        callbacks: more Keras callbacks, of each run.
        storage: Optuna's: the path of a journal, or the URL of a database; None for ``trials.journal`` in the folder.

    Returns:
        Optuna's ``Study``; its trials have the best validation error of their run as ``value``, and ``user_attrs``
        says which ``trial`` of the search each is. One whose loss is no number is pruned, without a value.

    Raises:
        ValueError: ``trials`` is not a positive integer, a bad seed, the storage cannot be reached, or there is a
            ``TF_CONFIG``.
        OSError: the folder, or the journal, cannot be written.
    """
    import optuna  # only a search needs it

    if isinstance(trials, bool) or not isinstance(trials, int) or trials < 1:
        raise ValueError(f"trials: got {trials!r}; expected a positive integer")
    stream_seed(seed, "train")
    check_alone("the trials of a search are shared out, by its storage, not their batches")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    journal, storage = _open(folder / "trials.journal" if storage is None else storage)
    name = f"{recipe.task}-seed{seed}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:8]}"
    study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
    states = optuna.trial.TrialState

    def held(what, wait=0):
        return locked(journal.with_name(f"{journal.name}-{name}-{what}"), wait) if journal else contextlib.nullcontext()

    def fail_dead():
        if not journal:
            optuna.storages.fail_stale_trials(study)
        for trial in study.get_trials(states=[states.RUNNING]) if journal else ():
            with contextlib.suppress(ValueError), held(trial.user_attrs["trial"]):
                study.tell(trial.number, state=states.FAIL)

    def first_of_each():
        every = reversed(study.get_trials(states=[states.WAITING, states.RUNNING, states.COMPLETE, states.PRUNED]))
        return {trial.user_attrs["trial"]: trial for trial in every if "trial" in trial.user_attrs}

    def run(trial):
        number = trial.user_attrs.get("trial")
        if number is None or first_of_each()[number].number != trial.number:
            return float("nan")  # a database locks nothing: another worker has asked for the same, and it fails here
        with held(number):
            claim.close()
            try:
                _, run = train(suggest(recipe, trial), folder / f"trial{number}", seed, 0, callbacks=callbacks)
            except NotANumber as error:
                raise optuna.TrialPruned from error
        return float(run.best_error)

    while True:
        with contextlib.ExitStack() as claim:  # until a trial is held, no other process looks for one
            claim.enter_context(held("claim", wait=600))
            fail_dead()
            known = first_of_each()
            if all(k in known and known[k].state.is_finished() for k in range(trials)):
                return study
            for k in set(range(trials)) - set(known):
                sampled = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed + k)).ask()
                suggest(recipe, sampled)
                study.enqueue_trial(sampled.params, user_attrs={"trial": k})
            if study.get_trials(states=[states.WAITING]):
                study.optimize(run, n_trials=1)
                continue
        time.sleep(1)  # others are at the rest; should one of them die, it is our turn


def _open(storage):
    """Return the path of a journal, None for a database, and Optuna's storage for it."""
    import optuna
    import sqlalchemy

    if "://" not in str(storage):
        journal = Path(storage)
        journal.parent.mkdir(parents=True, exist_ok=True)
        backend = optuna.storages.journal.JournalFileBackend(str(journal))
        return journal, optuna.storages.JournalStorage(backend)
    try:
        with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
            beat = dict(heartbeat_interval=HEARTBEAT, grace_period=3 * HEARTBEAT)
            database = optuna.storages.RDBStorage(str(storage), **beat)
    except Exception as error:  # of SQLAlchemy, of Optuna, and of each database's driver
        told = re.sub("//[^/]*@", "//", str(storage))  # without a password
        reason = type(error.__cause__ or error).__name__
        raise ValueError(
            f"storage: {told} cannot be reached ({reason}); expected a file, or a database's URL"
        ) from error
    if database.engine.dialect.name == "sqlite":  # it locks no rows: two workers would take the same trial
        sqlalchemy.event.listen(database.engine, "begin", lambda session: session.exec_driver_sql("BEGIN IMMEDIATE"))
    return None, database
