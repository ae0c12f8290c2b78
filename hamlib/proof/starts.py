"""What the memory of a stack or of a queue is trained on: operations on a tree in which things are already.

These are *exploring starts* (Sutton and Barto, *Reinforcement Learning*, Sec. 5.3): an episode begins in a state drawn
from all that its law allows. From an empty tree, most are reached only by what does nearly everything right.

A *start* is a pair ``(leaves, rows)``: the leaves as in `StackLaw.stream`, and the rows in a machine's tables of the
operations that follow.
"""

import numpy as np

from hamlib.proof.laws import LAWS, POP
from hamlib.proof.theorem import operations_of


def random_starts(task, n, length, count, seed):
    """Draw starts, in half of which the operations push and pop in runs.

    Args:
        task: a task that has a law.
        n: leaves.
        length: how many operations follow.
        count: how many starts.
        seed: ints, of NumPy's random numbers.

    Returns:
        a list of starts.
    """
    rng, law, room, pushes = np.random.default_rng(seed), LAWS[task.name], task.room(n), len(operations_of(task)) - 1
    starts = []
    for _ in range(count):
        held = int(rng.integers(room + 1))
        leaves = law.filling(n, rng.integers(1, pushes + 1, held).tolist(), rng)
        in_runs, push, share, rows = rng.random() < 0.5, rng.random() < 0.5, rng.uniform(0.2, 0.8), []
        for value in rng.integers(1, pushes + 1, length).tolist():
            push = push ^ (rng.random() < 1 / n) if in_runs else rng.random() < share
            rows.append(value if (push or not held) and held < room else POP)
            held += 1 if rows[-1] else -1
        starts.append((leaves, rows))
    return starts


def begun(task, starts):
    """Return starts as a batch of examples, ``(inputs, targets)``, as `Task.examples` does.

    Args:
        task: a task that has a law.
        starts: a list of starts, all of trees of n leaves and with T operations.

    Returns:
        inputs with ``written[batch, n, b]``, the operation that wrote each leaf, and ``filled[batch, n]``, whether one
        did; and the targets.
    """
    operations, law = operations_of(task).astype("float32"), LAWS[task.name]
    queries = operations[[rows for _, rows in starts]]
    targets = np.full((*queries.shape[:2], task.answer_width), -1, "float32")
    for number, (leaves, rows) in enumerate(starts):
        for place, returned in enumerate(returns(law, leaves, rows)):
            if returned is not None:
                targets[number, place] = operations[returned, -task.answer_width :]
    leaves = np.array([[-1 if row is None else row for row in leaves] for leaves, _ in starts])
    inputs = task.on_leaves(queries, leaves.shape[1])
    return inputs | {"written": operations[leaves], "filled": leaves >= 0}, targets


def returns(law, leaves, rows):
    """Of each operation after a start the row of the PUSH whose value it returns; None for a PUSH."""
    inside = law.inside(leaves)
    return [inside.append(row) if row else inside.pop(law.takes) for row in rows]
