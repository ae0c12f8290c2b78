"""The ledger, ``pretrained/ledger.json``, and the rows of its tables: every published figure beside ours.

Ours are, for each seed, the wrong sequences counted at each n, with the command that made them. Prose and
tables quote it.
"""

import functools
import json
import statistics
from pathlib import Path

from hamlib.evaluation.rates import Rate, wrong_rate
from hamlib.memory import ATTENTIONS
from hamlib.models import EncoderDecoder, locked, write_whole
from hamlib.tasks import TASKS

LEDGER = Path(__file__).parents[1] / "pretrained" / "ledger.json"
TABLE1_TASKS = ("reverse", "search", "merge", "sort", "add")  # the tasks of Table 1
TABLE2_TASKS = ("stack", "queue", "priority-queue")  # of Table 2
# What the ledger measures. For each task the recipes, each over its seeds; seed 0 is the one that ships,
# chosen before any was trained.
ROWS = {"smallest": {"smallest-digital": "digital", "smallest": "hamlib", "smallest-2016": "2016 recipe"}} | {
    task: {task: "LSTM+DHAM", f"{task}-lstm": "LSTM", f"{task}-lstm+a": "LSTM+A"} for task in TABLE1_TASKS
}
ROWS["reverse"]["reverse-reinforce"] = "LSTM+HAM with REINFORCE"
ROWS["sort"] |= {"sort-digital": "digital raw HAM", "raw-sort": "raw HAM, no LSTM"}
ROWS |= {task: {task: "raw HAM"} for task in TABLE2_TASKS}
for _task in ("stack", "queue"):
    ROWS[_task][f"{_task}-digital"] = "digital raw HAM"
SEEDS = {
    "smallest-digital": (0, 1, 2, 3, 4),
    "smallest": (0, 1, 2, 3, 4),
    "smallest-2016": (0, 1, 2, 3, 4),
    "sort-digital": (0, 1, 2),
    "raw-sort": (0, 1, 2),
}
SEEDS |= {
    name: (0, 1, 2) for name in (*TABLE1_TASKS, *TABLE2_TASKS, "stack-digital", "queue-digital", "reverse-reinforce")
}
SEEDS |= {f"{task}-{model}": (0,) for task in TABLE1_TASKS for model in ("lstm", "lstm+a")}
FULL = {8: 10_000, 16: 10_000, 32: 10_000, 64: 10_000, 128: 10_000, 256: 10_000, 1024: 2_000, 65536: 100}
# For each task and n: the lengths of the inputs (None: n) and how many examples, soft and hard.
TESTS = {"smallest": {n: (None, examples, examples) for n, examples in FULL.items()}} | {
    # Sec. 4.1: any length in the tree trained on, then 2 to 4 times the longest; and 16 to 32 times, hard only.
    task: {32: ((TASKS[task].shortest, 32), 2500, 2500), 128: ((65, 128), 2500, 2500), 1024: ((513, 1024), 0, 500)}
    for task in TABLE1_TASKS
}
# Sec. 4.3: as many operations as leaves. There are 128 priorities, and no more.
TESTS |= {task: {32: (None, 2500, 2500), 128: (None, 2500, 2500), 1024: (None, 0, 500)} for task in TABLE2_TASKS}
del TESTS["priority-queue"][1024]
TESTS["merge"][32] = ((TASKS["merge"].shortest, 32), 2500, 10_000)  # 2,500 gave from 9 to 22 wrong, by their seed
PUBLISHED = {
    "smallest": [
        {
            "label": "2016 code, published",
            "source": "notes of the 2016 TensorFlow repository tf-ham: one model, trained at n = 8",
            "right": {8: 99.7, 16: 83.8, 32: 60.3},
        }
    ]
}
# Table 1 prints wrong sequences: LSTM, LSTM+A and LSTM+HAM in the test, then 2 to 4 times longer.
for task, test, longer in [
    ("reverse", (73, 0, 0), (100, 100, 0)),
    ("search", (62, 0.04, 0.12), (89, 0.52, 1.68)),
    ("merge", (88, 16, 0), (100, 100, 2.48)),
    ("sort", (99, 25, 0.04), (100, 100, 0.24)),
    ("add", (39, 0, 0), (100, 100, 100)),
]:
    PUBLISHED[task] = [
        {"label": f"{model}, published", "source": "Table 1", "right": {32: 100 - a, 128: 100 - b}}
        for model, a, b in zip(("LSTM", "LSTM+A", "LSTM+HAM"), test, longer, strict=True)
    ]
# Table 2: in the test, and for 4 times as many operations.
for task, test, longer in [("stack", 0, 0), ("queue", 0, 0), ("priority-queue", 0.08, 0.2)]:
    PUBLISHED[task] = [
        {"label": "raw HAM, published", "source": "Table 2", "right": {32: 100 - test, 128: 100 - longer}}
    ]


def measure(model, task):
    """Count wrong answers in all `TESTS` of a task, soft and hard: a seed's entry in the ledger.

    Args:
        model, task: as in `wrong_rate`. A model without a tree has no hard path: it is measured once, as soft.

    Returns:
        ``{attention: {n: [wrong, examples]}}``.
    """
    return {
        attention: {
            n: [wrong_rate(model, task, n, test[1 + k], attention=attention, lengths=test[0]).wrong, test[1 + k]]
            for n, test in TESTS[task.name].items()
            if test[1 + k]
        }
        for k, attention in enumerate(ATTENTIONS[:1] if isinstance(model, EncoderDecoder) else ATTENTIONS)
    }


