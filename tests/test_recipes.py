"""What a recipe shows a model, epoch by epoch, does not change: the ledger's commands make the same runs again."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from benchmarks import recipes as measured
from hamlib.recipes import RECIPES, Recipe, Stage
from hamlib.tasks import Structure, get_task, stream_seed
from hamlib.training import stream

ERRORS = (0.0, 0.0199, 0.05, 0.0999, 0.25, 0.3, 1.0)  # in validation, below and above what ends a stage


def digest(value):
    return hashlib.sha256(value).hexdigest()[:12]


def story(recipe, error):
    """All that training and validation ask for, epoch by epoch, while the validation error stays the same."""
    told, stage = [], 0
    for epoch in range(recipe.epochs):
        now = recipe.stages[stage]
        longest, *lesson = now.lesson(epoch)
        validation, *whole = now.whole()
        kept = 1 if isinstance(get_task(recipe.task), Structure) else 3  # their answers are always whole
        told.append(
            [longest, lesson[:kept], recipe.lengths(longest), validation, whole[:kept], recipe.lengths(validation)]
        )
        if stage + 1 < len(recipe.stages) and now.ends(epoch, error):
            stage += 1
    return told


def schedule(recipe):
    rest = [recipe.learning_rate, recipe.clip, recipe.epochs, recipe.steps, recipe.validation_steps, recipe.batch_size]
    return digest(json.dumps([[story(recipe, error) for error in ERRORS], rest]).encode())


def first_batch(recipe):
    """The first batch of the last stage at the last epoch, of seed 0."""
    longest, *lesson = recipe.stages[-1].lesson(recipe.epochs - 1)
    samples = recipe.loss["samples"] if recipe.reinforced else 1
    where = stream_seed(0, "train"), 0, recipe.lengths(longest), *lesson
    batches = stream(get_task(recipe.task), longest, recipe.batch_size, *where, samples=samples, kinds=recipe.kinds)
    inputs, targets = next(iter(batches))
    arrays = [inputs[name] for name in sorted(inputs)] + [targets]
    return digest(b"".join(np.asarray(array).tobytes() for array in arrays))


# As of the code that trained what ships.
SCHEDULES = {
    "smallest-2016": "40376c0ff8d4",
    "smallest": "c0a2ade4261f",
    "smallest-digital": "6f9dcde2c5f5",
    "smallest-reinforce": "0a79629c94ee",
    "reverse": "49dc3940cd59",
    "search": "806f18d8a81f",
    "merge": "60c4400d5b82",
    "sort": "cb2ba2cb0727",
    "add": "9c6884b1ceab",
    "raw-sort": "b9b90c0e80ff",
    "reverse-reinforce": "776e05f505a7",
    "stack": "1ce7d1b6e798",
    "stack-digital": "f8934a1df537",
    "queue-digital": "f8934a1df537",
    "queue": "c03c7f1d0e99",
    "priority-queue-sixteen": "ee0026752151",
    "priority-queue": "35972cd7f6a0",
    "REVERSE_EIGHT": "606f2c9e550f",
    "REVERSE_BOTH": "6cb6b3baf202",
    "SORT_EIGHT": "fa4f61a8e4a4",
    "SORT_BOTH": "5379cde0b87c",
    "SORT_REINFORCE": "b57891b38257",
    "QUEUE_PLACED": "56a8c79aea7e",
    "QUEUE_BOTH": "32ad82dfb352",
    "reverse-lstm": "72c29618af8c",
    "reverse-lstm+a": "72c29618af8c",
    "search-lstm": "f00a8be16c25",
    "search-lstm+a": "f00a8be16c25",
    "merge-lstm": "7bc17b843b56",
    "merge-lstm+a": "7bc17b843b56",
    "sort-lstm": "ce6d69793748",
    "sort-lstm+a": "ce6d69793748",
    "add-lstm": "3b0b221ac9b8",
    "add-lstm+a": "3b0b221ac9b8",
}
BATCHES = {
    "smallest": "65f3e64e0dbc",
    "sort": "53806e86e0b8",
    "search": "501729f5ffaf",
    "merge": "408500fec84a",
    "add": "13d94aa767a5",
    "stack": "4db9d6699425",
    "stack-digital": "774815a559d9",
    "priority-queue": "b3e7ceca2a00",
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_schedule_is_the_same(name):
    recipe = RECIPES[name] if name in RECIPES else getattr(measured, name)
    assert schedule(recipe) == SCHEDULES[name]


@pytest.mark.parametrize("name", BATCHES)
def test_the_first_batch_is_the_same(name):
    assert first_batch(RECIPES[name]) == BATCHES[name]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_kept_as_json(name):
    recipe = RECIPES[name]
    assert Recipe.from_json(json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe


def test_when_a_stage_ends():
    assert [Stage(8, until=3).ends(epoch, 0.0) for epoch in range(4)] == [False, False, True, True]
    assert [Stage(8, until=0.1).ends(99, error) for error in (0.2, 0.1, 0.09)] == [False, False, True]
    assert not Stage(8, until=0.0).ends(99, 0.0)
