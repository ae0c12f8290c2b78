"""The trained models that ship with hamlib: weights and a card for each, and the ledger.

``load_pretrained("smallest").answer(symbols)`` is the way to use one.
"""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np

from hamlib.memory import check_attention
from hamlib.recipes import Recipe
from hamlib.tasks import get_task
from hamlib.training import build, write_whole

FOLDER = Path(__file__).parent / "pretrained"


def weights_hash(model):
    """Return the SHA-256 of a model's trainable weights, as hexadecimal digits."""
    digest = hashlib.sha256()
    for weight in model.trainable_variables:
        digest.update(np.asarray(weight).tobytes())
    return digest.hexdigest()


def load_weights(model, path):
    """Load a ``.weights.h5`` file into a model of the same shape.

    Args:
        model: the model that gets the weights.
        path: of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no weight file, is truncated, or belongs to another model.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"weights: there is no file {path}")
    if not path.name.endswith(".weights.h5"):
        raise ValueError(f"weights: got {path.name}; expected a file whose name ends in .weights.h5")
    try:
        model.load_weights(path)
    except (OSError, KeyError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"weights: {path} is damaged, no weight file, or of another model ({reason})") from error


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
        outputs = self.model(inputs, attention=attention)
        return np.asarray(outputs).round().astype("int8")


def ship(name, weights, card):
    """Put a trained model into the package: its weights without the optimiser, and its card.

    Args:
        name: what `load_pretrained` will call it.
        weights: the run's ``best.weights.h5``.
        card: what is known of the run; must hold the ``recipe``. The hash is added.
    """
    model = build(Recipe.from_json(card["recipe"]))
    load_weights(model, weights)
    shipped = FOLDER / f"{name}.weights.h5"
    write_whole(shipped, model.save_weights)
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
