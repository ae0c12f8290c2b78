"""`prove`: a memory is right for every input, of every length, or here is one that it answers wrongly."""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np

from hamlib.models import RawHAM, weights_hash
from hamlib.proof.blocks import Refuted, check_blocks, streams_of
from hamlib.proof.examples import Counterexample, confirm
from hamlib.proof.extraction import NotFinite, check_digital, extract
from hamlib.proof.laws import LAWS
from hamlib.proof.refute import refute_selecting, refute_structure
from hamlib.proof.selecting import check_selecting
from hamlib.tasks import Structure

SELECTING = ("smallest", "sort")
PROVABLE = (*SELECTING, *LAWS)


class Undecided(ValueError):
    """Neither proved nor refuted; the message says why."""


@dataclasses.dataclass(frozen=True)
class Proof:
    """A memory answers every input of its task right, whatever n.

    Attributes:
        task: its name.
        states: how many values a node can have.
        merged: how many of them no tree tells apart from another.
        decisions: how many pairs of children of these values were joined, for all operations: of each one digits and
            the decision of SEARCH were computed.
        checked: how many decisions of labelled states the theorem asks for, all of them right.
        heights: after how many heights nothing new appears.
        margins: the smallest distances to a threshold, as in `TreeMachine.margins`.
        sha256: hash of the weights, where a model was proved.
    """

    task: str
    states: int
    merged: int
    decisions: int
    checked: int
    heights: int
    margins: dict
    sha256: str = ""

    def __str__(self):
        margins = self.margins
        parts = [name for name in ("search", "join", "answer") if name in margins]
        near = ", ".join(f"{name} {margins[name]:.3g} (ε {margins[f'{name}_epsilon']:.2g})" for name in parts)
        return (
            f"{self.task}: proved for every input of every length. {self.decisions:,} decisions over all pairs of "
            f"{self.states:,} states, {self.merged:,} different ones; {self.checked:,} of these with a label, 0 wrong;"
            f" nothing new above height {self.heights}. Nearest to a threshold: {near}"
        )


def check_task(task):
    """Raise an `Undecided` unless there is a specification that ``task`` can be proved by."""
    if task.name not in PROVABLE:
        known = ", ".join(PROVABLE)
        raise Undecided(f"task: {task.name} has no specification for a proof; those that have one: {known}")


def operations_of(task):
    """``[O, l]``, all operations of a data structure, POP first; None for another task."""
    if not isinstance(task, Structure):
        return None
    pushes = itertools.product(*(range(2**width) for width in list(task.columns.values())[1:]))
    return np.stack([task.pop(), *(task.push(*arguments) for arguments in pushes)])


def prove(machine, task, model=None):
    """Prove that a machine answers all inputs of a task right, of any length, or find one that it does not.

    What is checked, and why that is enough, is said where it is done: `hamlib.proof.selecting` for tasks that take the
    smallest key first, `hamlib.proof.blocks` for a stack and a queue.

    Args:
        machine: a `TreeMachine`.
        task: a `hamlib.tasks.Task`.
        model: the model that it was extracted from, with which a counterexample is confirmed; None: the machine itself.

    Returns:
        a `Proof` or a `Counterexample`.

    Raises:
        Undecided: (a ValueError) the task has no specification, or the laws do not hold and no input shows it.
        ValueError: the machine is of a task with other symbols.
    """
    check_task(task)
    width = machine.operations.shape[1] if isinstance(task, Structure) else machine.symbols.shape[1]
    if width != task.symbol_width:
        raise ValueError(f"machine: its symbols have {width} bits; those of {task.name} have {task.symbol_width}")
    runner, small = model or TableRunner(machine, task), machine.merged()
    if task.name in SELECTING:
        example, checked, refuted, heights = check_selecting(small, task, runner)
        why = f"{refuted:,} of {checked:,} decisions of labelled states are wrong"
    else:
        example, refuted = None, 0
        try:
            checked, heights = check_blocks(small, task, LAWS[task.name])
        except Refuted as reason:
            refuted, why = 1, str(reason)
            example = _shown(small, task, runner, reason) or refute_structure(runner, task)
    if example:
        return example
    if refuted:
        raise Undecided(f"machine: {why}, but no input was found that shows it")
    return Proof(task.name, machine.states, small.states, machine.decisions, checked, heights, machine.margins)


