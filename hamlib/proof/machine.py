"""`TreeMachine`: a digital memory as finite tables, a tree automaton."""

import dataclasses

import numpy as np

EITHER = 2  # in tables of decisions and of bits: too near to say


@dataclasses.dataclass(frozen=True, eq=False)
class TreeMachine:
    """A memory as tables over S states, each the value of a node; K symbols fill leaves, O operations ask.

    Attributes:
        symbols: ``[K, b]``, 0/1, what EMBED takes; K = 0 where the memory starts empty.
        operations: ``[O, l]``, the queries; one row of zeros where nothing is asked.
        leaf: ``[K]``, the state of a leaf that holds each symbol.
        empty: the state of a leaf that holds nothing.
        join: ``[S, S]``, the state of a node over a left and a right child; -1 for a pair that no tree has.
        right: ``[O, S]``, int8, whether SEARCH goes right at a node: 0, 1, or 2, `EITHER`, nearer to 0.5 than its ε.
        written: ``[O, S]``, the state of a leaf after an access; -1 where it is none of a leaf.
        answer: ``[S, a]``, int8, the bits read at a leaf, 0, 1 or `EITHER`; a = 0 where it is the symbol there.
        forks: ``[F, 3]``, more outcomes of JOIN, (left, right, state): a digit is nearer to 0 than ε.
        levels: how many states leaves have, then inner nodes of at most each height, until nothing is new.
        decisions: how many pairs of children were joined and asked, for all operations.
        margins: the smallest distances to a threshold: ``"search"``, of a probability to 0.5; ``"join"``, of a digit's
            sum to 0; ``"answer"``, of a bit to 0.5; and the ε that each must keep, ``"search_epsilon"`` and so on.
        names: ``[S]``, strings, for people; empty where nobody named the states.
    """

    symbols: np.ndarray
    operations: np.ndarray
    leaf: np.ndarray
    empty: int
    join: np.ndarray
    right: np.ndarray
    written: np.ndarray
    answer: np.ndarray
    forks: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 3), int))
    levels: tuple = ()
    decisions: int = 0
    margins: dict = dataclasses.field(default_factory=dict)
    names: tuple = ()

    @property
    def states(self):
        """S, how many states there are."""
        return len(self.join)

    def grow(self, leaves):
        """Return the states ``tree[2n]`` over the states ``leaves[n]``, n a power of two; row 0 is unused."""
        levels = [np.asarray(leaves, int)]
        while len(levels[0]) > 1:
            levels.insert(0, self.join[levels[0][::2], levels[0][1::2]].astype(int))
        return np.concatenate([[0], *levels])

    def access(self, tree, operation=0):
        """Make one hard access in ``tree[2n]``, which is changed, and return the leaf's place, 0 to n - 1."""
        n, node = len(tree) // 2, 1
        while node < n:
            node = 2 * node + int(self.right[operation, tree[node]] == 1)
        place = node - n
        if (new := self.written[operation, tree[node]]) >= 0:
            tree[node] = new
            while node := node // 2:
                tree[node] = self.join[tree[2 * node], tree[2 * node + 1]]
        return place

    def accesses(self, tree, operations):
        """Make hard accesses in ``tree[2n]`` one after the other: of each the leaf's place and the state read there."""
        for operation in operations:
            leaves = tree[len(tree) // 2 :].copy()
            place = self.access(tree, operation)
            yield place, leaves[place]

    def merged(self):
        """Return the same machine with equivalent states as one, by partition refinement.

        Two states are equivalent if no tree tells them apart: SEARCH, WRITE and the answer treat them alike, and beside
        any third they are joined to equivalent ones. What a merged machine decides is what the machine decides.
        """
        rng = np.random.default_rng(0)
        keys = rng.integers(1, 2**63, (4, self.states + 1), dtype=np.uint64) | np.uint64(1)
        seen = np.concatenate([self.right.T, self.answer], axis=1)
        classes = np.unique(seen, axis=0, return_inverse=True)[1].ravel()
        count = 0
        while count < (count := classes.max() + 1) or not self._is_congruence(classes):
            name = keys[0][np.append(classes, self.states)]  # the last is of "none", -1
            rows = np.zeros((3, self.states), np.uint64)
            for low in range(0, self.states, 512):
                met = name[self.join[low : low + 512]]
                rows[0, low : low + 512] = met @ keys[1, :-1]
                rows[1] += keys[2, low : low + len(met)] @ met
            i, j, k = self.forks[classes[self.join[*self.forks[:, :2].T]] != classes[self.forks[:, 2]]].T
            np.add.at(rows[2], i, keys[1, j] * keys[3, classes[k]])
            np.add.at(rows[2], j, keys[2, i] * keys[3, classes[k]])
            written = np.append(classes, -1)[self.written]
            sees = np.concatenate([classes[None], rows.view(np.int64), written])
            classes = np.unique(sees, axis=1, return_inverse=True)[1].ravel()
        return self._quotient(classes)

    def _is_congruence(self, classes):
        small = self._quotient(classes)
        named = np.append(classes, -1)
        return all(
            np.array_equal(small.join[classes[low : low + 512, None], classes], named[self.join[low : low + 512]])
            for low in range(0, self.states, 512)
        ) and np.array_equal(small.written[:, classes], named[self.written])

    def _quotient(self, classes):
        _, first = np.unique(classes, return_index=True)
        named = np.append(classes, -1)
        join = named[self.join[np.ix_(first, first)]]
        i, j, k = forks = np.unique(classes[self.forks], axis=0).T
        return dataclasses.replace(
            self,
            leaf=classes[self.leaf],
            empty=int(classes[self.empty]),
            join=join,
            right=self.right[:, first],
            written=named[self.written[:, first]],
            answer=self.answer[first],
            forks=forks.T[join[i, j] != k],
        )
