"""The problems as data: examples drawn without state, and a judge of the answers."""

from hamlib.tasks.algorithms import Add, Merge, Reverse, Search, Smallest, Sort
from hamlib.tasks.base import PURPOSES, Task, stream_seed
from hamlib.tasks.structures import PriorityQueue, Queue, Stack, Structure

__all__ = ["ALGORITHMS", "PURPOSES", "STRUCTURES", "TASKS", "Structure", "Task", "get_task", "stream_seed"]

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
