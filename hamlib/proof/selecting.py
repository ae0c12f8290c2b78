"""The proof for tasks that take the smallest key first: *select the smallest*, and *sort* without an LSTM.

**Theorem.** Let a memory's states be those of a `TreeMachine`. Label a subtree by the smallest key that is left in it,
or by none. If for every pair of labelled states that subtrees of one height can have, SEARCH goes right at their JOIN
just where the right label is smaller (and anywhere where none is left), then every access in every tree of every
height goes to the first of the smallest keys that are left.

*Over the height*: at the root the decision leads to a child whose label is the smallest of both, the left one of two
equal ones; the child is a tree of one level less. The pairs of one height are found from those below, until a height
has the same labelled states as one before: then all higher ones repeat them.
*Over the accesses*: WRITE changes the one leaf that was taken, to a state whose label is none, and only its ancestors
are joined again. So before the k-th access the labels are right again, with k - 1 keys less. The answers are the
symbols in the order of a stable sort; with one access, the first of the smallest.

**Assumptions.** A leaf whose symbol was taken may be anywhere beside any that is left, which is more than can happen;
empty leaves come last, as m symbols fill the first m leaves. The leaves are those that EMBED gives on the machine that
checks, and float32, not TF32 or half precision, errs by no more than ε in the sum of a digit; nearer ones are followed
with either outcome. SEARCH's sum, which is shorter, is held to a quarter of the same ε.
"""

import numpy as np

from hamlib.proof.examples import confirm

FULL, PART, NOTHING = range(3)  # of the leaves of a subtree, how many hold the input
LABELS = 2**16  # more than there are
CHUNK = 1 << 20  # pairs checked at once
HEIGHTS = 7  # counterexamples are looked for in trees of up to 128 leaves


