"""Learning rates and other hyper-parameters, tried in runs of their own."""

import dataclasses
import math
from pathlib import Path

from hamlib.models import locked
from hamlib.recipes import RATES
from hamlib.tasks import stream_seed
from hamlib.training.fitting import train

# What a search at random samples (Sec. 4.1): a range, log-uniform, or a choice.
SPACE = {"learning_rate": (0.001, 0.01), "clip": [0.1, 1.0, 5.0]}


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


def tune(recipe, folder, trials, seed=0, callbacks=()):
    """Search hyper-parameters at random, as the paper does (Sec. 4.1), or go on with the search that is there.

    Args:
        recipe: the `Recipe` whose fields in `SPACE` are sampled anew for each trial.
        folder: the search's home: ``trials.db``, Optuna's, and the folder of each trial's run.
        trials: how many runs there shall be in all.
        seed: of all runs, and of what is sampled.
        callbacks: more Keras callbacks, of each run.

    Returns:
        Optuna's ``Study``; its trials have the best validation error of their run as ``value``.

    Raises:
        ValueError: ``trials`` is not a positive integer, a bad seed, or another process searches in the folder.
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
        _, checkpoints = train(suggest(recipe, trial), folder / f"trial{len(done())}", seed, 0, callbacks=callbacks)
        return float(checkpoints.best_error)

    def done():
        return study.get_trials(states=[optuna.trial.TrialState.COMPLETE])

    with locked(folder / "trials"):
        while len(done()) < trials:  # a trial that was stopped is sampled again, the same, and goes on in its folder
            study.sampler = optuna.samplers.RandomSampler(seed=seed + len(done()))
            study.optimize(run, n_trials=1)
    return study
