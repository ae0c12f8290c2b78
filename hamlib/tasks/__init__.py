"""The problems as data: examples drawn without state, and a judge of the answers."""

import numpy as np
import tensorflow as tf

from hamlib.tasks.algorithms import Add, Merge, Reverse, Search, Smallest, Sort
from hamlib.tasks.base import PURPOSES, Task, stream_seed
from hamlib.tasks.structures import PriorityQueue, Queue, Stack, Structure

__all__ = [
    "ALGORITHMS",
    "PURPOSES",
    "STRUCTURES",
    "TASKS",
    "Structure",
    "Task",
    "get_task",
    "register",
    "stream_seed",
]

ALGORITHMS = (Smallest, Reverse, Search, Merge, Sort, Add)
STRUCTURES = (Stack, Queue, PriorityQueue)
TASKS = {kind.name: kind() for kind in (*ALGORITHMS, *STRUCTURES)}


def get_task(name):
    """Return the task called ``name``.

    Raises:
        ValueError: no task has that name; the message lists those that exist.
    """
    if name not in TASKS:
        raise ValueError(f"task: unknown {name!r}; known: {', '.join(TASKS)}")
    return TASKS[name]


def register(kind):
    """Make a task known by its name, so that recipes, training and evaluation find it; a class decorator.

    It is tried on two inputs first, and whether its ``targets`` are written in TensorFlow or in NumPy is found out. In
    NumPy, drawing is slower, and the same seed draws other examples.

    Args:
        kind: a subclass of `Task`. One of the same name takes the place of the one before.

    Returns:
        ``kind``.

    Raises:
        ValueError: what the class says does not fit together; the message names its attribute or method.
    """
    for name, what in dict(name=str, columns=dict, answer_columns=dict).items():
        if not isinstance(getattr(kind, name, None), what):
            raise ValueError(f"{name}: got {getattr(kind, name, None)!r}; expected a {what.__name__}")
    task = kind()
    lengths = np.array([max(task.shortest, 1), 4], "int32")
    symbols, lengths = task.compose(4, tf.constant(lengths), tf.constant([0, 0], tf.int64))
    symbols = tf.convert_to_tensor(symbols) * tf.sequence_mask(lengths, 4, tf.float32)[..., None]
    queries = task.queries(symbols, lengths, tf.constant([0, 0], tf.int64))
    _check("queries", queries, (2, task.answer_length(4), task.query_width), "q by query_columns")
    given = [symbols, lengths] + ([queries] if task.query_columns else [])
    task.in_numpy = not _is_in_tensorflow(task, given)
    targets = task.targets(*(map(np.array, given) if task.in_numpy else given))
    _check("targets", targets, (2, task.answer_length(4), task.answer_width), "b by answer_columns")
    for row, length in zip(np.array(symbols), np.array(lengths), strict=True):
        if problem := task.problem(row[:length].astype(int)):
            raise ValueError(f"compose: it made an input that {problem}, says the method problem")
    TASKS[task.name] = task
    return kind


def _is_in_tensorflow(task, given):
    """Whether `Task.targets` can be compiled; False where only arrays will do."""
    try:
        tf.function(task.targets, autograph=False).get_concrete_function(*given)
    except (NotImplementedError, TypeError, AttributeError, ValueError):
        return False
    return True


def _check(method, made, wanted, width):
    """Raise a ValueError unless what a method made for two inputs of four symbols has its shape and its values."""
    if tuple(made.shape) != wanted:
        raise ValueError(
            f"{method}: got shape {tuple(made.shape)} for inputs of n = 4; expected [batch, T, {width[0]}] = "
            f"{list(wanted)}, T by the method answer_length and {width}"
        )
    known = (0, 1) if method == "queries" else (-1, 0, 1)
    if not np.isin(made, known).all():
        past = "" if method == "queries" else ", and -1 past the end of an answer"
        raise ValueError(f"{method}: got values other than 0 and 1{past}")
