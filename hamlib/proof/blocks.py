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
    """A law does not hold; the message says which, and where.

    Attributes:
        cases: pairs of the states of a subtree's leaves, in the order of PUSHes, and the row in the tables of an
            operation that goes astray there.
    """

    def __init__(self, message, cases=()):
        super().__init__(message)
        self.cases = list(cases)


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

    @staticmethod
    def stream(leaves):
        """The operations that leave this, in an empty tree of at least as many leaves.

        Args:
            leaves: in the order of PUSHes: of a held leaf the row of its PUSH; 0 where it was popped; or None.

        Returns:
            their rows, and the leaves of the tree.
        """
        popped = leaves.count(POP)
        return [row for row in leaves if row] + popped * [1] + popped * [POP], len(leaves)


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

    @staticmethod
    def stream(leaves):
        """As `StackLaw.stream`; in the first half of a larger tree, as there all its leaves can be held."""
        n, held = 2 * len(leaves), [bool(row) for row in leaves]
        wraps = held[0] and held[-1] and not all(held)
        leaves = [*leaves, *len(leaves) * [1 if wraps else None if leaves[-1] is None or held[-1] else POP]]
        begins = [at for at in range(n) if leaves[at] and not leaves[at - 1]]
        begin = begins[0] if begins else leaves.count(POP) % n
        again = n if not wraps and leaves[-1] == POP else 0  # the ring was gone round before
        return (begin + again) * [1, POP] + [row for row in leaves[begin:] + leaves[:begin] if row], n


def values_held(machine, task, held):
    """Raise a `Refuted` unless a leaf that holds the k-th value, one of ``held[k]``, is answered with its bits."""
    for operation, states in zip(machine.operations[1:], held, strict=True):
        right = operation[-task.answer_width :] > 0.5
        wrong = states[(machine.answer[states] != right).any(axis=1)]
        if len(wrong):
            raise Refuted(
                f"a leaf that holds {right.astype(int).tolist()} is read as something else", [(wrong[:1], POP)]
            )


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
    unused, popped, held = leaf_states(machine)
    free = np.union1d(unused, popped)
    if np.intersect1d(free, held).size:
        raise Refuted("a leaf that holds a value is the same as a free one")
    values_held(machine, task, [machine.written[operation, free] for operation in range(1, len(machine.operations))])
    apart = {law.unused: unused, law.popped: popped} if law.unused != law.popped else {law.unused: free}
    # of each label its states, each with the leaves of one subtree that has it
    states = {label: {state: (state,) for state in some.tolist()} for label, some in (apart | {HELD: held}).items()}
    level, known, decisions = _Level(machine, law), [], 0
    while not any(_same(states, before) for before in known):
        known.append(states)
        states, asked = level.above(states, len(known))
        decisions += asked
    return decisions, len(known)


def leaf_states(machine):
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
    return states.keys() == others.keys() and all(states[label].keys() == others[label].keys() for label in states)


class _Level:
    """Goes one level up."""

    def __init__(self, machine, law):
        self.law, self.join, self.right, self.forks = law, machine.join.tolist(), machine.right, {}
        for left, right, state in machine.forks.tolist():
            self.forks.setdefault((left, right), []).append(state)

    def above(self, states, height):
        """The states of each label one level up, and how many decisions were asked there."""
        unused = states[self.law.unused]
        made = self.joined(unused, unused, 0)
        ways = self.right[1:, list(made)]
        turned, above, asked = int(ways[0, 0]), {}, 0  # turned: PUSHes fill the right child first
        if turned > 1 or (ways != turned).any():
            row = 1 + int(np.argmax((ways != turned).any(axis=1)))
            cases = [(next(iter(made.values())), row)]
            raise Refuted(f"at height {height}, PUSHes onto unused leaves go different ways", cases)
        astray, cases = "", []
        for first, second in itertools.product(states, states):
            if (label := _short(first + second)) not in self.law.labels:
                continue
            made = self.joined(states[first], states[second], turned)
            demands = [(range(1, len(self.right)), self.law.push)] if label != HELD else []
            demands += [(range(1), self.law.pop)] if HELD in label else []
            for rows, demand in demands:
                wrong = self.right[rows][:, list(made)] != demand(first, second) ^ turned
                asked += wrong.size
                if wrong.any():
                    name, children = "POP" if rows[0] == POP else "PUSH", (first, second)[:: -1 if turned else 1]
                    astray = astray or f"at height {height}, a {name} goes astray over children {children}"
                    leaves = list(made.values())
                    cases += [(leaves[k], rows[np.argmax(wrong[:, k])]) for k in np.flatnonzero(wrong.any(axis=0))]
            above[label] = made | above.get(label, {})
        if cases:
            raise Refuted(astray, cases)
        return above, asked

    def joined(self, first, second, turned):
        """All states over a first and a second child in these, in whatever way a digit near 0 comes out."""
        made = {}
        for (a, before), (b, after) in itertools.product(first.items(), second.items()):
            pair = (b, a) if turned else (a, b)
            for state in (self.join[pair[0]][pair[1]], *self.forks.get(pair, ())):
                made.setdefault(state, before + after)
        return made


def streams_of(machine, task, law, case):
    """Streams that lead to where a law does not hold, with the operation that goes astray, and then take all out.

    Args:
        machine: the `TreeMachine`.
        task: `Stack` or `Queue`.
        law: `StackLaw` or `QueueLaw`.
        case: one of `Refuted.cases`.

    Returns:
        ``(streams, n)``: operations ``[m, b]``, at once and after more PUSHes; and the leaves of the tree.
    """
    unused, popped, _ = leaf_states(machine)
    put = {machine.empty: None} | dict.fromkeys(popped.tolist(), POP)
    for row in range(len(machine.operations) - 1, 0, -1):
        put |= dict.fromkeys(machine.written[row, np.union1d(unused, popped)].tolist(), row)
    leaves, astray = case
    rows, n = law.stream([put[state] for state in leaves])
    rows = [*rows, astray]
    inside = sum(1 if row else -1 for row in rows)
    more = [1 + k % (len(machine.operations) - 1) for k in range(task.room(n) - inside)]
    streams = rows + [POP] * inside, rows + more + [POP] * (inside + len(more))
    return [machine.operations[stream] for stream in streams], n
