"""Data structures that live long: ``python -m benchmarks.streams`` says when streams of 100·n operations go wrong."""

import numpy as np
import tensorflow as tf

from hamlib.pretrained import load_pretrained
from hamlib.tasks.base import numbers

# What a user might do, by whether to pop next: a function of n, the operation's number, and a coin.
STREAMS = {
    "by chance": lambda n, t, coin: coin,
    "fill and empty": lambda n, t, coin: t // n % 2 == 1,
    "nearly full": lambda n, t, coin: t >= n and coin,
    "nearly empty": lambda n, t, coin: t % 2 == 1,
}


def streams(task, n, kind, count=10, length=None, seed=0):
    """Make streams of operations, and what plain Python answers.

    Args:
        task: a `hamlib.tasks.Structure`.
        n: leaves, a power of two.
        kind: of `STREAMS`. What cannot be done is not: nothing is popped where nothing is left, nor pushed where there
            is no room. "nearly full" pushes two times out of three where it can.
        count, length: how many streams, of how many operations; None for 100·n.
        seed: of the values and coins.

    Returns:
        ``operations[count, length, b]`` and ``targets[count, length, 5]``, -1 where nothing is answered.

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in STREAMS:
        raise ValueError(f"kind: unknown {kind!r}; known: {', '.join(STREAMS)}")
    rng, length = np.random.default_rng(seed), length or 100 * n
    operations = np.zeros((count, length, task.symbol_width), "float32")
    targets = np.full((count, length, task.answer_width), -1.0, "float32")
    for stream, answers in zip(operations, targets, strict=True):
        inside = []
        for t in range(length):
            coin = rng.random() < (1 / 3 if kind == "nearly full" else 1 / 2)
            wish = STREAMS[kind](n, t, coin)
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


def first_errors(model, task, n, kind, count=10, length=None, seed=0):
    """Let a model do `streams`, hard, and say where each goes wrong first.

    Args:
        model: a trained `hamlib.models.RawHAM`.
        task, n, kind, count, length, seed: as in `streams`.

    Returns:
        ``[count]`` ints, the number of the first operation that is answered wrongly; ``length`` where none is.
    """
    operations, targets = streams(task, n, kind, count, length, seed)
    inputs = {"symbols": tf.zeros([count, n, 0]), "lengths": tf.zeros([count], tf.int32), "queries": operations}
    answers = np.asarray(model.respond(inputs, "hard"))
    wrong = ((answers > 0.5) != (targets > 0.5)).any(axis=2) & (targets[..., 0] >= 0)
    return np.where(wrong.any(axis=1), wrong.argmax(axis=1), targets.shape[1])


def main():
    for name in ("stack", "queue", "priority-queue"):
        shipped = load_pretrained(name)
        for n in (16, 128):
            for kind in STREAMS:
                errors = first_errors(shipped.model, shipped.task, n, kind, 10 if n == 16 else 4)
                print(f"{name}, n = {n}, {kind}: first error at operation {sorted(errors.tolist())} of {100 * n}")


if __name__ == "__main__":
    main()
