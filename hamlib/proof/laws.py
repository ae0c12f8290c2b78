"""The laws of a stack and of a queue: where things lie in the leaves of a tree, and where the next one goes."""

import re

POP, HELD = 0, "F"  # the row of POP in the tables, after which come all PUSHes; the letter of a held leaf


def _short(label):
    """Write a run of one letter as that letter."""
    return re.sub(r"(.)\1+", r"\1", label)


class StackLaw:
    """Things lie at the front; the last one is taken."""

    unused, popped, takes = "N", "P", -1  # which of `inside` a POP takes
    labels = {"F", "P", "N", "FP", "PN", "FN", "FPN"}
    full = {"F"}  # no PUSH comes there
    label = staticmethod(_short)

    @staticmethod
    def push(first, second):
        """The child that a PUSH goes to, 0 or 1 in the order of PUSHes, over children of these labels."""
        return int(first == "F")

    @staticmethod
    def pop(first, second):
        """The same of a POP."""
        return int("F" in second)

    @staticmethod
    def beyond(leaves, operation):
        """What each leaf after these holds, as in `stream`, where an operation comes to these."""
        return None

    @staticmethod
    def inside(leaves):
        """The rows of the PUSHes whose values these leaves, as in `stream`, hold, in the order in which they came."""
        return [row for row in leaves if row]

    @staticmethod
    def filling(n, inside, rng):
        """Draw n leaves, as in `stream`, that hold this."""
        popped = rng.integers(n - len(inside) + 1)
        return inside + popped * [POP] + (n - len(inside) - popped) * [None]

    @staticmethod
    def stream(leaves):
        """The operations that leave this, in an empty tree.

        Args:
            leaves: in the order of PUSHes: of a held leaf the row of its PUSH; 0 where it was popped; or None.

        Returns:
            their rows.
        """
        popped = leaves.count(POP)
        return StackLaw.inside(leaves) + popped * [1] + popped * [POP]


class QueueLaw:
    """Things lie in a ring; the first one is taken. As a PUSH sees free leaves, a POP sees held ones."""

    unused, popped, takes = "N", "e", 0
    labels = set("N e E F eF EF Fe FE FeF FEF EFE EN FN EFN FEN EFEN".split())
    full = {"F", "eF", "FeF"}

    @staticmethod
    def label(letters):
        """The label of leaves, or of two labels side by side."""
        label = _short(re.sub("[eE]{2,}", "E", letters))
        return label if len(re.findall("[^F]", label)) == 1 else label.upper()

    @staticmethod
    def push(first, second):
        """As `StackLaw.push`."""
        first, both = _ring(first), _ring(first + second)
        return int(first == "F" or both == "EFE" != first)

    @staticmethod
    def pop(first, second):
        """As `StackLaw.pop`."""
        first, both = _ring(first), _ring(first + second)
        return int(first == "E" or both == "FEF" != first)

    @staticmethod
    def beyond(leaves, operation):
        """As `StackLaw.beyond`."""
        if leaves[-1] and POP in leaves and (leaves[0] or operation):
            return 1  # the ring goes on round the end
        return POP if leaves[-1] == POP and any(leaves) else None

    @staticmethod
    def begin(leaves):
        """The place of the first thing in the ring; 0 where there is none."""
        return next((at for at in range(len(leaves)) if leaves[at] and not leaves[at - 1]), 0)

    @staticmethod
    def inside(leaves):
        """As `StackLaw.inside`."""
        begin = QueueLaw.begin(leaves)
        return [row for row in leaves[begin:] + leaves[:begin] if row]

    @staticmethod
    def filling(n, inside, rng):
        """As `StackLaw.filling`: in half of them all leaves have been used."""
        free = n - len(inside)
        if rng.random() < 0.5:
            begin = rng.integers(n)
            ring = inside + free * [POP]
            return ring[n - begin :] + ring[: n - begin]
        before = rng.integers(free + 1) if inside else 0
        after = rng.integers(free - before + 1)
        return before * [POP] + inside + after * [POP] + (free - before - after) * [None]

    @staticmethod
    def stream(leaves):
        """As `StackLaw.stream`."""
        n, used, before = len(leaves), len(leaves) - leaves.count(None), []
        begin, inside = QueueLaw.begin(leaves), QueueLaw.inside(leaves)
        if used and leaves[used - 1] == POP:  # the ring came farther before
            if used < n:
                before = used * [1] + used * [POP]
            else:
                begin += n
        if not begin:
            return before + inside
        # one is always inside, or a PUSH would begin at the front
        return before + [1] + (begin - 1) * [1, POP] + inside[:1] + [POP] + inside[1:]


def _ring(label):
    return _short(label.upper().replace("N", "E"))


LAWS = {"stack": StackLaw, "queue": QueueLaw}
