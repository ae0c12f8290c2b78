"""``ham ledger``: its jobs, one after the other or anywhere at once; and the entry files of those, merged."""

import dataclasses
import functools
import hashlib
import json
import os
import platform
import shlex
from pathlib import Path

import keras
import tensorflow as tf

from hamlib import pretrained, training
from hamlib.evaluation.ledger import ROWS, SEEDS, ledger_rows, measure, read_ledger, write_ledger
from hamlib.evaluation.odd import measure_odd
from hamlib.evaluation.tables import table_text
from hamlib.memory import ATTENTIONS, DIGITAL
from hamlib.models import load_weights, locked, weights_hash, write_whole
from hamlib.proof import Proof, Undecided, examine
from hamlib.recipes import RECIPES
from hamlib.tasks import get_task

FIGURES = ("curve", "sha256", "odd", "streams", *ATTENTIONS)  # what the ledger says of a seed, and a card does not


def add_options(parser):
    """Give ``ham ledger`` its arguments."""
    parser.add_argument("task", nargs="?", default="smallest", help="a task, or all (default: smallest)")
    parser.add_argument("--recipes", nargs="+", help="rows of the table (default: all)")
    parser.add_argument("--seeds", type=int, nargs="+", help="default: all of the table")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="home of the runs (default: runs)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--plan", action="store_true", help="print a command for each seed without an entry file; do none")
    how.add_argument("--job", action="store_true", help="write entry files, not the ledger: what a plan's commands do")
    how.add_argument("--odd", action="store_true", help="measure the odd inputs of what ships again, and train nothing")
    how.add_argument("--collect", action="store_true", help="put what is in the entry files into the ledger")


def ledger_command(options):
    """Make the ledger of a task, or a plan, or one part of it, or put the parts together.

    Args:
        options: what `add_options` parsed.
    """
    options.go_on = "Finished epochs and seeds are safe: the same command goes on from there."
    training.check_alone("the jobs of --plan are shared out, not their batches")
    tasks = list(ROWS) if options.task == "all" else [options.task]
    jobs = _jobs(tasks, options.recipes, options.seeds, options.runs)
    if options.plan:
        for job in jobs:
            if not job.file.exists():
                print(job.command())
        return
    if options.job:
        for job in jobs:
            job.write()
        return
    if options.collect:
        done = [job for job in jobs if job.file.exists()]
        for job, result in [(job, job.read()) for job in done]:  # one that is damaged, and nothing is merged
            job.merge(result)
        print(f"{len(done)} entries are in the ledger; {len(jobs) - len(done)} jobs have not written theirs")
        return
    for job in jobs:
        if not options.odd:
            job.merge(job.run())
        elif job.ships:
            job.measure_odd()
    for task in tasks:
        print(table_text(ledger_rows(task, odd=True)))


def _jobs(tasks, recipes, seeds, runs):
    """Return the `Job` of each seed of each recipe.

    Raises:
        ValueError: a task or a recipe that is not in the ledger.
    """
    if unknown := set(tasks) - set(ROWS):
        raise ValueError(f"task: no ledger rows for {unknown.pop()!r}; known: all, {', '.join(ROWS)}")
    known = [(task, name) for task in tasks for name in ROWS[task]]
    if unknown := set(recipes or ()) - {name for _, name in known}:
        raise ValueError(f"recipes: unknown {', '.join(unknown)}; known: {', '.join(name for _, name in known)}")
    return [
        Job(task, name, seed, runs)
        for task, name in known
        if name in (recipes or [name])
        for seed in seeds or SEEDS[name]
    ]


