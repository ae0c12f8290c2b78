"""Data structures that live long: when streams of 100·n operations go wrong, with at most as much inside as fits."""

import numpy as np
import tensorflow as tf

from hamlib.pretrained import load_pretrained
from hamlib.tasks.base import numbers

# What a user might do, by whether to pop next: a function of n, the operation's number, and a number from [0, 1).
STREAMS = {
    "by chance": lambda n, t, drawn: drawn < 1 / 2,
    "fill and empty": lambda n, t, drawn: t // n % 2 == 1,
    "nearly full": lambda n, t, drawn: t >= n and drawn < 1 / 3,
    "nearly empty": lambda n, t, drawn: t % 2 == 1,
}


def streams(task, n, kind, count, seed=0):
    """Make streams of 100·n operations, and what plain Python answers.

    Args:
        task: a `hamlib.tasks.Structure`.
        n: leaves, a power of two.
        kind: of `STREAMS`. Nothing is popped where nothing is left, nor pushed where there is no room.
        count: how many streams.
        seed: of the values and of what is drawn.

    Returns:
        ``operations[count, 100 n, b]`` and ``targets[count, 100 n, 5]``, -1 where nothing is answered.
    """
    rng = np.random.default_rng(seed)
    operations = np.zeros((count, 100 * n, task.symbol_width), "float32")
    targets = np.full((count, 100 * n, task.answer_width), -1.0, "float32")
    for stream, answers in zip(operations, targets, strict=True):
        inside = []
        for t in range(len(stream)):
            wish = STREAMS[kind](n, t, rng.random())
            if inside and (wish or len(inside) == task.room(n)):
                stream[t] = task.pop()
                which = int(np.argmax(np.asarray(task.ranks(np.array(inside)[None]))[0]))
                answers[t] = inside.pop(which)[-task.answer_width :]
            else:
                stream[t] = task.push(*_arguments(task, inside, rng))
                inside.append(stream[t])
    return operations, targets


def _arguments(task, inside, rng):
    value = int(rng.integers(32))
    if "priority" not in task.columns:
        return [value]
    free = np.setdiff1d(np.arange(128), numbers(np.array(inside)[:, 1:], 7) if inside else [])
    return [int(rng.choice(free)), value]


def first_errors(model, task, n, kind, count):
    """Let a model do `streams`, hard: ``[count]``, the first operation each answers wrongly; 100·n where none is."""
    operations, targets = streams(task, n, kind, count)
    inputs = {"symbols": tf.zeros([count, n, 0]), "lengths": tf.zeros([count], tf.int32), "queries": operations}
    answers = np.asarray(model.respond(inputs, "hard"))
    wrong = ((answers > 0.5) != (targets > 0.5)).any(axis=2) & (targets[..., 0] >= 0)
    return np.where(wrong.any(axis=1), wrong.argmax(axis=1), targets.shape[1])


def measure_streams():
    """Print a line for each shipped structure, size and kind of stream."""
    for name in ("stack", "queue", "priority-queue"):
        shipped = load_pretrained(name)
        for n, count in ((16, 10), (128, 4)):
            for kind in STREAMS:
                errors = sorted(first_errors(shipped.model, shipped.task, n, kind, count).tolist())
                print(f"{name}, n = {n}, {kind}: first error at operation {errors} of {100 * n}", flush=True)
