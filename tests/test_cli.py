import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from hamlib import evaluation, pretrained, recipes, training
from hamlib.__main__ import main
from hamlib.tasks import TASKS, get_task


@pytest.fixture
def short(monkeypatch):
    """The 2016 recipe, cut to a few seconds."""
    recipe = recipes.Recipe(task="smallest", memory="2016", epochs=2, steps=30, validation_steps=2)
    monkeypatch.setitem(recipes.RECIPES, "smallest-2016", recipe)
    monkeypatch.setitem(evaluation.TESTS, "smallest", {8: (None, 100, 100), 16: (None, 100, 100)})
    return recipe


def test_train_evaluate_and_resume(short, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train"]) == 0  # the bare command is the 2016 job
    out = capsys.readouterr().out
    assert "smallest-2016, seed 0" in out and "2016 code, published" in out
    assert "99.7" in out and "this run, hard" in out
    log = (tmp_path / "runs/smallest-2016-seed0/log.csv").read_text()
    assert main(["train", "smallest", "--recipe", "smallest-2016", "--seed", "0"]) == 0  # finished: only measured
    assert (tmp_path / "runs/smallest-2016-seed0/log.csv").read_text() == log
    capsys.readouterr()

    arguments = ["evaluate", "smallest", "--run", "runs/smallest-2016-seed0", "--n", "8", "16", "--examples", "100"]
    assert main([*arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["task"] == "smallest" and result["attention"] == "hard"
    assert [(row["n"], row["examples"]) for row in result["results"]] == [(8, 100), (16, 100)]
    low, high = result["results"][0]["interval"]
    assert low <= result["results"][0]["right"] <= high
    assert main([*arguments, "--attention", "soft", "--lengths", "1", "8"]) == 0
    assert capsys.readouterr().out.count("n = ") == 2


def test_a_naive_curriculum(short, tmp_path, monkeypatch, capsys):
    """Train at n = 2, start again from those weights at n = 4: the larger run begins with the best of the smaller."""
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--n", "2", "--set", "epochs=1", "clip=0.5", "--folder", "two"]) == 0
    assert training.read_run("two") == dataclasses.replace(short, stages=recipes.grow(2), epochs=1, clip=0.5)
    still = ["--set", "epochs=1", "steps=1", "learning_rate=1e-30,1e-30"]
    assert main(["train", "--n", "4", "--start", "two", *still]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name == "smallest-2016-epochs=1-steps=1-learning_rate=1e-30,1e-30-n=4-from=two-seed0"
    models = [training.build(training.read_run(where)) for where in ("two", folder)]
    for model, where in zip(models, ("two", folder), strict=True):
        model.load_weights(f"{where}/best.weights.h5")
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)
    assert main(["train", "--start", "nowhere"]) == 2
    assert "folder: nowhere holds no run" in capsys.readouterr().err
    assert main(["train", "--start", "two", "--set", "memory=paper"]) == 2
    assert "start: the run in two has another memory; expected the same model" in capsys.readouterr().err


def test_each_command_shows_an_example(capsys):
    for command in ("train", "evaluate", "sort", "tune", "table", "tasks", "ledger"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert f"for example:\n  ham {command}" in capsys.readouterr().out


@pytest.mark.parametrize("task", TASKS)
def test_the_default_sizes_are_sizes_of_the_task(task, monkeypatch):
    seen = []
    monkeypatch.setattr(
        evaluation, "wrong_rate", lambda model, task, n, *_, **__: seen.append(n) or evaluation.Rate(0, 1)
    )
    monkeypatch.setattr(pretrained, "load_pretrained", lambda name: pretrained.Pretrained(None, None, {}))
    assert main(["evaluate", task]) == 0 and seen
    for n in seen:
        get_task(task).check_request(n, 1)


def test_trees_that_do_not_fit_are_refused_before_anything_is_made(capsys):
    assert main(["evaluate", "smallest", "--n", str(2**40)]) == 2
    assert "leaves, which need about" in capsys.readouterr().err


def test_no_xla_trains_too(short, tmp_path, capsys):
    assert main(["train", "--no-xla", "--folder", str(tmp_path / "run"), "--seed", "5"]) == 0
    assert (tmp_path / "run/best.weights.h5").exists()


def test_ctrl_c_says_how_to_go_on(short, tmp_path, monkeypatch, capsys):
    def interrupted(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    assert main(["train", "--folder", str(tmp_path)]) == 130
    assert "The last whole epoch is safe" in (error := capsys.readouterr().err) and "same command" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "sorting"], "task: unknown 'sorting'; known: smallest, reverse"),
        (["train", "--recipe", "x"], "recipe: unknown 'x'; known: smallest-2016, smallest, smallest-digital"),
        (["train", "--seed", "-3"], "seed: got -3"),
        (["train", "--set", "speed=3"], "set: got 'speed=3'; expected FIELD=VALUE, FIELD one of task, memory"),
        (["train", "--set", "epochs"], "set: got 'epochs'; expected FIELD=VALUE"),
        (["train", "--set", "epochs=0"], "epochs: got 0; expected an integer of at least 1"),
        (["train", "--set", "memory=papre"], "preset: unknown 'papre'; known: 2016, paper"),
        (["train", "--set", "learning_rate=0.1"], "learning_rate: got 0.1; expected two positive numbers"),
        (["train", "--n", "12"], "n: got 12; expected a power of two"),
        (["evaluate", "smallest", "--n", "12"], "n: got 12"),
        (["evaluate", "smallest", "--examples", "0"], "examples: got 0"),
        (["evaluate", "smallest", "--attention", "mild"], "attention: unknown 'mild'; known: soft, hard"),
        (["evaluate", "smallest", "--run", "nowhere"], "folder: nowhere holds no run"),
        (["evaluate", "smallest", "--n", "8", "--lengths", "0", "8"], "lengths: got"),
        (["sort", "3", "--machine"], "machine: got numbers; expected --random M"),
        (["sort", "3", "32"], "numbers: got 32; expected 0 to 31"),
        (["sort", "--random", "0"], "random: got 0; expected at least one pair"),
        (["sort", "--random", "99999999999"], "leaves, which need about"),
        (["table", "swap"], "task: the ledger has no 'swap'; it has: smallest"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_with_another_run_is_refused(short, tmp_path, capsys):
    training.open_run(tmp_path, short, 1)
    assert main(["train", "--folder", str(tmp_path)]) == 2
    assert "holds another run" in capsys.readouterr().err


def test_table(capsys):
    assert main(["table"]) == 0
    text = capsys.readouterr().out
    assert "99.7" in text and "83.8" in text and "60.3" in text and "hamlib, hard" in text
    assert main(["table", "smallest", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("| % right")


def test_tasks(capsys):
    assert main(["tasks"]) == 0
    text = capsys.readouterr().out
    assert "smallest: " in text and "recipe smallest-2016" in text and "shipped model smallest" in text


def test_sort_shows_the_leaves_it_visits(capsys):
    assert main(["sort", "13", "5", "30", "5", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("leaf")[1].split() for line in lines] == [
        ["4:", "2"],
        ["1:", "5"],
        ["3:", "5"],
        ["0:", "13"],
        ["2:", "30"],
    ]
    assert "LRR -> leaf   3" in lines[2]


@pytest.mark.parametrize("how", [[], ["--machine"]])
def test_sort_of_many_random_pairs(capsys, how):
    assert main(["sort", "--random", "3000", *how]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("3,000 pairs, 4,096 leaves")
    assert lines[-1].endswith("; 0 of 3,000 accesses are not those of a stable sort")


def test_help_names_every_command():
    run = subprocess.run([sys.executable, "-m", "hamlib", "--help"], capture_output=True, text=True)
    assert run.returncode == 0 and run.stderr == ""
    for command in ("train", "evaluate", "sort", "table", "tasks", "ledger"):
        assert command in run.stdout


def test_a_search_prints_its_trials_the_best_first(tmp_path, monkeypatch, capsys):
    recipe = recipes.Recipe(task="smallest", memory="2016", steps=20, validation_steps=2)
    monkeypatch.setitem(recipes.RECIPES, "smallest", recipe)
    assert main(["tune", "smallest", "--trials", "2", "--epochs", "1", "--folder", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    lines = [line for line in lines if "wrong in validation" in line]
    errors = [float(line.split("%")[0]) for line in lines]
    assert len(errors) == 2 and errors == sorted(errors) and "learning_rate" in lines[0]
    assert main(["tune", "smallest", "--trials", "0", "--folder", str(tmp_path)]) == 2
    assert "trials: got 0" in capsys.readouterr().err
