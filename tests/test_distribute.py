"""More than one process: the ledger's jobs, a search that workers share, a run whose batches are divided."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import types

import keras
import numpy as np
import pytest

from hamlib import pretrained, recipes, training
from hamlib.__main__ import main
from hamlib.evaluation import ledger, plan
from hamlib.models import save_weights
from hamlib.training import tuning, workers

TINY = recipes.Recipe(task="smallest", memory="2016", epochs=2, steps=4, validation_steps=2)


def untrained(recipe, folder, seed, **_):
    """What `train` leaves and returns, in no time."""
    keras.utils.set_random_seed(seed)
    model = training.build(recipe)
    training.open_run(folder, recipe, seed)
    save_weights(model, folder / "best.weights.h5")
    (folder / "log.csv").write_text("epoch,val_wrong\n0,0.5\n1,0.25\n")
    done = dict(epoch=recipe.epochs, seconds=60.0, best_error=0.25, best_weights=folder / "best.weights.h5")
    return model, types.SimpleNamespace(**done)


@pytest.fixture
def small_ledger(tmp_path, monkeypatch):
    """A ledger of two recipes that take no time, two seeds each, far from the one that ships."""
    monkeypatch.setattr(training, "train", untrained)
    for name in ("smallest", "smallest-2016"):
        monkeypatch.setitem(recipes.RECIPES, name, TINY)
        monkeypatch.setitem(ledger.SEEDS, name, (0, 1))
    monkeypatch.setitem(ledger.ROWS, "smallest", {"smallest": "ours", "smallest-2016": "2016"})
    monkeypatch.setattr(plan, "measure", lambda *_: {"soft": {4: [2, 20]}, "hard": {4: [3, 20], 8: [0, 5]}})
    monkeypatch.setattr(plan, "measure_odd", lambda *_: {"odd": {32: {"all equal": [1, 4]}}})
    monkeypatch.setattr(ledger, "LEDGER", tmp_path / "ledger.json")
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)
    ledger.read_ledger.cache_clear()
    yield tmp_path
    ledger.read_ledger.cache_clear()


def planned(capsys, *more):
    capsys.readouterr()
    assert main(["ledger", "smallest", "--plan", *more]) == 0
    return [line.split()[3:] for line in capsys.readouterr().out.splitlines()]


def test_the_jobs_of_a_plan_make_the_same_ledger(small_ledger, capsys):
    assert main(["ledger", "smallest", "--runs", "alone"]) == 0
    alone, card = ledger.LEDGER.read_text(), (small_ledger / "smallest.json").read_text()
    ledger.LEDGER.unlink()
    (small_ledger / "smallest.json").unlink()
    jobs = planned(capsys)
    assert len(jobs) == 4 and jobs[0][:2] == ["ledger", "smallest"]
    for job in reversed(jobs[1:]):
        assert main(job) == 0
        assert not ledger.LEDGER.exists()
    assert planned(capsys) == jobs[:1]  # what is left
    assert main(["ledger", "smallest", "--collect"]) == 0
    assert "3 entries are in the ledger; 1 jobs have not" in capsys.readouterr().out
    assert main(jobs[0]) == 0 and planned(capsys) == []
    for _ in range(2):  # again: the same
        assert main(["ledger", "smallest", "--collect"]) == 0
        assert ledger.LEDGER.read_text() == alone
    assert (small_ledger / "smallest.json").read_text() == card


def test_a_job_run_twice_and_entries_that_are_not_what_they_should_be(small_ledger, monkeypatch, capsys):
    one, other = planned(capsys, "--recipes", "smallest-2016")
    assert main(one) == main(other) == 0
    file, foreign = (small_ledger / f"runs/smallest-2016-seed{seed}/entry.json" for seed in (0, 1))
    good = file.read_text()

    def refused(arguments, message):
        capsys.readouterr()
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
        assert not ledger.LEDGER.exists()  # not even the good one is merged

    collect = ["ledger", "smallest", "--collect"]
    refused(one, "entry.json is there already; --collect merges it")
    assert file.read_text() == good
    for text in (good[:200], "", "[]", good.replace('"wrong"', '"rong"').replace('"steps": 8', '"steps": 9')):
        file.write_text(text)
        refused(collect, f"entry: {file.relative_to(small_ledger)} is damaged; delete the file and do its job again")
    file.write_text(foreign.read_text())
    refused(collect, "has another seed than this hamlib")
    file.write_text(good)
    with monkeypatch.context() as patch:
        patch.setitem(recipes.RECIPES, "smallest-2016", TINY.at_rate(0.5))
        refused(collect, "has another recipe than this hamlib")
        patch.setitem(recipes.RECIPES, "smallest-2016", TINY)
        patch.setattr(plan, "_code", lambda: "another commit")
        refused(collect, "has another code than this hamlib")
    assert main(collect) == 0


def test_weights_that_are_not_those_that_were_measured_do_not_ship(small_ledger, capsys):
    for job in planned(capsys, "--recipes", "smallest"):
        assert main(job) == 0
    shipped, other = (small_ledger / f"runs/smallest-seed{seed}/best.weights.h5" for seed in (0, 1))
    shipped.write_bytes(other.read_bytes())
    assert main(["ledger", "smallest", "--collect"]) == 2
    assert "has other weights than entry.json measured" in capsys.readouterr().err
    assert not ledger.LEDGER.exists() and not (small_ledger / "smallest.json").exists()


def test_a_line_of_a_plan_is_a_command():
    """As it is printed, by a shell, in a process of its own."""
    plan = subprocess.run([sys.executable, "-m", "hamlib", "ledger", "all", "--plan"], capture_output=True, text=True)
    lines = plan.stdout.splitlines()
    assert len(lines) == len(set(lines)) == sum(len(ledger.SEEDS[name]) for row in ledger.ROWS.values() for name in row)
    assert all(line.startswith("python -m hamlib ledger ") and line.endswith(" --job") for line in lines)


SEARCH = """
import sys, time, types, pathlib
from hamlib.training import tuning
from test_distribute import TINY
home, storage, victim = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "victim"
tuning.HEARTBEAT = 3  # a busy machine must not make the living look dead

