"""Files of weights: written whole, by one process at a time, and checked when they are read."""

import contextlib
import hashlib
import os
from pathlib import Path

import filelock
import h5py
import numpy as np

HASH = "sha256"  # the attribute of a weight file that holds the hash of its weights


def weights_hash(model):
    """Return the SHA-256 of a model's trainable weights, as hexadecimal digits."""
    return _hash(model.trainable_variables)


def _hash(variables):
    digest = hashlib.sha256()
    for variable in variables:
        digest.update(np.asarray(variable).tobytes())
    return digest.hexdigest()


def write_whole(path, write):
    """Call ``write`` on a temporary name, then rename it to ``path``: the file is there whole or not at all.

    It is on the disk before it has its name, so that a power cut leaves the old file or the new one.
    """
    path = Path(path)
    temporary = path.with_name(f".writing-{path.name}")
    write(temporary)
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


@contextlib.contextmanager
def locked(path, wait=0):
    """Hold the lock of a file: no other process of this machine does meanwhile.

    Args:
        path: what only one process may write; its lock lies beside it.
        wait: how many seconds to wait for another process.

    Raises:
        ValueError: another process holds it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=wait):
            yield
    except filelock.Timeout as error:
        raise ValueError(
            f"folder: {path.parent} is in use by another process; wait for it, or choose another"
        ) from error


def save_weights(model, path):
    """Write a model's weights, and their hash beside them, to a ``.weights.h5`` file, whole or not at all."""

    def write(temporary):
        model.save_weights(temporary)
        with h5py.File(temporary, "r+") as file:
            file.attrs[HASH] = _hash(model.weights)

    write_whole(path, write)


def load_weights(model, path):
    """Load a ``.weights.h5`` file that `save_weights` wrote into a model of the same shape.

    Args:
        model: the model that gets the weights.
        path: of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no weight file, is damaged, or belongs to another model. The model is as it was.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"weights: there is no file {path}")
    if not path.name.endswith(".weights.h5"):
        raise ValueError(f"weights: got {path.name}; expected a file whose name ends in .weights.h5")
    before = model.get_weights()
    try:
        with h5py.File(path) as file:
            wanted = file.attrs[HASH]
        model.load_weights(path)
        if _hash(model.weights) != wanted:
            raise ValueError("the weights are not those of its SHA-256")
    # What a damaged file makes h5py and Keras raise is of many kinds.
    except Exception as error:
        model.set_weights(before)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"weights: {path} is damaged, no weight file, or of another model ({reason})") from error