@functools.cache
def _code():
    """The SHA-256 of hamlib's own source."""
    digest = hashlib.sha256()
    for path in sorted(Path(pretrained.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _hash(values):
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Job:
    """One seed of the ledger.

    Attributes:
        task, name, seed: its task, the name of its recipe, and its seed.
        runs: home of the runs; its own is ``NAME-seedSEED``, with ``entry.json``, its part of the ledger, in it.
    """

    task: str
    name: str
    seed: int
    runs: Path

    @property
    def folder(self):
        """Home of its run."""
        return self.runs / f"{self.name}-seed{self.seed}"

    @property
    def file(self):
        """Its entry file."""
        return self.folder / "entry.json"

    def command(self):
        """Return a line for a shell."""
        which = f"{self.task} --recipes {self.name} --seeds {self.seed} --runs {shlex.quote(str(self.runs))}"
        return f"python -m hamlib ledger {which} --job"

    def made_by(self):
        """What an entry depends on: a job's file must say the same as this hamlib does."""
        recipe = json.loads(json.dumps(dataclasses.asdict(RECIPES[self.name])))
        return dict(task=self.task, name=self.name, seed=self.seed, recipe=recipe, code=_code())

    def run(self):
        """Train, or go on, and measure; return the row of the ledger, and the entry."""
        recipe, task = RECIPES[self.name], get_task(self.task)
        command = f"python -m hamlib train {self.task} --recipe {self.name} --seed SEED"
        row = dict(label=ROWS[self.task][self.name], recipe=self.name, command=command)
        row["measure"] = f"python -m hamlib ledger {self.task}"
        if recipe.memory is None and not self.seed:  # once for all seeds
            rates = self.runs / f"{self.name}-rates"
            row["rates"] = training.try_rates(recipe, rates, callbacks=[training.Epochs()])
        model, run = training.train(recipe, self.folder, self.seed, verbose=0, callbacks=[training.Epochs()])
        failed = [len(training.read_log(folder)["epoch"]) for folder in training.failed_attempts(self.folder)]
        entry = dict(
            seed=self.seed,
            attempts=len(failed) + 1,
            steps=recipe.total_steps() - (recipe.epochs - int(run.epoch) - sum(failed)) * recipe.steps,
            minutes=round(float(run.seconds) / 60, 1),
            machine=f"{platform.machine()}, {os.cpu_count()} cores, "
            f"TensorFlow {tf.__version__}, Keras {keras.__version__}",
            best_validation_error=float(run.best_error),
        )
        if recipe.memory and recipe.memory["join"] in DIGITAL:
            try:
                found = examine(model, task)
                entry["proof"] = dataclasses.asdict(found) if isinstance(found, Proof) else found.as_json()
            except Undecided as reason:
                entry["proof"] = dict(undecided=str(reason))
        print(json.dumps(entry), flush=True)
        curve = training.read_log(self.folder)["val_wrong"].round(4).tolist()
        figures = measure(model, task) | measure_odd(model, task)
        return row, entry | dict(curve=curve) | figures | dict(sha256=weights_hash(model))

    def write(self):
        """Run it, and write its entry file.

        Raises:
            ValueError: it was done, or another process is at it.
        """
        with locked(self.file):
            if self.file.exists():
                raise ValueError(
                    f"entry: {self.file} is there already; --collect merges it. Delete it to measure the run again"
                )
            row, entry = self.run()
            part = self.made_by() | dict(row=row, entry=entry)
            text = json.dumps(part | dict(sha256=_hash(json.loads(json.dumps(part)))), indent=1) + "\n"
            write_whole(self.file, lambda path: path.write_text(text))

    def read(self):
        """Return the row and the entry of its entry file.

        Raises:
            ValueError: the file is damaged, or another job's, or was made by another hamlib, or the weights that are
                to ship are not those that were measured.
        """
        again = f"delete the file and do its job again (a finished run is only measured): {self.command()}"
        try:
            part = json.loads(self.file.read_text())
            damaged = part.pop("sha256") != _hash(part)
        except (ValueError, KeyError, AttributeError, TypeError):
            damaged = True
        if damaged:
            raise ValueError(f"entry: {self.file} is damaged; {again}")
        wanted = self.made_by()
        differ = [key for key in wanted if part.get(key) != wanted[key]]
        if differ:
            raise ValueError(f"entry: {self.file} has another {', '.join(differ)} than this hamlib; {again}")
        if self.ships:
            model = training.build(RECIPES[self.name])
            load_weights(model, self.folder / "best.weights.h5")
            if weights_hash(model) != part["entry"]["sha256"]:
                raise ValueError(f"entry: {self.folder} has other weights than {self.file.name} measured; {again}")
        return part["row"], part["entry"]

    @property
    def ships(self):
        """Whether its weights are part of hamlib."""
        return not self.seed and not self.name.endswith("-2016")

    def measure_odd(self):
        """Put what the shipped weights do with odd inputs into the ledger, beside what it has of them."""
        shipped = pretrained.load_pretrained(self.name)
        (row,) = (row for row in read_ledger()["tasks"][self.task]["measured"] if row["recipe"] == self.name)
        (entry,) = (run for run in row["seeds"] if run["seed"] == self.seed)
        write_ledger(self.task, row, entry | measure_odd(shipped.model, shipped.task))

    def merge(self, result):
        """Put what `run` or `read` returned into the ledger, and its weights, where they ship, into hamlib."""
        row, entry = result
        write_ledger(self.task, row, entry)
        if self.ships:
            told = {key: value for key, value in entry.items() if key not in FIGURES}
            card = dict(task=self.task, command=row["command"]) | told
            card |= dict(recipe=dataclasses.asdict(RECIPES[self.name]))
            pretrained.ship(self.name, self.folder / "best.weights.h5", card)