def train(recipe, folder, *_, **__):
    with open(home / "log", "a") as file:
        file.write(f"{folder.name} {recipe.learning_rate[0]} {'victim' if victim else 'done'}\\n")
    time.sleep(1000 if victim else 0.5)
    return None, types.SimpleNamespace(best_error=recipe.learning_rate[0])

tuning.train = train
study = tuning.tune(TINY, home, 7, storage=storage)
print(sorted(trial.value for trial in study.trials if trial.value is not None))
"""


@pytest.mark.parametrize("storage", ["{}/shared.journal", "sqlite:///{}/shared.db"])
def test_four_share_a_search_and_one_is_killed(tmp_path, storage):
    def start(role):
        arguments = [sys.executable, "-c", SEARCH, str(tmp_path), storage.format(tmp_path), role]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment)

    log = tmp_path / "log"
    victim = start("victim")
    while not log.exists() and victim.poll() is None:
        time.sleep(0.1)
    others = [start("worker") for _ in range(3)]
    while log.read_text().count("\n") < 4 and all(other.poll() is None for other in others):
        time.sleep(0.1)
    victim.kill()
    results = {other.communicate(timeout=120)[0] for other in others}
    victim.communicate()
    lines = [line.split() for line in log.read_text().splitlines()]
    assert lines[0][2] == "victim" and [line for line in lines if line[:2] == lines[0][:2]][1:] == [
        [*lines[0][:2], "done"]
    ]
    done = [line for line in lines if line[2] == "done"]
    assert sorted(line[0] for line in done) == [f"trial{k}" for k in range(7)]  # each once
    assert len({line[1] for line in done}) == 7 and results == {f"{sorted(float(line[1]) for line in done)}\n"}


def test_sqlite_is_locked_while_a_trial_is_chosen(tmp_path):
    """It has no lock for a row: between reading that a trial waits and taking it, no other worker may read."""
    _, storage = tuning._open(f"sqlite:///{tmp_path}/x.db")
    with storage.engine.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
        sqlite3.connect(tmp_path / "x.db", timeout=0).execute("BEGIN IMMEDIATE")


@pytest.mark.parametrize("storage", ["postgresql://me:secret@127.0.0.1:1/x", "sqlite:////nowhere/at/all.db", "no://x"])
def test_a_storage_that_cannot_be_reached(tmp_path, capsys, storage):
    assert main(["tune", "smallest", "--storage", storage, "--folder", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: storage: ") and "cannot be reached" in error and error.count("\n") == 1
    assert "secret" not in error


RUN = """
import sys
import keras, psutil
from hamlib import training
from test_distribute import SHARED

