"""The tables with which a page runs the proved memory, without Python: book/site/machine.json, a few kilobytes."""

import itertools
import json

import numpy as np

from book.links import ROOT

PATH = ROOT / "book" / "site" / "machine.json"


def tables(machine):
    """Return the merged `TreeMachine` of *sort* as plain lists, for ``machine.js``.

    The states are numbered anew: the leaves of the keys 0 to 31, the empty leaf and the taken one, then inner nodes.
    Where a digit is too near to 0 to be sure, the proof holds for either outcome; the tables have one.

    Returns:
        a dict: ``leaf[32]``, states by key; ``empty``, ``taken``, states; ``right``, a text with 0 or 1 for each state;
        ``join``, the table of JOIN row by row, as [state, how often, state, how often, ...]. A pair that no tree has
        gets the state of the pair before it.

    Raises:
        ValueError: a key has more than one state, or taken leaves have, or SEARCH is too near to 0.5 to be sure.
    """
    keys = machine.symbols[:, :5].astype(int) @ 2 ** np.arange(4, -1, -1)
    leaf = [np.unique(machine.leaf[keys == key]) for key in range(32)]
    taken = np.unique(machine.written[0, machine.leaf])
    if any(len(states) > 1 for states in [*leaf, taken]) or (machine.right > 1).any():
        raise ValueError("machine: expected one state for each key, one for what was taken, and a sure SEARCH")
    order = list(dict.fromkeys([*(int(states[0]) for states in leaf), machine.empty, int(taken[0])]))
    met = [int(machine.join[pair]) for pair in itertools.product(order, order)]  # as they appear: like stands by like
    order = [state for state in dict.fromkeys([*order, *met, *range(machine.states)]) if state >= 0]
    join = np.append(np.argsort(order), -1)[machine.join[np.ix_(order, order)]].ravel().tolist()
    filled = list(itertools.accumulate(join, lambda before, state: before if state < 0 else state))
    return {
        "leaf": list(range(32)),
        "empty": order.index(machine.empty),
        "taken": order.index(int(taken[0])),
        "right": "".join(str(int(bit)) for bit in machine.right[0, order]),
        "join": [int(x) for state, run in itertools.groupby(filled) for x in (state, len(list(run)))],
    }


def write(path=PATH):
    """Extract the machine of the shipped `sort-digital` and write its tables to ``path``."""
    from hamlib.pretrained import load_pretrained  # TensorFlow: only here
    from hamlib.proof import extract

    machine = extract(load_pretrained("sort-digital").model).merged()
    path.write_text(json.dumps(tables(machine), separators=(",", ":")) + "\n", encoding="utf-8")
