"""A `Counterexample`: an input that is answered wrongly, confirmed by running what answers it."""

import dataclasses

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True, eq=False)
class Counterexample:
    """A concrete input, in its task's own symbols, that is answered wrongly in fact.

    Attributes:
        task: the `hamlib.tasks.Task`.
        symbols: ``[m, b]``, ints 0/1, the input, to be given to `hamlib.pretrained.Pretrained.answer`.
        right: ``[T, a]``, ints, the right answer; -1 where nothing is judged.
        answered: ``[T, a]``, ints 0/1, what was answered.
        found: in words, how it was found.
        leaves: of a data structure's tree; None for as many as there are operations, or the next power of two.
    """

    task: object
    symbols: np.ndarray
    right: np.ndarray
    answered: np.ndarray
    found: str = ""
    leaves: int | None = None

    def __str__(self):
        wrong = np.flatnonzero(((self.right != self.answered) & (self.right >= 0)).any(axis=1))[0]
        on = f" on {self.leaves} leaves" if self.leaves else ""
        lines = [
            f"symbols = {self.symbols.tolist()}",
            f"# {len(self.symbols)} symbols of {self.task.name}{on}: {_read(self.symbols, self.task.columns)}",
            f"# output symbol {wrong + 1} should be {_read(self.right[[wrong]], self.task.answer_columns)}, "
            f"and is {_read(self.answered[[wrong]], self.task.answer_columns)}",
        ]
        return "\n".join(lines)

    def as_json(self):
        """What JSON can hold of it."""
        fields = dict(symbols=self.symbols.tolist(), right=self.right.tolist(), answered=self.answered.tolist())
        return fields | (dict(leaves=self.leaves) if self.leaves else {})


def _read(symbols, columns):
    """Bits as numbers, column by column: ``key 8, value 3; key 7, value 0``; a run of equal ones is counted."""
    said = []
    for bits in symbols:
        at, parts = 0, []
        for name, width in columns.items():
            parts.append(f"{name} {int(''.join(map(str, bits[at : at + width])), 2)}")
            at += width
        said.append(", ".join(parts))
    return "; ".join(said)


def answers_of(runner, task, symbols, leaves=None):
    """Answer inputs of one length, ``symbols[batch, m, b]`` of 0/1: ``(right, answered)``, ints ``[batch, T, a]``.

    Args:
        runner: a model, which is run hard, or a function of checked ``symbols, lengths``.
        task: the `hamlib.tasks.Task`.
        leaves: as in `Counterexample`.
    """
    symbols, lengths = task.check_inputs(symbols)
    inputs = task.on_leaves(symbols, leaves) if leaves else task.inputs(symbols, lengths)
    asked = inputs["queries"] if inputs["symbols"].shape[2] == 0 else inputs["symbols"]
    right = np.asarray(task.targets(tf.constant(asked), tf.constant(lengths)))
    outputs = runner(inputs, attention="hard")
    steps = min(right.shape[1], outputs.shape[1])  # an answer is as long as its input, which was padded
    return right[:, :steps].astype(int), np.asarray(outputs)[:, :steps].round().astype(int)


def confirm(runner, task, candidates, found, shrink=True, leaves=None):
    """Run candidates, inputs ``[m, b]`` of one length, and return the first that is answered wrongly, or None.

    Args:
        runner: what answers.
        task: whose symbols they are.
        candidates: inputs ``[m, b]``.
        found: how they were found, for the `Counterexample`.
        shrink: whether symbols that it is not needed for are left out, one after the other.
        leaves: as in `Counterexample`.
    """
    wrong = _wrong(runner, task, candidates, leaves)
    if wrong is None:
        return None
    while shrink and len(wrong[0]) > max(2, task.shortest):
        shorter = [np.delete(wrong[0], place, axis=0) for place in range(len(wrong[0]))]
        legal = [part for part in shorter if not task.problem(part) and _fits(task, part, leaves)]
        if (less := _wrong(runner, task, legal, leaves)) is None:
            break
        wrong = less
    return Counterexample(task, *wrong, found, leaves)


def _fits(task, operations, leaves):
    """Whether a tree of so many leaves has room for all that is inside at a time."""
    return leaves is None or np.cumsum(1 - 2 * operations[:, 0]).max() <= task.room(leaves)


def _wrong(runner, task, candidates, leaves):
    if not len(candidates):
        return None
    symbols = np.stack(candidates).astype(int)
    right, answered = answers_of(runner, task, symbols, leaves)
    bad = ((right != answered) & (right >= 0)).any(axis=(1, 2))
    where = np.flatnonzero(bad)
    return (symbols[where[0]], right[where[0]], answered[where[0]]) if len(where) else None
