import json

import pytest
from test_evaluation import oracle, smallest

from hamlib.evaluation import (
    TABLE1_TASKS,
    TABLE2_TASKS,
    draw_table,
    draw_tasks,
    ledger,
    ledger_rows,
    measure,
    read_ledger,
    table_text,
    tasks_rows,
    write_ledger,
)
from hamlib.models import EncoderDecoder
from hamlib.recipes import RECIPES
from hamlib.tasks import get_task
from hamlib.training import build

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


def test_a_figure_of_two_decimals_is_not_rounded_to_another():
    """In floats, 100 * (1 - 4 / 2500) is less than 99.84."""
    for head, value, sign in (("% right", 0, 1), ("% wrong", 100, -1)):
        for wrong in range(2500):
            figure = value + sign * 100 * (1 - wrong / 2500)
            cell = table_text([("ours", {8: (figure,) * 3})], head=head).split()[-1]
            assert cell == f"{round(figure, 2):g}", wrong


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


TABLE_1 = [
    ("LSTM", {"search": (62.0, 62.0, 62.0)}),
    ("LSTM+DHAM, hard", {"search": (0.0,) * 3, "sort": (0.001, 0, 60)}),
]


def test_table_1():
    lines = table_text(TABLE_1, head="% wrong").splitlines()
    assert lines[0].split() == ["%", "wrong", "search", "sort"]
    assert lines[2].split() == ["LSTM", "62", "–"] and lines[3].split()[2:] == [
        "0",
        "0.01",
        "(0–60)",
    ]  # never down to 0
    figure = draw_tasks(TABLE_1, "title")
    axes, scale = figure.axes
    assert [text.get_text() for text in axes.texts] == ["62", "–", "0", "0.01\n0–60"] and "%" in scale.get_ylabel()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["LSTM", "LSTM+DHAM, hard"]


def test_table_1_is_the_papers():
    """Against the figures as they are printed there: wrong sequences, in the test and on longer inputs."""
    rows = {n: dict(tasks_rows(TABLE1_TASKS, n)) for n in (32, 128)}
    for task, test, longer in [
        ("sort", (99, 25, 0.04), (100, 100, 0.24)),
        ("search", (62, 0.04, 0.12), (89, 0.52, 1.68)),
    ]:
        for n, figures in ((32, test), (128, longer)):
            for model, figure in zip(("LSTM", "LSTM+A", "LSTM+HAM"), figures, strict=True):
                assert rows[n][f"{model}, published"][task] == pytest.approx((figure,) * 3)


def test_table_2_is_the_papers():
    test, longer = (dict(tasks_rows(TABLE2_TASKS, n))["raw HAM, published"] for n in (32, 128))
    assert [test[task][0] for task in TABLE2_TASKS] == pytest.approx([0, 0, 0.08])
    assert [longer[task][0] for task in TABLE2_TASKS] == pytest.approx([0, 0, 0.2])


def test_a_model_without_a_tree_is_measured_once(monkeypatch):
    monkeypatch.setitem(ledger.TESTS, "sort", {4: (None, 10, 10)})
    assert set(measure(EncoderDecoder(10, 10, 4), get_task("sort"))) == {"soft"}
    assert set(measure(build(RECIPES["raw-sort"]), get_task("sort"))) == {"soft", "hard"}


def test_writing_a_ledger(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "LEDGER", tmp_path / "ledger.json")
    monkeypatch.setitem(ledger.TESTS, "smallest", {2: (None, 10, 10), 4: ((1, 4), 20, 20), 8: (None, 0, 5)})
    read_ledger.cache_clear()
    try:
        row = {"label": "oracle", "recipe": "smallest"}
        for k, every in ((2, 5), (0, 3), (1, 2), (0, None)):  # the second seed 0 takes the place of the first
            entry = {"seed": k} | measure(oracle(every), smallest)
            write_ledger("smallest", row, entry)
        assert entry["soft"] == {2: [0, 10], 4: [0, 20]} and entry["hard"] == {2: [0, 10], 4: [0, 20], 8: [0, 5]}
        (measured,) = read_ledger()["tasks"]["smallest"]["measured"]
        assert [seed["seed"] for seed in measured["seeds"]] == [0, 1, 2] and measured["label"] == "oracle"
        assert measured["seeds"][1]["hard"]["4"] == [10, 20]
        published, soft, hard = ledger_rows("smallest")
        assert published[1][8] == (99.7, 99.7, 99.7)
        assert soft == ("oracle, soft", {2: (80, 50, 100), 4: (80, 50, 100)}) and hard[0] == "oracle, hard"
        assert hard[1][8] == pytest.approx((80, 40, 100))
        for k, proof in ((1, {"states": 3}), (2, {"symbols": [[0]]})):
            write_ledger("smallest", row, dict(measured["seeds"][k], proof=proof))
        assert [label for label, _ in ledger_rows("smallest")[1:]] == [
            "oracle, soft",
            "oracle, hard, proved for every n: 1 of 2 seeds",
        ]
        other = json.loads(ledger.LEDGER.read_text())  # written by another process, after this one has read it
        other["tasks"]["sort"] = {"published": [], "measured": []}
        ledger.LEDGER.write_text(json.dumps(other))
        write_ledger("smallest", row, entry)
        assert set(read_ledger()["tasks"]) == {"smallest", "sort"}
        with pytest.raises(ValueError, match="task: the ledger has no 'merge'; it has: smallest, sort"):
            ledger_rows("merge")
    finally:
        read_ledger.cache_clear()
