"""The proof for a stack and a queue: streams of any length, with no more inside than the structure has room for.

A leaf is held, ``F``, or free, ``E``; a stack's are told apart: what a POP leaves is ``P``, and ``N`` was never used.
Read in the order in which PUSHes fill an empty tree, and written shortly (``EEFFE`` is ``EFE``), the leaves of a
subtree are its *label*. The law of each structure says where things are:

* stack: at the front, ``F…FP…PN…N``. A PUSH goes to the first free leaf, a POP to the last one held.
* queue: in a ring, ``E…EF…FE…E``, or round the end and on from the front, ``F…FE…EF…F``. A PUSH goes to the leaf after
  the last one pushed, a POP to the first one that was pushed. If all are held the ring has no beginning, so a tree of n
  leaves has room for n - 1.

**Theorem.** Let for every height, and for all pairs of states that children with labels of the law can have, each
operation go to the child where the law has it: each PUSH, of any value, and a POP; and let a held leaf be answered with
the value that was pushed there. Then every POP returns the right value, in a tree of any height, in any stream, as long
as nothing is popped from an empty structure or pushed onto a full one.

*Over the height*: at the root the decision leads to the child that has the leaf; the child is a tree of one level less,
and there the law has the same leaf. The states of each label at a height are found from those below, until a height
has the same as one before: then all higher ones repeat them.
*Over the stream*: an operation changes one leaf, from free to held or back, and only its ancestors are joined again. So
the labels after it are those of the law.
"""

import itertools
import re

import numpy as np

POP, HELD = 0, "F"  # the row of POP in the tables, after which come all PUSHes; the letter of a held leaf


class Refuted(Exception):
    """A law does not hold; the message says which, and where."""


def _short(label):
    return re.sub(r"(.)\1+", r"\1", label)


class StackLaw:
    """Things lie at the front; the last one is taken."""

    unused, popped = "N", "P"
    labels = {"F", "P", "N", "FP", "PN", "FN", "FPN"}

    @staticmethod
    def push(first, second):
        """The child that a PUSH goes to, 0 or 1 in the order of PUSHes, over children of these labels."""
        return int(first == "F")

    @staticmethod
    def pop(first, second):
        """The same of a POP."""
        return int("F" in second)


class QueueLaw:
    """Things lie in a ring; the first one is taken. As a PUSH sees free leaves, a POP sees held ones."""

    unused = popped = "E"
    labels = {"E", "F", "EF", "FE", "EFE", "FEF"}

    @staticmethod
    def push(first, second):
        """As `StackLaw.push`."""
        return int(first == "F" or _short(first + second) == "EFE" != first)

    @staticmethod
    def pop(first, second):
        """As `StackLaw.pop`."""
        return int(first == "E" or _short(first + second) == "FEF" != first)


def values_held(machine, task, held):
    """Raise a `Refuted` unless a leaf that holds the k-th value, one of ``held[k]``, is answered with its bits."""
    for operation, states in zip(machine.operations[1:], held, strict=True):
        right = operation[-task.answer_width :] > 0.5
        if (machine.answer[states] != right).any():
            raise Refuted(f"a leaf that holds {right.astype(int).tolist()} is read as something else")


def check_blocks(machine, task, law):
    """Check the law of a stack or of a queue.

    Args:
        machine: a `TreeMachine` whose operations are POP and then all PUSHes.
        task: `Stack` or `Queue`.
        law: `StackLaw` or `QueueLaw`.

    Returns:
        ``(decisions, heights)``.

    Raises:
        Refuted: the law does not hold.
    """
    unused, popped, held = _leaves(machine)
    free = np.union1d(unused, popped)
    if np.intersect1d(free, held).size:
        raise Refuted("a leaf that holds a value is the same as a free one")
    values_held(machine, task, [machine.written[operation, free] for operation in range(1, len(machine.operations))])
    apart = {law.unused: unused, law.popped: popped} if law.unused != law.popped else {law.unused: free}
    states, known, decisions = apart | {HELD: held}, [], 0
    while not any(_same(states, before) for before in known):
        known.append(states)
        states, asked = _above(machine, law, states, len(known))
        decisions += asked
    return decisions, len(known)


def _leaves(machine):
    """The states of leaves: unused; after a POP; and held, once no operation leaves a new one."""
    unused = np.array([machine.empty])
    popped = held = np.zeros(0, int)
    while True:
        before = len(popped), len(held)
        held = np.unique(machine.written[1:, np.union1d(unused, popped)])
        popped = np.unique(machine.written[POP, held])
        if before == (len(popped), len(held)):
            return unused, popped, held


def _same(states, others):
    return states.keys() == others.keys() and all(np.array_equal(states[label], others[label]) for label in states)


def _above(machine, law, states, height):
    """The states of each label one level up, and how many decisions were asked there."""
    ways = np.unique(machine.right[1:, _joined(machine, states[law.unused], states[law.unused])])
    if len(ways) != 1 or ways[0] > 1:
        raise Refuted(f"at height {height}, PUSHes onto unused leaves go different ways")
    turned, above, asked = int(ways[0]), {}, 0  # turned: PUSHes fill the right child first
    for first, second in itertools.product(states, states):
        if (label := _short(first + second)) not in law.labels:
            continue
        children = (first, second)[:: -1 if turned else 1]
        made = _joined(machine, *(states[child] for child in children))
        for name, possible, rows, demand in (
            ("PUSH", label != HELD, slice(1, None), law.push),
            ("POP", HELD in label, slice(1), law.pop),
        ):
            ways = machine.right[rows, made] if possible else np.zeros(0, int)
            asked += ways.size
            if (ways != demand(first, second) ^ turned).any():
                raise Refuted(f"at height {height}, a {name} goes astray over children {children}")
        above[label] = np.union1d(above.get(label, np.zeros(0, int)), made)
    return above, asked


def _joined(machine, left, right):
    """All states over a left and a right child in these sets, in whatever way a digit near 0 comes out."""
    forks = machine.forks[np.isin(machine.forks[:, 0], left) & np.isin(machine.forks[:, 1], right), 2]
    return np.unique(np.append(machine.join[np.ix_(left, right)], forks))