def write_ledger(task, row, entry):
    """Put one seed's figures into the ledger, in place of what it had for that seed.

    Args:
        task: name of the task.
        row: ``{"label", "recipe", "train", "measure"}``: what the seeds of a row share.
        entry: ``{"seed", "soft", "hard", "curve", ...}``; the curve is the validation error after each epoch.
    """
    with locked(LEDGER, wait=60):
        read_ledger.cache_clear()  # another process may have written since
        tasks = read_ledger()["tasks"] if LEDGER.exists() else {}
        rows = {known["recipe"]: known for known in tasks.get(task, {}).get("measured", [])}
        seeds = {known["seed"]: known for known in rows.get(row["recipe"], {}).get("seeds", [])} | {
            entry["seed"]: entry
        }
        # The learning rates are tried with seed 0 only.
        rows[row["recipe"]] = rows.get(row["recipe"], {}) | row | {"seeds": [seeds[seed] for seed in sorted(seeds)]}
        tasks[task] = {"published": PUBLISHED[task], "measured": [rows[name] for name in ROWS[task] if name in rows]}
        write_whole(LEDGER, lambda path: path.write_text(json.dumps({"tasks": tasks}, indent=1) + "\n"))
    read_ledger.cache_clear()


@functools.cache
def read_ledger():
    """Return the ledger as the dict that `LEDGER` holds."""
    return json.loads(LEDGER.read_text())


def published_rows(task):
    """Return the published rows of a task, in the form of `ledger_rows`; none where nothing was published."""
    return [
        (row["label"], {int(n): (figure,) * 3 for n, figure in row["right"].items()}) for row in PUBLISHED.get(task, [])
    ]


def ledger_rows(task, odd=False):
    """Return the rows of a task's generalisation table: published first, then ours.

    Args:
        task: name of a task in the ledger.
        odd: whether rows also have what is right of odd inputs, of the first seed.

    Returns:
        a list of ``(label, {n: (median, low, high)})``, sequences right in percent over the seeds;
        the published figures have low and high equal to the median. With ``odd`` also
        ``"odd, n = 32": (all kinds, worst kind, best kind)``, run hard where there is a tree.

    Raises:
        ValueError: the ledger has no such task; the message lists those it has.
    """
    tasks = read_ledger()["tasks"]
    if task not in tasks:
        raise ValueError(f"task: the ledger has no {task!r}; it has: {', '.join(tasks)}")
    rows = published_rows(task)
    for row in tasks[task]["measured"]:
        for attention in _attentions(row):
            label = f"{row['label']}, {attention}" if len(_attentions(row)) > 1 else row["label"]
            figures = _over_seeds(row, attention)
            if odd and attention == _attentions(row)[-1]:
                figures |= _of_odd_inputs(row)
            rows.append((label + _proved(row) * (attention == "hard"), figures))
    return rows


def _proved(row):
    """How many seeds of a row are proved right for every input, as its label says it; nothing where none was tried."""
    tried = [run for run in row["seeds"] if "proof" in run]
    if not tried:
        return ""
    attempts = sum(run.get("attempts", 1) for run in tried)
    again = f", in {attempts} attempts" if attempts > len(tried) else ""
    return f", proved for every n: {sum('states' in run['proof'] for run in tried)} of {len(tried)} seeds{again}"


def _attentions(row):
    return [attention for attention in ATTENTIONS if attention in row["seeds"][0]]


def _over_seeds(row, attention):
    """{n: (median, low, high)} of a row of the ledger, sequences right in percent."""
    figures = {}
    for run in row["seeds"]:
        for n, (wrong, examples) in run[attention].items():
            figures.setdefault(int(n), []).append(Rate(wrong, examples).right)
    return {n: (statistics.median(v), min(v), max(v)) for n, v in figures.items()}


def _of_odd_inputs(row):
    """{"odd, n = 32": (all, worst kind, best kind)} of a row's first seed, right in percent."""
    found = {}
    for run in row["seeds"][:1]:
        for n, kinds in run.get("odd", {}).items():
            found.setdefault(f"odd, n = {n}", []).extend(kinds.values())
    figures = {}
    for n, counts in found.items():
        each = [Rate(*count).right for count in counts]
        figures[n] = Rate(*map(sum, zip(*counts, strict=True))).right, min(each), max(each)
    return figures


def tasks_rows(tasks, n):
    """Return the figures of some tasks at one n, published and ours, by model: Table 1 or 2.

    Args:
        tasks: `TABLE1_TASKS` or `TABLE2_TASKS`.
        n: 32, the test; 128, inputs 2 to 4 times longer; 1,024; or ``"odd, n = 32"``, ``"odd, n = 128"``.

    Returns:
        a list of ``(label, {task: (median, low, high)})``, *wrong* sequences in percent, as the paper prints them; of
        odd inputs ``(all kinds, best kind, worst kind)``.
    """
    rows = {}
    for task in tasks:
        for label, figures in ledger_rows(task, odd=True) if task in read_ledger()["tasks"] else published_rows(task):
            if n in figures:
                middle, low, high = figures[n]
                rows.setdefault(label, {})[task] = 100 - middle, 100 - high, 100 - low
    order = ["LSTM", "LSTM+A", "LSTM+HAM", "LSTM+DHAM", "LSTM+HAM with REINFORCE", "raw HAM", "digital raw HAM"]
    return sorted(rows.items(), key=lambda row: order.index(row[0].split(",")[0]))
