"""What is written about the project is true today: docstrings, README, environment.yml, constraints."""

import importlib
import inspect
import pkgutil
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import keras
import pytest

import hamlib
from hamlib import evaluation
from hamlib.__main__ import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = sorted(module.name for module in pkgutil.iter_modules(hamlib.__path__))
FILES = sorted(module.name for module in pkgutil.walk_packages(hamlib.__path__, "hamlib."))


def public_names():
    for name in FILES:
        module = importlib.import_module(name)
        yield name, module
        for key, value in vars(module).items():
            if key.startswith("_") or getattr(value, "__module__", None) != module.__name__:
                continue
            yield f"{name}.{key}", value
            if inspect.isclass(value):
                for method, function in vars(value).items():
                    function = getattr(function, "__func__", function)
                    inherited = any(hasattr(base, method) for base in value.__mro__[1:])
                    if not method.startswith("_") and inspect.isroutine(function) and not inherited:
                        yield f"{name}.{key}.{method}", function


@pytest.mark.parametrize(("name", "thing"), list(public_names()))
def test_every_public_name_is_explained(name, thing):
    text = inspect.getdoc(thing)
    assert text and text.split("\n")[0].endswith((".", ":")), f"{name} needs a docstring that begins with a sentence"
    if inspect.isroutine(thing):
        arguments = [key for key in inspect.signature(thing).parameters if key not in ("self", "cls")]
        missing = [key for key in arguments if not re.search(rf"\b{key}\b", text)]
        # A one-line docstring may leave its arguments to their names, if they are few.
        assert not missing or ("\n" not in text.strip() and len(arguments) <= 3), f"{name} does not explain {missing}"


@pytest.mark.parametrize("name", ["grow", "join_all", "attend", "read", "write"])
def test_the_moves_give_their_shapes(name):
    text = inspect.getdoc(getattr(importlib.import_module("hamlib.memory").TreeMemory, name))
    assert re.search(r"\[batch", text)


def test_few_rooms():
    assert len(MODULES) <= 10


def commands(start):
    return [line.split("  #")[0].strip() for line in README.splitlines() if line.startswith(start)]


def test_no_long_files():
    lengths = {str(path): path.read_text().count("\n") for path in (ROOT / "hamlib").rglob("*.py")}
    assert len(lengths) > 50 and {name: length for name, length in lengths.items() if length > 300} == {}


def test_readme_shows_real_commands():
    assert commands("make ") and commands("python -m hamlib ")
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in commands("make "):
        assert shlex.split(command)[1] in targets


QUICK = ("evaluate", "sort", "table", "tasks")  # the others train for minutes


@pytest.mark.parametrize("command", [c for c in commands("python -m hamlib ") if c.split()[3] in QUICK])
def test_readme_commands_run(command, capsys):
    assert main(shlex.split(command)[3:]) == 0
    assert capsys.readouterr().out


def test_readme_example_runs():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        run = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr


def test_readme_tables_are_the_ledgers():
    assert evaluation.table_text(evaluation.ledger_rows("smallest", odd=True), markdown=True) in README
    for n in (32, 128, 1024, "odd, n = 32", "odd, n = 128"):
        for tasks in (evaluation.TABLE1_TASKS, evaluation.TABLE2_TASKS):
            assert evaluation.table_text(evaluation.tasks_rows(tasks, n), markdown=True, head="% wrong") in README
    for n in (16, 128):
        assert evaluation.table_text(evaluation.stream_rows(n), True, f"first wrong, n = {n}") in README


def test_readme_lists_every_chapter():
    for source in sorted((ROOT / "notebooks").glob("*.py")):
        assert f"notebooks/{source.stem}.ipynb" in README


def test_environment_yml_says_what_pyproject_says():
    text = (ROOT / "environment.yml").read_text()
    python = re.search(r"- python (\S+)", text)[1]
    assert python.startswith(PROJECT["requires-python"])
    (extras,) = re.findall(r"- -e \.\[(.*)\]", text)
    assert set(extras.split(",")) == set(PROJECT["optional-dependencies"])
    packages = set(re.findall(r"^\s*- (\w+)", text, re.MULTILINE)) - {"pip"}
    assert packages == {"conda", "python"}  # all else comes from pyproject.toml


def test_constraints_name_no_host():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+( ; .+)?", line) for line in lines)
    pinned = {line.split("==")[0] for line in lines}
    wanted = PROJECT["dependencies"] + sum(PROJECT["optional-dependencies"].values(), [])
    assert {re.match(r"[\w-]+", requirement)[0] for requirement in wanted} <= pinned


def test_versions_agree():
    assert f"version: {PROJECT['version']}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_backend_is_tensorflow():
    assert keras.backend.backend() == "tensorflow"