class Selecting:
    """The specification, over labels ``3 * key + filled``; the key is 2^k of a subtree with none left."""

    def __init__(self, task):
        self.task = task
        self.width = next(iter(task.columns.values()))
        self.none = 2**self.width

    def keys(self, symbols):
        """The keys of ``symbols[K, b]``, ints ``[K]``."""
        return (np.asarray(symbols)[:, : self.width] @ 2 ** np.arange(self.width - 1, -1, -1)).astype(int)

    def leaves(self, machine):
        """Labelled leaves: ``state[k]``, ``label[k]``, and ``symbol[k]``, which stands or stood there, -1 for none."""
        keys, number = self.keys(machine.symbols), np.arange(len(machine.symbols))
        state = [machine.leaf, [machine.empty]]
        label = [3 * keys + FULL, [3 * self.none + NOTHING]]
        symbol = [number, [-1]]
        taken = machine.written[0, machine.leaf]
        if (taken >= 0).all():
            state.append(taken)
            label.append(np.full(len(taken), 3 * self.none + FULL))
            symbol.append(number)
        return tuple(np.concatenate(parts).astype(int) for parts in (state, label, symbol))

    def join(self, left, right):
        """The label over labels ``left`` and ``right``, and which such pairs there are."""
        key = np.minimum(left // 3, right // 3)
        a, b = left % 3, right % 3
        filled = np.where(a == b, a, PART)
        return 3 * key + filled, (a == FULL) | (b == NOTHING)

    def demand(self, left, right):
        """Where SEARCH must go: 0, 1, or -1, anywhere."""
        a, b = left // 3, right // 3
        return np.where((a == self.none) & (b == self.none), -1, b < a)


def check_selecting(machine, task, runner, margins=None):
    """Check every pair of labelled states, height by height.

    Args:
        machine: a `TreeMachine`, merged or not.
        task: `Smallest` or `Sort`.
        runner: what a counterexample is confirmed with, a model or one that answers like it.
        margins: distances to a threshold, for the message of a counterexample; None for none.

    Returns:
        ``(counterexample or None, decisions, refuted, heights)``: a `Counterexample`, how many pairs were checked, how
        many of them are refuted, and of how many heights.
    """
    rules, decisions, refuted = Selecting(task), 0, 0
    state, label, symbol = rules.leaves(machine)
    known, (level, members) = set(), _distinct(state, label)
    below = [(None, [symbol[members == k] for k in range(len(level))])]
    keys = rules.keys(machine.symbols)
    while (frozen := level.tobytes()) not in known:
        known.add(frozen)
        size, parts, shown = len(level), [], []
        for low in range(0, size, rows := max(1, CHUNK // size)):
            i, j = (index.ravel() for index in np.indices((min(rows, size - low), size)))
            i += low
            labels, there = rules.join(level[i, 1], level[j, 1])
            i, j, made, labels = _outcomes(machine, level, i[there], j[there], labels[there])
            demand = rules.demand(level[i, 1], level[j, 1])
            wrong = (demand >= 0) & (machine.right[0, made] != demand)
            decisions += int((demand >= 0).sum())
            refuted += int(wrong.sum())
            pairs = np.stack([i, j], axis=1)
            shown.append(pairs[wrong][_spread(wrong.sum(), 20)])
            first = np.unique(made * LABELS + labels, return_index=True)[1]
            parts.append((made[first], labels[first], pairs[first]))
        shown = np.concatenate(shown)
        if len(shown) and len(below) <= HEIGHTS:
            shown = shown[_spread(len(shown))]
            if example := _first_shown(runner, task, machine, keys, below, shown):
                return example, decisions, refuted, len(below)
        made, labels, pairs = (np.concatenate(column) for column in zip(*parts, strict=True))
        level, members = _distinct(made, labels)
        below.append((pairs[np.unique(members, return_index=True)[1]], None))
    return None, decisions, refuted, len(below) - 1


def _distinct(state, label):
    pairs, members = np.unique(np.stack([state, label], 1), axis=0, return_inverse=True)
    return pairs, members.ravel()


def _outcomes(machine, level, i, j, labels):
    """All pairs with the state JOIN makes, and again those with another outcome that is as near."""
    left, right = level[i, 0], level[j, 0]
    made = machine.join[left, right].astype(int)
    if not len(machine.forks):
        return i, j, made, labels
    size = machine.states
    order = np.argsort(pair_of := machine.forks[:, 0].astype(int) * size + machine.forks[:, 1])
    low, high = (np.searchsorted(pair_of[order], left * size + right, side) for side in ("left", "right"))
    more = np.repeat(np.arange(len(i)), high - low)
    nth = np.arange(len(more)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
    also = machine.forks[order[np.repeat(low, high - low) + nth], 2]
    return (np.append(a, b) for a, b in ((i, i[more]), (j, j[more]), (made, also), (labels, labels[more])))


def _spread(count, most=100):
    """Which of so many to try."""
    return np.zeros(0, int) if not count else np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def _first_shown(runner, task, machine, keys, below, pairs):
    """Make inputs of refuted pairs and run them."""
    by_length = {}
    for left, right in pairs:
        leaves = _tree(below, len(below) - 1, left) + _tree(below, len(below) - 1, right)
        used, input_ = {}, []
        for members in leaves:
            if (members < 0).any():
                break  # the rest is empty
            kin = members[keys[members] == keys[members].min()]  # equal keys with different values, where there are
            used[key] = used.get(key := int(keys[kin[0]]), -1) + 1
            input_.append(machine.symbols[kin[used[key] % len(kin)]])
        if len(input_) >= task.shortest:
            by_length.setdefault(len(input_), []).append(np.array(input_, int))
    for length in sorted(by_length):
        found = f"a pair of states under trees of {2 ** (len(below) - 1)} leaves"
        if example := confirm(runner, task, by_length[length], found):
            return example


def _tree(below, height, number):
    """For each leaf under a labelled state the symbols that may stand there."""
    pairs, members = below[height]
    if height == 0:
        return [members[number]]
    left, right = pairs[number]
    return _tree(below, height - 1, left) + _tree(below, height - 1, right)
