"""The proof for a stack: streams of any length, with at most n things inside.

**Theorem.** A leaf is free or held; free are the empty leaf and what a POP leaves behind, held is what a PUSH leaves. A
*shape* says which leaves of a subtree are which, and has the set of all states that its root can have, whatever was
written. Let for every height, and every shape that PUSHes onto free leaves alone lead to,

1. all states of a shape decide alike: each PUSH, of any value, goes the same way, and a POP too;
2. a PUSH goes to a child that has room;
3. a POP after a PUSH goes where the PUSH went;

and let a held leaf be answered with the value that was pushed there. Then every POP returns the value pushed last of
those still there, in a tree of any height, as long as nothing is popped from an empty one or pushed onto a full one.

*Over the height*: by 2, a PUSH ends at a leaf that was free; by 3, a POP right after it ends there too, and makes it
free again. So it leaves a tree of the shape before the PUSH, which by 1 decides as that did.
*Over the stream*: after any operations the tree has the shape that the PUSHes of what is still there alone lead to.
Shapes are grouped by their set of states and by whether they are full, and PUSHes lead from group to group. Groups at a
height are found from those below, until a height has the same as one before.
"""

import numpy as np

POP = 0  # the row of the operation; the others push


class Shapes:
    """Groups of shapes as sets of states, and where an operation goes in all of them."""

    def __init__(self, machine):
        self.machine, self.decisions = machine, 0
        self.more = {}
        for left, right, state in machine.forks:
            self.more.setdefault((int(left), int(right)), []).append(int(state))

    def join(self, left, right):
        """All states over a left and a right child in these sets."""
        made = set(self.machine.join[np.ix_(sorted(left), sorted(right))].ravel().tolist())
        if self.more:
            made.update(*(self.more.get((a, b), ()) for a in left for b in right))
        return frozenset(made)

    def way(self, states, pop):
        """0 or 1, where an operation goes; None where not all states, or not all values pushed, agree."""
        rows = self.machine.right[:1] if pop else self.machine.right[1:]
        asked = rows[:, sorted(states)]
        self.decisions += asked.size
        first = int(asked.flat[0])
        return first if first < 2 and (asked == first).all() else None

    def write(self, states, pop):
        """The states of leaves after an operation: of a POP a set, of PUSHes one for each value."""
        made = self.machine.written[:, sorted(states)]
        return frozenset(made[POP].tolist()) if pop else [frozenset(row.tolist()) for row in made[1:]]


class Refuted(Exception):
    """A law does not hold; the message says which, and where."""


def values_held(machine, task, held):
    """Raise a `Refuted` unless a leaf that holds the k-th value, one of ``held[k]``, is answered with its bits."""
    for operation, states in zip(machine.operations[1:], held, strict=True):
        right = operation[-task.answer_width :] > 0.5
        if (machine.answer[sorted(states)] != right).any():
            raise Refuted(f"a leaf that holds {right.astype(int).tolist()} is read as something else")


def check_stack(machine, task):
    """Check the laws of a stack.

    Args:
        machine: a `TreeMachine` whose operations are POP and then all PUSHes.
        task: `Stack`.

    Returns:
        ``(decisions, heights)``.

    Raises:
        Refuted: a law does not hold.
    """
    shapes = Shapes(machine)
    free, held = frozenset([machine.empty]), []
    while True:  # free leaves, until no POP leaves a new one
        held = shapes.write(free, pop=False)
        more = free | shapes.write(frozenset().union(*held), pop=True)
        if more == free:
            break
        free = more
    all_held = frozenset().union(*held)
    if free & all_held:
        raise Refuted("a leaf that holds a value is the same as a free one")
    values_held(machine, task, held)
    start, pushes = (free, False), {((free, False), (all_held, True))}  # (states, full), and from where to where
    known = []
    while (start, pushes) not in known:
        known.append((start, pushes))
        start, pushes = _above(shapes, start, pushes, len(known))
    return shapes.decisions, len(known)


def _above(shapes, start, pushes, height):
    """The groups one level up that PUSHes lead to, from the group of empty trees."""
    after = {}
    for before, then in pushes:
        after.setdefault(before, []).append(then)

    def group(pair):
        return shapes.join(pair[0][0], pair[1][0]), pair[0][1] and pair[1][1]

    begun = (start, start)
    waiting, seen, edges = [begun], {begun}, set()
    while waiting:
        pair = waiting.pop()
        states, full = group(pair)
        if full:
            continue
        way = shapes.way(states, pop=False)
        if way is None:
            raise Refuted(f"at height {height}, PUSHes onto trees of one shape go different ways")
        if pair[way][1]:
            raise Refuted(f"at height {height}, a PUSH goes where there is no room, and there is room beside it")
        for then in after[pair[way]]:
            pushed = (then, pair[1]) if way == 0 else (pair[0], then)
            above = group(pushed)
            if shapes.way(above[0], pop=True) != way:
                raise Refuted(f"at height {height}, a POP after a PUSH does not go where the PUSH went")
            edges.add(((states, full), above))
            if pushed not in seen:
                seen.add(pushed)
                waiting.append(pushed)
    return group(begun), edges
