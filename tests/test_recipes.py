"""What a recipe shows a model, step by step, does not change: the ledger's commands make the same runs again."""

import hashlib
import json

import numpy as np
import pytest

from hamlib.recipes import RECIPES
from hamlib.tasks import get_task, stream_seed
from hamlib.training import stream


def digest(value):
    return hashlib.sha256(value).hexdigest()[:12]


def schedule(recipe):
    """All that training and validation ask for in each epoch of each size, and what the rest of the run is made of."""
    lessons = [
        [n, recipe.lengths(n), recipe.whole(n), [recipe.lesson(n, epoch) for epoch in range(recipe.epochs)]]
        for n in recipe.sizes
    ]
    rest = [recipe.threshold, recipe.learning_rate, recipe.clip, recipe.epochs, recipe.steps, recipe.batch_size]
    return digest(json.dumps([lessons, rest, recipe.validation_steps]).encode())


def first_batch(recipe):
    """The first batch of the last size at the last epoch, of seed 0."""
    longest, *lesson = recipe.lesson(recipe.sizes[-1], recipe.epochs - 1)
    aids = dict(alike=recipe.alike, decoys=recipe.decoys, placed=recipe.placed, samples=recipe.samples)
    aids |= dict(dense=True) if recipe.dense else {}
    batches = stream(
        get_task(recipe.task),
        longest,
        recipe.batch_size,
        stream_seed(0, "train"),
        0,
        recipe.lengths(longest),
        *lesson,
        **aids,
    )
    inputs, targets = next(iter(batches))
    arrays = [inputs[name] for name in sorted(inputs)] + [targets]
    return digest(b"".join(np.asarray(array).tobytes() for array in arrays))


SCHEDULES = {
    "smallest-2016": "1c1d42fd037f",
    "smallest": "a5843dd5fabf",
    "reverse": "05f2c976d65e",
    "search": "f857affa6f40",
    "merge": "816adfde41f7",
    "sort": "50ab18a13b8d",
    "add": "122c8c9bc096",
    "raw-sort": "8c74e090a730",
    "reverse-reinforce": "8f160ec63fba",
    "stack": "c652e41dac07",
    "queue": "337389900968",
    "priority-queue-sixteen": "ff333611bc39",
    "priority-queue": "ddb9ed2ddbbb",
    "reverse-lstm": "4ab66c64d552",
    "reverse-lstm+a": "4ab66c64d552",
    "search-lstm": "1c61f88911cf",
    "search-lstm+a": "1c61f88911cf",
    "merge-lstm": "8ad382f3ac1d",
    "merge-lstm+a": "8ad382f3ac1d",
    "sort-lstm": "7d23b92200ee",
    "sort-lstm+a": "7d23b92200ee",
    "add-lstm": "1ec26ae328a0",
    "add-lstm+a": "1ec26ae328a0",
}
# As of the code that trained what ships.
BATCHES = {
    "smallest": "65f3e64e0dbc",
    "sort": "53806e86e0b8",
    "search": "501729f5ffaf",
    "merge": "408500fec84a",
    "add": "13d94aa767a5",
    "stack": "4db9d6699425",
    "priority-queue": "b3e7ceca2a00",
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_schedule_is_the_same(name):
    assert schedule(RECIPES[name]) == SCHEDULES[name]


@pytest.mark.parametrize("name", BATCHES)
def test_the_first_batch_is_the_same(name):
    assert first_batch(RECIPES[name]) == BATCHES[name]
