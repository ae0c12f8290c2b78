"""The trained models that ship with hamlib: weights and a card for each, and the ledger.

``load_pretrained("smallest").answer(symbols)`` is the way to use one.
"""

import bisect
import dataclasses
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from hamlib.memory import check_attention
from hamlib.models import Online, load_weights, save_weights, weights_hash, write_whole
from hamlib.recipes import Recipe
from hamlib.tasks import STRUCTURES, Structure, get_task
from hamlib.tasks.sampling import numbers
from hamlib.training import build

FOLDER = Path(__file__).parent / "pretrained"


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A trained model: its network, its task, and a card that says where it comes from.

    Attributes:
        model: the Keras model, called as ``model(inputs, attention=...)``.
        task: the `hamlib.tasks.Task` it was trained for.
        card: recipe, seed, steps, minutes, machine, figures and the weights' hash.
    """

    model: object
    task: object
    card: dict

    def answer(self, symbols, lengths=None, attention="hard"):
        """Answer a batch of inputs of any length.

        Args:
            symbols: ``[batch, m, b]`` of 0/1, any m >= 1; padded to the next power of two.
            lengths: ``[batch]`` ints in [1, m] where inputs are shorter than m, else None.
            attention: ``"soft"`` or ``"hard"``.

        Returns:
            the output bits, ``[batch, T, b]`` of 0/1, int8.

        Raises:
            ValueError: an argument of a wrong shape, type or value; the message says which.
        """
        check_attention(attention)
        inputs = self.task.inputs(*self.task.check_inputs(symbols, lengths))
        return np.asarray(self.model.respond(inputs, attention)).round().astype("int8")

    def start(self, n):
        """Return an empty `LiveStructure` of n leaves.

        Raises:
            ValueError: the task is no data structure, n is no power of two, or its tree does not fit.
        """
        if not isinstance(self.task, Structure):
            known = ", ".join(kind.name for kind in STRUCTURES)
            raise ValueError(f"task: {self.task.name} has no operations; expected one of {known}")
        return LiveStructure(self.model, self.task, n)


class LiveStructure:
    """A learned stack, queue or priority queue that is told one operation at a time (Sec. 4.3), in Θ(log n) each.

    What it holds stands in its leaves and nowhere else; Python only counts, so as to say when it is full or empty. It
    can be wrong: ``pop`` returns what the model answers.

    Args:
        model: a trained `RawHAM`.
        task: its `hamlib.tasks.Structure`.
        n: leaves. It is full when as many things are in it as `Structure.room` says, and goes on for as long as anyone
            wants.

    Attributes:
        memory: the `hamlib.models.Online` that does it.
        path: the rows that the last operation visited, from the root to a leaf; None before the first.
    """

    def __init__(self, model, task, n):
        self.memory, self.task, self.path = Online(model, n), task, None
        self._priorities = []  # of what is there, sorted; all 0 where there is no priority

    def __len__(self):
        return len(self._priorities)

    def push(self, *arguments):
        """Put a value, or a priority and a value, into it.

        Args:
            arguments: ints: ``value``, 0 to 31; of a priority queue ``priority, value``, 0 to 127 and 0 to 31.

        Raises:
            ValueError: too wide, a priority that is there already, or the memory is full. Nothing is changed.
        """
        operation = self.task.push(*arguments)
        priority = arguments[0] if "priority" in self.task.columns else 0
        if len(self) == self.task.room(self.memory.n):
            raise ValueError(f"push: the {self.task.name} is full; it holds {len(self)} things")
        if "priority" in self.task.columns and priority in self._priorities:
            raise ValueError(f"priority: got {priority}, which is there already; expected another one")
        self._operate(operation)
        bisect.insort(self._priorities, priority)

    def pop(self):
        """Take out the value that is next, an int.

        Raises:
            IndexError: nothing is left. Nothing is changed.
        """
        if not self._priorities:
            raise IndexError(f"pop: the {self.task.name} is empty")
        answer = self._operate(self.task.pop())
        self._priorities.pop()
        return numbers(answer.round().astype(int)[None], len(answer))[0]

    def _operate(self, operation):
        answer, path = self.memory.operate(tf.constant(operation))
        self.path = path.numpy()
        return answer.numpy()


def ship(name, weights, card):
    """Put a trained model into the package: its weights without the optimiser, and its card.

    Args:
        name: what `load_pretrained` will call it.
        weights: the run's ``best.weights.h5``.
        card: what is known of the run; must hold the ``recipe``. The hash is added.
    """
    model = build(Recipe.from_json(card["recipe"]))
    load_weights(model, weights)
    save_weights(model, FOLDER / f"{name}.weights.h5")
    card = card | {"sha256": weights_hash(model)}
    write_whole(FOLDER / f"{name}.json", lambda path: path.write_text(json.dumps(card, indent=1) + "\n"))


def names():
    """Return the names of the models that ship with hamlib."""
    return sorted(path.name.removesuffix(".json") for path in FOLDER.glob("*.json") if path.name != "ledger.json")


def load_pretrained(name):
    """Load a model that ships with hamlib.

    Args:
        name: one of `names`.

    Returns:
        a `Pretrained`.

    Raises:
        ValueError: the name is not known, or the weights are not those of the card.
    """
    if name not in names():
        raise ValueError(f"name: unknown {name!r}; known: {', '.join(names())}")
    card = json.loads((FOLDER / f"{name}.json").read_text())
    weights = FOLDER / f"{name}.weights.h5"
    recipe = Recipe.from_json(card["recipe"])
    model = build(recipe)
    load_weights(model, weights)
    if weights_hash(model) != card["sha256"]:
        raise ValueError(f"weights: {weights} does not hold the weights that its card describes (SHA-256 differs)")
    return Pretrained(model, get_task(recipe.task), card)
