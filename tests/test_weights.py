"""Files of weights: whole, checked, and written by one process at a time."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from hamlib.models import answering, check_fits, load_weights, locked, save_weights, write_whole
from hamlib.recipes import RECIPES
from hamlib.training import build


def test_writing_whole_or_not_at_all(tmp_path):
    path = tmp_path / "card.json"
    path.write_text("old")

    def fails(target):
        target.write_text("ne")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_whole(path, fails)
    assert path.read_text() == "old"


def test_weights_that_are_no_weights(tmp_path):
    model = build(RECIPES["smallest"])
    with pytest.raises(FileNotFoundError, match="weights: there is no file"):
        load_weights(model, tmp_path / "none.weights.h5")
    (tmp_path / "text.weights.h5").write_text("not a weight file")
    save_weights(model, tmp_path / "good.weights.h5")
    whole = (tmp_path / "good.weights.h5").read_bytes()
    (tmp_path / "half.weights.h5").write_bytes(whole[: len(whole) // 2])
    save_weights(build(RECIPES["smallest-2016"]), tmp_path / "other.weights.h5")
    build(RECIPES["smallest"]).save_weights(tmp_path / "unsigned.weights.h5")
    for name in ("text", "half", "other", "unsigned"):
        with pytest.raises(ValueError, match=f"weights: .*{name}.* is damaged, no weight file, or of another model"):
            load_weights(model, tmp_path / f"{name}.weights.h5")
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(ValueError, match="whose name ends in .weights.h5"):
        load_weights(model, tmp_path / "card.json")


def test_no_damage_is_silent(tmp_path):
    """Of 200 files with a few bytes changed, cut out or lost, each gives the very weights or is refused."""
    model, path = build(RECIPES["smallest-2016"]), tmp_path / "some.weights.h5"
    save_weights(model, path)
    whole, right, rng = path.read_bytes(), model.get_weights(), np.random.default_rng(0)
    refused = 0
    for kind in range(200):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 5):
            damaged[place] ^= 1 << int(rng.integers(8))
        if kind % 4 == 1:
            place = int(rng.integers(len(whole) - 64))
            damaged = bytearray(whole)
            damaged[place : place + 64] = bytes(64)
        if kind % 4 == 2:
            damaged = bytearray(whole[: int(rng.integers(len(whole)))])
        if kind % 4 == 3:
            place = int(rng.integers(len(whole) - 8))
            damaged = bytearray(whole[:place] + whole[place + 8 :])
        path.write_bytes(damaged)
        try:
            load_weights(model, path)
        except ValueError as error:
            assert str(error).startswith("weights: ")
            refused += 1
        for ours, theirs in zip(model.get_weights(), right, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert refused > 100


def test_a_second_process_is_told(tmp_path):
    code = f"""
        from hamlib.models import locked
        try:
            with locked({str(tmp_path / "run")!r}):
                print("in")
        except ValueError as error:
            print(error)
    """
    say = [sys.executable, "-c", textwrap.dedent(code)]
    with locked(tmp_path / "run"):
        said = subprocess.run(say, capture_output=True, text=True).stdout
    assert said.startswith("folder: ") and "is in use by another process" in said
    assert subprocess.run(say, capture_output=True, text=True).stdout == "in\n"


def test_a_container_may_have_less_memory_than_its_machine(tmp_path, monkeypatch):
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "limit").write_text("1000000\n")
    monkeypatch.setattr(answering, "CONTAINER_LIMITS", (tmp_path / "max", tmp_path / "none"))
    check_fits(2**10, 1, 32)
    monkeypatch.setattr(answering, "CONTAINER_LIMITS", (tmp_path / "max", tmp_path / "limit"))
    with pytest.raises(ValueError, match="n: got 1,024 leaves, which need about 1 GB|n: got 1,024 leaves"):
        check_fits(2**10, 4, 32)
