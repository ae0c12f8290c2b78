import numpy as np
import pytest
from keras import ops

from hamlib import evaluation
from hamlib.evaluation import Rate, draw_table, ledger, ledger_rows, measure, table_text, write_ledger, wrong_rate
from hamlib.tasks import get_task

smallest = get_task("smallest")


def oracle(every=None):
    """A model that knows the answer, but answers every so many-th sequence of a batch wrongly."""

    def model(inputs, attention):
        right = smallest.targets(inputs["symbols"], inputs["lengths"])
        if every is None:
            return right
        wrong = ops.arange(right.shape[0]) % every == 0
        return ops.where(wrong[:, None, None], 1 - right, right)

    return model


@pytest.mark.parametrize("examples", [1, 7, 100, 20_000])
def test_the_rate_counts_exactly_so_many_examples(examples):
    assert wrong_rate(oracle(), smallest, 8, examples) == Rate(0, examples)
    batch = min(examples, evaluation.NODES_AT_ONCE // 16)
    expected = sum((k % batch) % 4 == 0 for k in range(examples))
    assert wrong_rate(oracle(every=4), smallest, 8, examples) == Rate(expected, examples)


def test_the_interval_is_wilsons():
    """Against the published formula solved by bisection: the p whose test statistic is 1.96."""
    for wrong, n in ((0, 100), (3, 50), (50, 100), (2499, 2500)):
        p = 1 - wrong / n
        for edge, far in zip(Rate(wrong, n).interval, (0.0, 1.0), strict=True):
            low, high = sorted((p, far))
            for _ in range(60):
                middle = (low + high) / 2
                outside = abs(p - middle) > 1.96 * np.sqrt(middle * (1 - middle) / n)
                low, high = (low, middle) if outside == (far > p) else (middle, high)
            assert edge / 100 == pytest.approx(low, abs=1e-6)
    assert Rate(0, 10_000).right == 100 and "0 of 10,000 wrong" in str(Rate(0, 10_000))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(n=9), "n: got 9"),
        (dict(examples=0), "examples: got 0; expected a positive integer"),
        (dict(attention="firm"), "attention: unknown 'firm'; known: soft, hard"),
        (dict(seed=-1), "seed: got -1"),
        (dict(lengths=(1, 9)), "lengths: got"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        wrong_rate(oracle(), smallest, **(dict(n=8, examples=5) | arguments))


ROWS = [
    ("published", {8: (99.7,) * 3, 16: (83.8,) * 3}),
    ("ours", {8: (100.0, 99.999, 100.0), 1024: (99.5, 99.0, 100.0)}),
]


def test_the_table_as_text():
    lines = table_text(ROWS).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split("  ")[0] == "% right" and "n = 1,024" in lines[0]
    assert "99.7" in lines[2] and "83.8" in lines[2] and lines[2].rstrip().endswith("–")
    assert "100 (99.99–100)" in lines[3] and "99.5 (99–100)" in lines[3]  # never rounded up to 100


def test_the_table_as_markdown():
    lines = table_text(ROWS, markdown=True).splitlines()
    assert all(line.startswith("| ") and line.endswith(" |") and line.count("|") == 5 for line in lines)
    assert lines[1].count(":") == 3


def test_the_table_as_a_picture():
    figure = draw_table(ROWS, "title")
    (axes,) = figure.axes
    assert figure.get_facecolor() == (1, 1, 1, 1) and axes.get_title() == "title"
    assert [line.get_label() for line in axes.lines] == ["published", "ours"]
    assert axes.get_xlabel() and "%" in axes.get_ylabel()


def test_writing_a_ledger(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "LEDGER", tmp_path / "ledger.json")
    monkeypatch.setitem(evaluation.TESTS, "smallest", {2: (None, 10, 10), 4: ((1, 4), 20, 20), 8: (None, 0, 5)})
    ledger.cache_clear()
    try:
        row = {"label": "oracle", "recipe": "smallest"}
        for k, every in ((2, 5), (0, 3), (1, 2), (0, None)):  # the second seed 0 takes the place of the first
            entry = {"seed": k} | measure(oracle(every), smallest)
            write_ledger("smallest", row, entry)
        assert entry["soft"] == {2: [0, 10], 4: [0, 20]} and entry["hard"] == {2: [0, 10], 4: [0, 20], 8: [0, 5]}
        (measured,) = ledger()["tasks"]["smallest"]["measured"]
        assert [seed["seed"] for seed in measured["seeds"]] == [0, 1, 2] and measured["label"] == "oracle"
        assert measured["seeds"][1]["hard"]["4"] == [10, 20]
        published, soft, hard = ledger_rows("smallest")
        assert published[1][8] == (99.7, 99.7, 99.7)
        assert soft == ("oracle, soft", {2: (80, 50, 100), 4: (80, 50, 100)}) and hard[0] == "oracle, hard"
        assert hard[1][8] == pytest.approx((80, 40, 100))
        with pytest.raises(ValueError, match="task: the ledger has no 'sort'; it has: smallest"):
            ledger_rows("sort")
    finally:
        ledger.cache_clear()
