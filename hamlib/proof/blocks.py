"""The proof for a stack and a queue: streams of any length, with no more inside than the structure has room for.

A leaf is held, ``F``, or free: ``N`` was never used, and a POP leaves ``P`` in a stack, ``e`` in a queue. Read in the
order in which PUSHes fill an empty tree, and written shortly (``PPFFP`` is ``PFP``), the leaves of a subtree are its
*label*. The law of each structure says where things are:

* stack: at the front, ``F…FP…PN…N``. A PUSH goes to the first free leaf, a POP to the last one held.
* queue: in a ring, ``e…eF…Fe…eN…N``, or round the end and on from the front, ``F…Fe…eF…F``. A PUSH goes to the leaf
  after the last one pushed, or to the front where nothing is held; a POP to the first one that was pushed. If all are
  held the ring has no beginning, so a tree of n leaves has room for n - 1, and no PUSH onto its last free leaf comes.
  So in a label a single free leaf is ``e``, and more are ``E``: of ``eF`` and ``FeF`` no PUSH is asked.

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

import numpy as np

from hamlib.proof.laws import HELD, POP


class Refuted(Exception):
    """A law does not hold; the message says which, and where.

    Attributes:
        cases: pairs of the states of a subtree's leaves, in the order of PUSHes, and the row in the tables of an
            operation that goes astray there.
    """

    def __init__(self, message, cases=()):
        super().__init__(message)
        self.cases = list(cases)


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
    decisions = heights = 0
    for asked, refuted in checked_heights(machine, task, law):
        if refuted:
            raise refuted
        decisions, heights = decisions + asked, heights + 1
    return decisions, heights


def checked_heights(machine, task, law):
    """Check a law height by height, until nothing new appears: of each, the decisions and a `Refuted` or None."""
    unused, popped, held = leaf_states(machine)
    free = np.union1d(unused, popped)
    if np.intersect1d(free, held).size:
        raise Refuted("a leaf that holds a value is the same as a free one")
    values_held(machine, task, [machine.written[operation, free] for operation in range(1, len(machine.operations))])
    # of each label its states, each with the leaves of one subtree that has it
    apart = {law.unused: unused, law.popped: popped, HELD: held}
    states = {label: {state: (state,) for state in some.tolist()} for label, some in apart.items()}
    level, known = _Level(machine, law), []
    while not any(_same(states, before) for before in known):
        known.append(states)
        states, asked, refuted = level.above(states, len(known))
        yield asked, refuted


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
        """The states of each label one level up, how many decisions were asked there, and a `Refuted` or None."""
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
            if (label := self.law.label(first + second)) not in self.law.labels:
                continue
            made = self.joined(states[first], states[second], turned)
            demands = [(range(1, len(self.right)), self.law.push)] if label not in self.law.full else []
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
        return above, asked, Refuted(astray, cases) if cases else None

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
        pairs ``(stream, n)``, operations ``[m, b]`` and the leaves of the tree: of as many leaves as the case has, and
        of twice as many, at once and after more PUSHes. What does no harm in the one may do so in the other.
    """
    unused, popped, _ = leaf_states(machine)
    put = {machine.empty: None} | dict.fromkeys(popped.tolist(), POP)
    for row in range(len(machine.operations) - 1, 0, -1):
        put |= dict.fromkeys(machine.written[row, np.union1d(unused, popped)].tolist(), row)
    leaves, astray = [put[state] for state in case[0]], case[1]
    beyond = len(leaves) * [law.beyond(leaves, astray)]
    streams = []
    for tree in (leaves, leaves + beyond):
        rows, n = [*law.stream(tree), astray], len(tree)
        inside = np.cumsum(np.where(rows, 1, -1))
        if max(inside) <= task.room(n):
            inside = inside[-1]
            more = [1 + k % (len(machine.operations) - 1) for k in range(task.room(n) - inside)]
            streams += [(rows + [POP] * inside, n), (rows + more + [POP] * (inside + len(more)), n)]
    return [(machine.operations[rows], n) for rows, n in streams]
