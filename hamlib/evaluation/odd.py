"""Measuring where random inputs do not look: odd inputs, kind by kind, and data structures that live long."""

import statistics

import numpy as np
import tensorflow as tf

from hamlib.evaluation.ledger import read_ledger
from hamlib.tasks import Structure

SIZES = (32, 128)
STREAM_SIZES = (16, 128)
COUNT = 16  # streams of a kind: as many as go through a loop at once
# What a user might do, by whether to pop next: a function of n, the operation's number, and a number from [0, 1).
STREAMS = {
    "by chance": lambda n, t, drawn: drawn < 1 / 2,
    "fill and empty": lambda n, t, drawn: t // n % 2 == 1,
    "nearly full": lambda n, t, drawn: t >= n and drawn < 1 / 3,
    "nearly empty": lambda n, t, drawn: t % 2 == 1,
}
NEXT = {  # of what is inside, in the order of the PUSHes, what a POP takes
    "stack": lambda inside: -1,
    "queue": lambda inside: 0,
    "priority-queue": lambda inside: inside.index(max(inside)),
}


def measure_odd(model, task):
    """Count wrong answers to all odd inputs: a part of a seed's entry in the ledger.

    Args:
        model, task: as in `wrong_rate`. It is run hard, if it has a tree.

    Returns:
        ``{"odd": {n: {kind: [wrong, inputs]}}}``; of a data structure also ``{"streams": {n: {kind: [...]}}}``, in each
        of `COUNT` streams the first operation that is answered wrongly, from 0, or None.
    """
    entry = {"odd": {n: wrong_odd(model, task, n) for n in SIZES}}
    if isinstance(task, Structure):
        entry["streams"] = {n: {kind: first_errors(model, task, n, kind) for kind in STREAMS} for n in STREAM_SIZES}
    return entry


def wrong_odd(model, task, n, kinds=None):
    """Count the odd inputs of a size that a model answers wrongly.

    Args:
        model: one with `respond`, or a function, called with (inputs, attention).
        task: a `hamlib.tasks.Task`.
        n: leaves of the tree.
        kinds: some of those that `Task.odd` makes; None for all.

    Returns:
        ``{kind: [wrong, inputs]}``.
    """
    answer, found = getattr(model, "respond", model), {}
    for kind, (symbols, lengths) in task.odd(n).items():
        if kind in (kinds or [kind]):
            wrong = task.wrong(task.targets(symbols, lengths), answer(task.inputs(symbols, lengths), "hard"))
            found[kind] = [int(np.sum(wrong)), len(symbols)]
    return found


def streams(task, n, kind, count=COUNT, seed=0):
    """Make streams of 100·n operations, and what plain Python answers.

    Args:
        task: a `hamlib.tasks.Structure`.
        n: leaves, a power of two.
        kind: of `STREAMS`. Nothing is popped where nothing is left, nor pushed where there is no room.
        count: how many streams.
        seed: of the values, of priorities, none of which is there twice at a time, and of what is drawn.

    Returns:
        ``operations[count, 100 n, b]`` and ``targets[count, 100 n, 5]``, -1 where nothing is answered.
    """
    rng, priorities = np.random.default_rng(seed), "priority" in task.columns
    operations = np.zeros((count, 100 * n, task.symbol_width), "float32")
    targets = np.full((count, 100 * n, task.answer_width), -1.0, "float32")
    for stream, answers in zip(operations, targets, strict=True):
        inside, free = [], rng.permutation(128).tolist()
        for t, drawn in enumerate(rng.random(len(stream))):
            if inside and (STREAMS[kind](n, t, drawn) or len(inside) == task.room(n)):
                *priority, value = inside.pop(NEXT[task.name](inside))
                free += priority
                stream[t], answers[t] = task.pop(), value >> np.arange(4, -1, -1) & 1
            else:
                inside.append([free.pop(rng.integers(len(free)))] if priorities else [])
                inside[-1].append(int(rng.integers(32)))
                stream[t] = task.push(*inside[-1])
    return operations, targets


def first_errors(model, task, n, kind, count=COUNT):
    """Let a model do streams, hard.

    Args:
        model: one with `respond`.
        task, n, kind, count: as in `streams`.

    Returns:
        for each stream the first operation that is answered wrongly, from 0; None where none is.
    """
    operations, targets = streams(task, n, kind, count)
    inputs = {"symbols": tf.zeros([count, n, 0]), "lengths": tf.zeros([count], tf.int32), "queries": operations}
    answers = np.asarray(model.respond(inputs, "hard"))
    wrong = ((answers > 0.5) != (targets > 0.5)).any(axis=2) & (targets[..., 0] >= 0)
    return [int(row.argmax()) if row.any() else None for row in wrong]


def stream_rows(n):
    """Return when streams go wrong with the first seed, from the ledger, as rows for `table_text`.

    Args:
        n: 16 or 128.

    Returns:
        a list of ``(label, {kind: (median, earliest, latest)})``, the first wrong operation from 1; where there is
        none, 100·n.
    """
    rows = []
    for entry in read_ledger()["tasks"].values():
        for row in entry["measured"]:
            kinds = {}
            for run in row["seeds"][:1]:
                for kind, found in run.get("streams", {}).get(str(n), {}).items():
                    kinds.setdefault(kind, []).extend(100 * n if error is None else error + 1 for error in found)
            if kinds:
                rows.append((row["recipe"], {k: (statistics.median_low(v), min(v), max(v)) for k, v in kinds.items()}))
    return rows
