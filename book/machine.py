"""The tables with which a page runs the proved memory, without Python: book/site/machine.json, a few kilobytes."""

import itertools
import json

import numpy as np

from book.links import ROOT

PATH = ROOT / "book" / "site" / "machine.json"


def tables(machine):
    """Return the merged `TreeMachine` of *select the smallest* as plain lists, for ``machine.js``.

    The states are numbered anew: the leaves of the keys 0 to 31, the empty leaf, then the inner nodes.

    Returns:
        a dict: ``leaf[32]``, states by key; ``empty``, a state; ``right``, a text with 0 or 1 for each state; ``join``,
        the table of JOIN row by row, as [state, how often, state, how often, ...]. A pair that no tree has gets the
        state of the pair before it.

    Raises:
        ValueError: a key has more than one state, or a digit of the machine is too near to 0 to be sure.
    """
    keys = machine.symbols[:, :5].astype(int) @ 2 ** np.arange(4, -1, -1)
    leaf = [np.unique(machine.leaf[keys == key]) for key in range(32)]
    if any(len(states) > 1 for states in leaf) or len(machine.forks) or (machine.right > 1).any():
        raise ValueError("machine: expected one state for each key, and no forks")
    order = [int(states[0]) for states in leaf] + [machine.empty]
    met = [int(machine.join[pair]) for pair in itertools.product(order, order)]  # as they appear: like stands by like
    order = [state for state in dict.fromkeys([*order, *met, *range(machine.states)]) if state >= 0]
    join = np.append(np.argsort(order), -1)[machine.join[np.ix_(order, order)]].ravel().tolist()
    filled = list(itertools.accumulate(join, lambda before, state: before if state < 0 else state))
    return {
        "leaf": list(range(32)),
        "empty": 32,
        "right": "".join(str(int(bit)) for bit in machine.right[0, order]),
        "join": [int(x) for state, run in itertools.groupby(filled) for x in (state, len(list(run)))],
    }


def write(path=PATH):
    """Extract the machine of the shipped `smallest-digital` and write its tables to ``path``."""
    from hamlib.pretrained import load_pretrained  # TensorFlow: only here
    from hamlib.proof import extract

    machine = extract(load_pretrained("smallest-digital").model).merged()
    path.write_text(json.dumps(tables(machine), separators=(",", ":")) + "\n", encoding="utf-8")
