"""``ham prove``."""

import dataclasses
import json
import sys
from pathlib import Path

import keras

from hamlib.models import load_weights, write_whole
from hamlib.pretrained import load_pretrained
from hamlib.proof.examples import Counterexample
from hamlib.proof.theorem import Undecided, examine
from hamlib.tasks import get_task
from hamlib.training import build, read_run


def add_options(parser):
    """Give ``ham prove`` its arguments."""
    parser.add_argument("task", help="a task, or a shipped model (sort-digital)")
    parser.add_argument("--run", dest="folder", help="folder of a run (default: the shipped model)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def prove_command(options):
    """Prove or refute a trained model, and write the proof of a run beside its weights.

    Args:
        options: what `add_options` parsed.

    Returns:
        the exit status: 0 proved, 1 refuted, 2 undecided.
    """
    if options.folder:
        folder = Path(options.folder)
        recipe = read_run(folder)
        if recipe.task != get_task(options.task).name:
            raise ValueError(f"run: {folder} trained {recipe.task}, not {options.task}")
        model, task = build(recipe), get_task(recipe.task)
        load_weights(model, folder / "best.weights.h5")
    else:
        shipped = load_pretrained(options.task)
        model, task = shipped.model, shipped.task
    bar = None if options.json else _Bar()
    try:
        found = examine(model, task, bar)
    except Undecided as reason:
        if options.json:
            print(json.dumps(dict(task=task.name, result="undecided", reason=str(reason)), indent=1))
        else:
            print(f"\ncannot be decided: {reason}", file=sys.stderr)
        return 2
    refuted = isinstance(found, Counterexample)
    fields = found.as_json() if refuted else dataclasses.asdict(found)
    if not refuted and options.folder:
        text = json.dumps(fields, indent=1) + "\n"
        write_whole(folder / "proof.json", lambda path: path.write_text(text))
    if options.json:
        print(json.dumps(dict(task=task.name, result="refuted" if refuted else "proved") | fields, indent=1))
    else:
        print(f"\n{found}")
    return int(refuted)


class _Bar:
    """A progress bar of the levels, one after the other."""

    def __init__(self):
        self.bar, self.total = None, None

    def __call__(self, done, total):
        if self.bar is None or total != self.total:
            self.bar, self.total = keras.utils.Progbar(total, unit_name="pair"), total
        self.bar.update(done)
