"""The command line: ``python -m hamlib`` or ``ham``."""

import argparse
import dataclasses
import json
import re
import sys
import time
from pathlib import Path

import keras
import numpy as np

from hamlib import evaluation, pretrained, training
from hamlib.evaluation import plan
from hamlib.memory import ATTENTIONS, DIGITAL
from hamlib.models import check_fits, load_weights
from hamlib.proof import extract, places
from hamlib.proof.command import add_options, prove_command
from hamlib.recipes import RECIPES, get_recipe
from hamlib.tasks import TASKS, get_task, stream_seed

EXAMPLES = {
    "train": "ham train sort --set epochs=20 learning_rate=0.002,0.0001 --seed 3\n"
    "  ham train smallest --n 8 --folder runs/eight\n"
    "  ham train smallest --n 32 --start runs/eight        (the 2016 code's naive curriculum)",
    "evaluate": "ham evaluate sort --n 32 128 --examples 500 --lengths 1 32",
    "sort": "ham sort 13 5 30 5 2\n  ham sort --random 65536\n  ham sort --random 1048576 --machine",
    "tune": "ham tune sort --trials 10 --epochs 20\n"
    "  ham tune sort --trials 10 --storage /shared/sort.journal        (on as many machines as there are)",
    "table": "ham table sort --markdown",
    "prove": "ham prove sort-digital",
    "tasks": "ham tasks",
    "ledger": "ham ledger sort --recipes raw-sort --seeds 0 1\n"
    "  ham ledger all --plan | xargs -P 2 -d '\\n' -n 1 sh -c        (two jobs at a time)\n"
    "  ham ledger all --collect\n"
    "  ham ledger all --odd",
}