class Die(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if sys.argv[3] == "dies" and int(self.model.optimizer.iterations.numpy()) > 8:
            psutil.Process().kill()  # in the second epoch

try:
    model, run = training.train(SHARED, sys.argv[1], int(sys.argv[2]), verbose=0, callbacks=[Die()])
    print(float(run.best_error), [float(abs(w).sum()) for w in model.get_weights()])
except (ValueError, ConnectionError) as error:
    print(type(error).__name__, error)
"""
# With noise, a clipped gradient, a batch that does not divide evenly, and a length of each input of its own.
SHARED = recipes.Recipe(
    "smallest",
    "book",
    stages=recipes.grow(4),
    inputs=("mixed",),
    clip=0.1,
    batch_size=7,
    epochs=3,
    steps=8,
    validation_steps=2,
)


def two_workers(folder, seeds=(3, 3), roles=("", "")):
    """Train SHARED in two processes; return what each printed."""
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        port = some.getsockname()[1]
    processes = []
    for k in range(2):
        config = {"cluster": {"worker": [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]}}
        config["task"] = {"type": "worker", "index": k}
        path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
        environment = os.environ | {"PYTHONPATH": path, "TF_CONFIG": json.dumps(config)}
        arguments = [sys.executable, "-c", RUN, str(folder), str(seeds[k]), roles[k]]
        processes.append(subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment))
    return [process.communicate(timeout=200)[0] for process in processes]


def test_two_workers_make_the_steps_of_one_and_go_on_after_one_was_killed(tmp_path):
    one, run = training.train(SHARED, tmp_path / "one", 3, verbose=0)
    said, nothing = two_workers(tmp_path / "two", roles=("", "dies"))
    assert "ConnectionError TF_CONFIG: a worker is lost" in said and nothing == ""
    assert len(training.read_log(tmp_path / "two")["epoch"]) == 1
    first, second = two_workers(tmp_path / "two")
    assert first == second  # both have the best weights, though one alone reads and writes
    ours, theirs = training.read_log(tmp_path / "two"), training.read_log(tmp_path / "one")
    assert ours["epoch"].tolist() == [0, 1, 2] and set(ours) == set(theirs)
    for column in theirs:
        np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-4, atol=1e-6)
    again, _ = training.train(SHARED, tmp_path / "two", 3, verbose=0)  # one alone reads what they wrote
    for mine, other in zip(again.get_weights(), one.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-3)


def test_two_workers_with_different_seeds(tmp_path):
    for said in two_workers(tmp_path, seeds=(3, 4)):
        assert said == "ValueError TF_CONFIG: worker 1 has another seed than worker 0\n"


@pytest.mark.parametrize(
    "config",
    [
        '{"cluster',
        "[]",
        '{"cluster": {"worker": ["a:1", "b:2"]}}',
        '{"cluster": {"worker": ["a", "b"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:2"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_bad_tf_config_is_one_clear_line(config, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", config)
    assert main(["train", "--folder", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: TF_CONFIG: got '") and error.count("\n") == 1 and not list(tmp_path.iterdir())


def test_workers_refuse_what_they_do_not_share(tmp_path, monkeypatch, capsys):
    hosts = '{"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "task": {"type": "worker", "index": 1}}'
    monkeypatch.setenv("TF_CONFIG", hosts)
    monkeypatch.setattr(workers, "PATIENCE", 0.5)
    for arguments, status, message in [
        (["train", "stack"], 2, "loss: got 'reinforce' for 2 workers; expected one"),
        (["train", "queue", "--recipe", "queue-digital"], 2, "loss: got 'best-leaf' for 2 workers; expected one"),
        (["train", "--set", "batch_size=1"], 2, "batch_size: got 1 for 2 workers"),
        (["tune", "sort"], 2, "TF_CONFIG: got several workers; expected none: the trials"),
        (["ledger", "sort"], 2, "TF_CONFIG: got several workers; expected none: the jobs"),
        (["train"], 75, "TF_CONFIG: no answer from worker 0 (127.0.0.1:1)"),
    ]:
        monkeypatch.chdir(tmp_path)
        assert main(arguments) == status
        assert message in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectionError, match="no answer from worker 1 .h:7., 2 .h:8. in 0.5 seconds"):
        workers._meet((("127.0.0.1", port), ("h", 7), ("h", 8)), 0)