def _shown(machine, task, runner, refuted):
    """The `Counterexample` that shows where a law does not hold, or None."""
    for case in refuted.cases[:1]:
        for stream, n in streams_of(machine, task, LAWS[task.name], case):
            if example := confirm(runner, task, [stream], str(refuted), shrink=n <= 16, leaves=n):
                return example


def examine(model, task, progress=None):
    """Prove or refute a model: by its tables where its nodes are digital, else by a search for a counterexample.

    Args:
        model: a trained model.
        task: the task it was trained for.
        progress: called with (done, of how many).

    Returns:
        a `Proof`, with the hash of the weights, or a `Counterexample`.

    Raises:
        Undecided: its states are not finitely many and no counterexample was found, or as `prove`.
    """
    try:
        check_task(task)
        check_digital(model)
    except ValueError as reason:
        example = None
        if isinstance(model, RawHAM):
            if task.name in SELECTING:
                example = refute_selecting(model, task, progress=progress)[0]
            elif isinstance(task, Structure):
                example = refute_structure(model, task)
        if example:
            return example
        raise Undecided(f"{reason}; no counterexample was found either") from reason
    found = prove(extract(model, operations=operations_of(task), progress=progress), task, model)
    return found if isinstance(found, Counterexample) else dataclasses.replace(found, sha256=weights_hash(model))


def is_proved(model, task):
    """Whether a model is right for every input, and has a machine under the limit of `extract` that shows it."""
    try:
        machine = extract(model, operations=operations_of(task)).merged()
        if task.name in SELECTING:
            return isinstance(prove(machine, task), Proof)
        check_blocks(machine, task, LAWS[task.name])
    except (NotFinite, Refuted, Undecided):
        return False
    return True


def read_proof(path, model):
    """Return the `Proof` in a file, if it is one of this model's weights.

    Args:
        path: of the file.
        model: the model that it is said to be of.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no proof, or of other weights, or the model is not rounded.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"proof: there is no file {path}")
    try:
        proof = Proof(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise ValueError(f"proof: {path} is damaged or no proof ({error})") from error
    check_digital(model)
    if proof.sha256 != weights_hash(model):
        raise ValueError(
            f"proof: {path} is of other weights: SHA-256 {proof.sha256[:12]}…, not {weights_hash(model)[:12]}…"
        )
    return proof


class TableRunner:
    """Answers like a model, by a machine's tables: slow and plain, to check with."""

    def __init__(self, machine, task):
        self.machine, self.task = machine, task

    def __call__(self, inputs, attention="hard"):
        symbols, lengths = np.asarray(inputs["symbols"]), np.asarray(inputs["lengths"])
        queries = np.asarray(inputs.get("queries", symbols[:, :1, :0]))
        return np.stack([self._answer(*each) for each in zip(symbols, lengths, queries, strict=True)])

    def _answer(self, symbols, length, queries):
        machine, n = self.machine, len(symbols)
        number = symbols @ 2 ** np.arange(symbols.shape[1] - 1, -1, -1) if symbols.shape[1] else np.zeros(n)
        leaves = np.full(n, machine.empty)
        leaves[:length] = machine.leaf[number[:length].astype(int)]
        asked = (machine.operations == query for query in queries)
        rows = [int(np.argmax(same.all(axis=1))) for same in asked]
        read = list(machine.accesses(machine.grow(leaves), rows))
        answers = [machine.answer[state] if machine.answer.shape[1] else symbols[place] for place, state in read]
        return np.array(answers, "float32")