def main(arguments=None):
    """Run one command.

    Args:
        arguments: of the command line; None for those of this process.

    Returns:
        the exit status: 0 done, 1 refuted, 2 bad input or undecided, 75 another worker does not answer, 130 Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except KeyboardInterrupt:
        print("\nStopped.", getattr(options, "go_on", ""), file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 75 if isinstance(error, ConnectionError) else 2  # 75: to be tried again


def _parser():
    parser = argparse.ArgumentParser(
        prog="ham", description="Train and measure Hierarchical Attentive Memory (arXiv 1602.03218)."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, text):
        added = commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=f"for example:\n  {EXAMPLES[name]}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(run=run)
        return added

    train = command("train", _train, "Train a model, or go on with a run that was stopped; then print its table.")
    train.add_argument("task", nargs="?", default="smallest", help=f"one of: {', '.join(TASKS)} (default: smallest)")
    train.add_argument(
        "--recipe",
        help=f"one of: {', '.join(RECIPES)} (default: TASK; of smallest: smallest-2016)",
    )
    train.add_argument("--full", action="store_true", help="the recipe of the shipped model: --recipe TASK")
    train.add_argument("--set", nargs="+", default=[], metavar="FIELD=VALUE", help="fields of the recipe to change")
    train.add_argument("--n", type=int, help="inputs of this one size only, a power of two, without lessons")
    train.add_argument("--start", metavar="NAME|FOLDER", help="begin with the weights of this recipe, or of this run")
    train.add_argument("--seed", type=int, default=0, help="of the first weights and the examples (default: 0)")
    train.add_argument("--folder", type=Path, help="home of the run (default: runs/RECIPE-CHANGES-seedSEED)")
    train.add_argument("--no-xla", action="store_true", help="do not compile the training step (slower)")

    evaluate = command("evaluate", _evaluate, "Count the wrong answers of a trained model on fresh examples.")
    evaluate.add_argument("task", help=f"one of: {', '.join(TASKS)}")
    evaluate.add_argument("--n", type=int, nargs="+", help="leaves of the tree, powers of two (default: the task's)")
    evaluate.add_argument("--attention", default="hard", help=f"one of: {', '.join(ATTENTIONS)} (default: hard)")
    evaluate.add_argument("--examples", type=int, default=2500, help="at each n (default: 2500)")
    evaluate.add_argument("--seed", type=int, default=0, help="of the test examples (default: 0)")
    evaluate.add_argument("--lengths", type=int, nargs=2, metavar=("LOW", "HIGH"), help="default: inputs of length n")
    evaluate.add_argument("--run", dest="folder", type=Path, help="folder of a run (default: the shipped model)")
    evaluate.add_argument("--json", action="store_true", help="print JSON")

    sort = command("sort", _sort, "Sort numbers with a learned model, and show the leaf that each access visits.")
    what = sort.add_mutually_exclusive_group(required=True)
    what.add_argument("numbers", type=int, nargs="*", default=[], help="0 to 31: keys of 5 bits")
    what.add_argument("--random", type=int, metavar="M", help="M random pairs, and only count what is sorted wrongly")
    sort.add_argument("--machine", action="store_true", help="let the extracted tables sort, not the network")
    sort.add_argument("--seed", type=int, default=0, help="of the random pairs (default: 0)")

    tune = command("tune", _tune, "Train with hyper-parameters drawn at random, or go on with such a search.")
    tune.add_argument("task", help=f"one of: {', '.join(TASKS)}")
    tune.add_argument("--recipe", help="what is not drawn (default: TASK)")
    tune.add_argument("--trials", type=int, default=20, help="runs in all (default: 20)")
    tune.add_argument("--epochs", type=int, help="of each run (default: the recipe's)")
    tune.add_argument("--seed", type=int, default=0, help="of the runs and of what is drawn (default: 0)")
    tune.add_argument(
        "--storage", metavar="PATH|URL", help="journal or database that workers share (default: in FOLDER)"
    )
    tune.add_argument("--folder", type=Path, help="home of the search (default: runs/tune-RECIPE-seedSEED)")

    table = command("table", _table, "Print the generalisation table, published figures beside ours, from the ledger.")
    table.add_argument("task", nargs="?", default="smallest", help="a task in the ledger (default: smallest)")
    table.add_argument("--markdown", action="store_true", help="as Markdown")

    add_options(command("prove", prove_command, "Prove a model right for every input, or show one that it gets wrong."))

    command("tasks", _tasks, "List the tasks, the recipes and the shipped models.")

    plan.add_options(command("ledger", plan.ledger_command, "Train and measure the seeds of a task: makes the ledger."))
    return parser


def _train(options):
    task = get_task(options.task)
    old = f"{task.name}-2016"
    name = options.recipe or (old if old in RECIPES and not options.full else task.name)
    recipe, changes = _recipe_for(task, name).with_fields(options.set), list(options.set)
    if options.n is not None:
        recipe, changes = recipe.at_sizes(options.n), [*changes, f"n={options.n}"]
    if options.start is not None:
        start = RECIPES.get(options.start, options.start)  # a name, or a folder
        recipe, changes = dataclasses.replace(recipe, start=start), [*changes, f"from={options.start}"]
    told = "".join(re.sub(r"[^\w.=,-]+", "_", f"-{change}") for change in changes)
    folder = options.folder or Path("runs") / f"{name}{told}-seed{options.seed}"
    options.go_on = f"The last whole epoch is safe in {folder}: the same command goes on from there."
    if training.is_chief():
        print(f"{name}{told}, seed {options.seed}, in {folder}: {recipe.total_steps():,} steps", flush=True)
    model, checkpoints = training.train(recipe, folder, options.seed, jit_compile=not options.no_xla)
    if not training.is_chief():
        return
    print(f"best validation error {float(checkpoints.best_error):.4%}; trained {float(checkpoints.seconds):.0f} s\n")
    rows = evaluation.published_rows(task.name)
    measured = {}
    for n, (lengths, _, examples) in evaluation.TESTS[task.name].items():
        if examples and n * task.answer_length(n) <= 2**14:  # longer answers take minutes; `evaluate` counts them
            watch = _bar(examples, f"n = {n:,}")
            measured[n] = (evaluation.wrong_rate(model, task, n, examples, lengths=lengths, watch=watch).right,) * 3
    print(evaluation.table_text([*rows, ("this run, hard", measured)]))
    if recipe.memory and recipe.memory["join"] in DIGITAL:  # a digital memory: what no table can say
        prove_command(argparse.Namespace(task=task.name, folder=folder, json=False))


def _bar(total, what):
    """Return a function of how many of ``total`` are done: it shows a bar once two seconds have passed in silence."""
    started, bar = time.monotonic(), None

    def show(done):
        nonlocal bar
        if bar is None and (done == total or time.monotonic() - started < 2 or not sys.stdout.isatty()):
            return
        if bar is None:
            print(what, file=sys.stderr)
            bar = keras.utils.Progbar(total)
        bar.update(done)

    return show


def _recipe_for(task, name):
    recipe = get_recipe(name)
    if recipe.task != task.name:
        raise ValueError(f"recipe: {name} is for the task {recipe.task}, not {task.name}")
    return recipe


def _tune(options):
    task = get_task(options.task)
    name = options.recipe or task.name
    recipe = _recipe_for(task, name)
    recipe = dataclasses.replace(recipe, epochs=options.epochs or recipe.epochs)
    folder = options.folder or Path("runs") / f"tune-{name}-seed{options.seed}"
    options.go_on = f"Finished epochs and trials are safe in {folder}: the same command goes on from there."
    study = training.tune(recipe, folder, options.trials, options.seed, [training.Epochs()], options.storage)
    print()
    for trial in sorted((trial for trial in study.trials if trial.value is not None), key=lambda trial: trial.value):
        drawn = ", ".join(f"{key} {value:.3g}" for key, value in trial.params.items())
        print(f"{trial.value:8.3%} wrong in validation: {drawn}")


def _evaluate(options):
    task = get_task(options.task)
    if options.folder:
        recipe = training.read_run(options.folder)
        if recipe.task != task.name:
            raise ValueError(f"run: {options.folder} trained {recipe.task}, not {task.name}")
        model = training.build(recipe)
        load_weights(model, options.folder / "best.weights.h5")
    else:
        model = pretrained.load_pretrained(task.name).model
    results = []
    for n in options.n or task.sizes:
        watch = None if options.json else _bar(options.examples, f"n = {n:,}")
        how = options.examples, options.seed, options.attention, options.lengths
        rate = evaluation.wrong_rate(model, task, n, *how, watch=watch)
        results.append(dict(n=n, wrong=rate.wrong, examples=rate.examples, right=rate.right, interval=rate.interval))
        if not options.json:
            print(f"n = {n:>7,}  {rate}", flush=True)
    if options.json:
        what = dict(task=task.name, attention=options.attention, seed=options.seed, lengths=options.lengths)
        print(json.dumps(what | {"results": results}, indent=1))


def _sort(options):
    sorter = pretrained.load_pretrained("sort-digital")  # proved right
    if options.random is not None:
        return _sort_random(sorter, options.random, options.seed, options.machine)
    if options.machine:
        raise ValueError("machine: got numbers; expected --random M")
    for number in options.numbers:
        if not 0 <= number < 32:
            raise ValueError(f"numbers: got {number}; expected 0 to 31, keys of 5 bits")
    bits = [[int(bit) for bit in f"{key:05b}{i % 32:05b}"] for i, key in enumerate(options.numbers)]
    inputs = sorter.task.inputs(*sorter.task.check_inputs([bits]))
    n = inputs["symbols"].shape[1]
    visited = []
    for step, (_, (path,), _) in enumerate(sorter.model.trace(inputs), start=1):
        visited.append(int(path[0, -1]) - n)
        way = "".join("LR"[int(node) % 2] for node in path[0, 1:])
        key = options.numbers[visited[-1]] if visited[-1] < len(options.numbers) else "an empty leaf"
        print(f"access {step:>3}: {way or 'root'} -> leaf {visited[-1]:>3}: {key}", flush=True)
    right = sorted(range(len(options.numbers)), key=options.numbers.__getitem__)
    if visited != right:
        print("wrong: a stable sort visits the leaves", *right)


def _sort_random(sorter, m, seed, by_machine=False):
    """Sort m random pairs with a progress bar, and count the accesses that a stable sort would have made elsewhere."""
    if m < 1:
        raise ValueError(f"random: got {m}; expected at least one pair")
    n = 1 << (m - 1).bit_length()
    check_fits(n, 1, sorter.model.memory.node_width)
    bits = np.random.default_rng(stream_seed(seed, "test")).integers(0, 2, (1, m, 10))
    started = time.monotonic()
    if by_machine:
        machine = extract(sorter.model).merged()
        print(f"{m:,} pairs, {n:,} leaves; tables over {machine.states} states, extracted in", end=" ")
        print(f"{time.monotonic() - started:.1f} s")
        leaves = np.full(n, machine.empty)
        leaves[:m] = machine.leaf[bits[0] @ 2 ** np.arange(9, -1, -1)]
        started = time.monotonic()
        visited = places(machine, leaves, m)
    else:
        visited = _visited(sorter, bits)
    right = np.argsort(bits[0, :, :5] @ 2 ** np.arange(4, -1, -1), kind="stable")
    wrong = int((visited != right).sum())
    print(f"{time.monotonic() - started:.1f} s; {wrong:,} of {m:,} accesses are not those of a stable sort")


def _visited(sorter, bits):
    """The leaves that the network visits, with a progress bar."""
    m, inputs = bits.shape[1], sorter.task.inputs(*sorter.task.check_inputs(bits))
    bar, visited = keras.utils.Progbar(m, unit_name="access"), []
    print(f"{m:,} pairs, {inputs['symbols'].shape[1]:,} leaves; first the tree is grown and the loop compiled")
    for visit in sorter.model.visits(inputs, chunk=max(1, m // 64), watched=True):
        visited.append(visit.where[0, :, 0, -1].numpy() - inputs["symbols"].shape[1])
        bar.add(len(visited[-1]))
    return np.concatenate(visited)


def _table(options):
    print(evaluation.table_text(evaluation.ledger_rows(options.task, odd=True), markdown=options.markdown))


def _tasks(options):
    for name, task in TASKS.items():
        print(f"{name}: {task.__doc__.splitlines()[0]}")
        for recipe in (key for key, value in RECIPES.items() if value.task == name):
            print(f"  recipe {recipe}")
        if name in pretrained.names():
            print(f"  shipped model {name}")


if __name__ == "__main__":
    sys.exit(main())
