import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamlib.tasks import ALGORITHMS, PURPOSES, TASKS, Task, get_task, stream_seed
from hamlib.tasks.sampling import window

smallest = get_task("smallest")


def plain_smallest(symbols, m):
    """The right answer in plain Python: of the first m pairs the first with the smallest key."""
    pairs = [tuple(int(bit) for bit in pair) for pair in symbols[:m]]
    return min(pairs, key=lambda pair: int("".join(map(str, pair[:5])), 2))


@pytest.mark.parametrize("n", [1, 2, 8, 64])
@pytest.mark.parametrize("lengths", [None, "any"])
def test_targets_are_those_of_plain_python(n, lengths):
    inputs, targets = smallest.examples(n, 50, 3, 7, (1, n) if lengths else None)
    symbols, m, targets = np.asarray(inputs["symbols"]), np.asarray(inputs["lengths"]), np.asarray(targets)
    assert symbols.shape == (50, n, 10) and m.shape == (50,) and targets.shape == (50, 1, 10)
    assert set(np.unique(symbols)) <= {0, 1} and (m == n).all() == (lengths is None or n == 1)
    for k in range(50):
        assert tuple(targets[k, 0].astype(int)) == plain_smallest(symbols[k], m[k])
        assert (symbols[k, m[k] :] == 0).all()


def key(pair):
    return int("".join(map(str, pair[:5])), 2)


def plain_search(symbols, m):
    *pairs, query = symbols[:m]
    assert pairs == sorted(pairs, key=key) and query[5:] == [0] * 5
    return [next(pair[5:] for pair in pairs if pair[:5] == query[:5])]


def plain_add(symbols, m):
    text = "".join("01+="[symbol.index(1)] for symbol in symbols[:m])
    a, b, rest = text.replace("+", "=").split("=")
    assert len(a) == len(b) and not rest
    total = int(a[::-1], 2) + int(b[::-1], 2)
    digits = format(total, f"0{len(a) + 1}b")[::-1]
    return [[int(digit), 0] for digit in digits] + [[0, 1]]


def plain_merge(symbols, m):
    priorities = [int("".join(map(str, symbol[:10])), 2) for symbol in symbols[:m]]
    falls = [i for i in range(1, m) if priorities[i] < priorities[i - 1]]
    assert len(falls) <= 1 and len(set(priorities)) == m
    known = {round(k * 1023 / 300) for k in range(1, 301)}
    assert set(priorities) <= known
    second = falls[0] if falls else m
    pairs = list(zip(priorities, symbols, strict=False))
    return [symbol[10:] for _, symbol in heapq.merge(pairs[:second], pairs[second:m])]


PLAIN = {
    "merge": plain_merge,
    "reverse": lambda symbols, m: symbols[:m][::-1],
    "sort": lambda symbols, m: sorted(symbols[:m], key=key),  # Python's sort is stable
    "search": plain_search,
    "add": plain_add,
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("n", [4, 8, 32])
def test_answers_are_those_of_plain_python(name, n):
    task = get_task(name)
    inputs, targets = task.examples(n, 100, 1, 2, (task.shortest, n))
    assert targets.shape == (100, task.answer_length(n), task.answer_width)
    assert inputs.get("queries", targets).shape[1] == targets.shape[1]
    targets = np.asarray(targets).astype(int).tolist()
    for symbols, m, target in zip(np.asarray(inputs["symbols"]), np.asarray(inputs["lengths"]), targets, strict=True):
        assert (symbols[m:] == 0).all()
        answer = PLAIN[name](symbols.astype(int).tolist(), m)
        assert target == answer + [[-1] * task.answer_width] * (len(target) - len(answer))


def test_every_task_draws_all_its_lengths():
    for task in (get_task(kind.name) for kind in ALGORITHMS):
        m = np.asarray(task.examples(8, 500, 0, 0, (task.shortest, 8))[0]["lengths"])
        expected = {4, 6, 8} if task.name == "add" else set(range(task.shortest, 9))
        assert set(m) == expected


def test_merge_of_more_symbols_than_the_paper_has_priorities():
    symbols = np.asarray(get_task("merge").examples(512, 2, 0, 0)[0]["symbols"])
    numbers = symbols[..., :10] @ 2 ** np.arange(9, -1, -1)
    assert all(len(set(row)) == 512 and (np.diff(row) < 0).sum() <= 1 for row in numbers)


@pytest.mark.parametrize("name", ["sort", "search", "merge"])
def test_keys_that_are_alike(name):
    """Half of the batch is drawn as ever, and the other half has keys that lie closer together."""
    task = get_task(name)
    width = next(iter(task.columns.values()))
    (plain, _), (alike, targets) = (task.examples(8, 400, 0, 0, (4, 8), kinds=kinds) for kinds in ((), ("alike",)))
    np.testing.assert_array_equal(plain["lengths"], alike["lengths"])
    rows = np.arange(400) % 4
    spread = {}
    for kind, inputs in (("plain", plain), ("alike", alike)):
        keys = np.asarray(inputs["symbols"])[..., :width] @ 2 ** np.arange(width - 1, -1, -1)
        spread[kind] = np.array([np.ptp(row[:m]) for row, m in zip(keys, np.asarray(inputs["lengths"]), strict=True)])
    assert spread["alike"][rows < 2].mean() < 0.75 * spread["plain"].mean()
    assert spread["alike"][rows >= 2].mean() > 0.9 * spread["plain"].mean()
    for k in range(50):
        m = int(alike["lengths"][k])
        answer = PLAIN[name](np.asarray(alike["symbols"])[k].astype(int).tolist(), m)
        assert np.asarray(targets)[k, : len(answer)].astype(int).tolist() == answer


def test_the_outermost_numbers_are_among_few_as_often_as_others():
    """What is in one window of each width only, the first number and the last, is not left out."""
    chosen = np.asarray(window(20_000, 8, 128, np.array([0, 1])))
    wide = chosen.sum(axis=1)
    assert wide.min() == 8 and 100 < wide.max() <= 128
    edges = np.abs(np.diff(np.pad(chosen, ((0, 0), (1, 1))).astype(int)))
    np.testing.assert_array_equal(edges.sum(axis=1), 2)  # neighbours, without a gap
    few = chosen[wide < 16].mean(axis=0)
    assert few.min() > 0.5 * few.max()
    narrow = np.asarray(window(20_000, 8, 128, np.array([0, 1]), narrow=True)).sum(axis=1)
    np.testing.assert_array_equal(narrow, np.where(wide > 32, wide, np.where(wide < 32, 8, narrow)))
    assert np.mean(narrow == 8) == pytest.approx(0.5, abs=0.02)


def number(value, width):
    return [int(bit) for bit in f"{value:0{width}b}"]


def text(digits):
    return [[int(kind == digit) for kind in "01+="] for digit in digits]


@pytest.mark.parametrize(
    "name, symbols, message",
    [
        ("search", [number(k, 5) + [0] * 5 for k in (7, 3, 3)], r"has the keys \[7, 3\]; expected sorted ones"),
        ("search", [number(k, 5) + [0] * 5 for k in (3, 7, 4)], r"asks for the key 4, which is none of \[3, 7\]"),
        ("search", [number(k, 5) + [1] * 5 for k in (3, 7, 7)], "expected a key and an empty value"),
        ("search", [[0] * 10], "lengths: got 1 to 1; expected 2"),
        ("search", [[0] * 12] * 3, "expected .*b=10"),
        ("merge", [number(k, 10) + [0] * 5 for k in (9, 3, 7, 4)], "expected two sequences, each sorted"),
        ("merge", [number(k, 10) + [0] * 5 for k in (3, 9, 3)], "without equals"),
        ("add", text("10+11"), r"is '10\+11'; expected two binary numbers"),
        ("add", text("10+1="), "expected two binary numbers"),
        ("add", text("1+++1="), "expected two binary numbers"),
        ("add", [[1, 1, 0, 0]] * 4, "expected one bit of each to be 1"),
    ],
)
def test_inputs_that_are_none_of_the_task(name, symbols, message):
    with pytest.raises(ValueError, match=message):
        get_task(name).check_inputs([symbols])


@pytest.mark.parametrize("name", [kind.name for kind in ALGORITHMS])
def test_examples_are_inputs_of_the_task(name):
    inputs, _ = get_task(name).examples(16, 50, 3, 4, (get_task(name).shortest, 16))
    get_task(name).check_inputs(np.asarray(inputs["symbols"]), np.asarray(inputs["lengths"]))


def test_inputs_at_some_leaves_of_a_deep_tree():
    """Half of the inputs stand at the front, the others anywhere, all in order; the answers are the same."""
    task = get_task("sort")
    plain, targets = task.examples(8, 400, 0, 0, (1, 8))
    deep, same = task.examples(8, 400, 0, 0, (1, 8), leaves=32)
    np.testing.assert_array_equal(targets, same)
    symbols, filled, m = (np.asarray(deep[key]) for key in ("symbols", "filled", "lengths"))
    assert symbols.shape == (400, 32, 10) and (filled.sum(1) == m).all()
    for k in range(400):
        np.testing.assert_array_equal(symbols[k][filled[k]], np.asarray(plain["symbols"])[k, : m[k]])
        assert (symbols[k][~filled[k]] == 0).all()
    at_front = np.array([f[:count].all() for f, count in zip(filled, m, strict=True)])
    assert at_front[::2].all() and at_front[1::2].mean() < 0.1
    assert (abs(filled[1::2].mean(0) - filled[1::2].mean()) < 0.15).all()  # every leaf is as likely


def test_a_part_of_an_answer():
    """Some symbols of the answer, from anywhere in it: the same inputs, and the targets from there on."""
    task, starts = get_task("sort"), set()
    for step in range(40):
        inputs, targets = task.examples(8, 3, 0, step, (1, 8), answers=3)
        whole, all_targets = task.examples(8, 3, 0, step, (1, 8))
        (start,) = set(np.asarray(inputs["skipped"]))
        np.testing.assert_array_equal(targets, all_targets[:, start : start + 3])
        np.testing.assert_array_equal(inputs["symbols"], whole["symbols"])
        assert inputs["queries"].shape == (3, 3, 0) and whole["queries"].shape == (3, 8, 0)
        starts.add(int(start))
    assert starts == set(range(6))
    inputs, targets = task.examples(8, 3, 0, 0, answers=8)
    assert "skipped" not in inputs and targets.shape == (3, 8, 10)
    inputs, targets = task.examples(8, 3, 0, 0, answers=2, skip=False)
    assert "skipped" not in inputs
    np.testing.assert_array_equal(targets, task.examples(8, 3, 0, 0)[1][:, :2])


def test_decoys_of_add_change_only_digits():
    task = get_task("add")
    inputs, _ = task.examples(16, 200, 0, 0, (4, 16), leaves=32)
    symbols, decoys = np.asarray(inputs["symbols"]), np.asarray(task.decoys(inputs["symbols"], [0, 0]))
    digit = symbols[..., :2].any(axis=-1)
    np.testing.assert_array_equal(symbols[..., 2:], decoys[..., 2:])
    np.testing.assert_array_equal(digit, decoys[..., :2].any(axis=-1))
    assert (decoys.sum(axis=-1) <= 1).all()
    assert abs((symbols != decoys).any(axis=-1)[digit].mean() - 0.5) < 0.05
    assert (decoys != np.asarray(task.decoys(inputs["symbols"], [0, 1]))).any()


def test_past_the_end_nothing_is_judged():
    task, targets = get_task("sort"), np.array([[[1.0] * 10, [-1.0] * 10]])
    assert not task.wrong(targets, np.array([[[0.9] * 10, [0.7] * 10]]))[0]
    assert task.wrong(targets, np.array([[[0.9] * 9 + [0.2], [0.7] * 10]]))[0]


def test_first_among_equal_keys():
    symbols = np.zeros((1, 4, 10), "float32")
    symbols[0, :, 0] = [1, 0, 0, 1]  # keys 16, 0, 0, 16
    symbols[0, :, 9] = [0, 1, 0, 0]
    np.testing.assert_array_equal(smallest.targets(symbols, [4])[0, 0], symbols[0, 1])
    np.testing.assert_array_equal(smallest.targets(symbols, [1])[0, 0], symbols[0, 0])


def test_examples_are_a_pure_function():
    def draw(*arguments, **more):
        inputs, targets = smallest.examples(*arguments, **more)
        return np.concatenate([np.ravel(inputs["symbols"]), np.ravel(inputs["lengths"]), np.ravel(targets)])

    first = draw(8, 20, 1, 5, lengths=(1, 8))
    np.testing.assert_array_equal(first, draw(8, 20, 1, 5, lengths=(1, 8)))
    for other in (draw(8, 20, 2, 5, lengths=(1, 8)), draw(8, 20, 1, 6, lengths=(1, 8))):
        assert (first != other).any()


def test_golden_batch():
    """The data of every run ever made: if this changes, no run can be resumed and no figure repeated."""
    inputs, targets = smallest.examples(4, 2, 0, 0, lengths=(1, 4))
    bits = ["".join(str(int(b)) for b in row) for row in np.asarray(inputs["symbols"]).reshape(2, 40)]
    assert np.asarray(inputs["lengths"]).tolist() == GOLDEN_LENGTHS
    assert bits == GOLDEN_BITS


GOLDEN_LENGTHS = [4, 3]
GOLDEN_BITS = ["1111110111011011100111000010011111001100", "1101110101111010011011111110110000000000"]


def test_lengths_are_uniform_on_their_range():
    m = np.asarray(smallest.examples(8, 8000, 0, 0, (3, 6))[0]["lengths"])
    counts = np.bincount(m, minlength=9)
    assert counts[:3].sum() == counts[7:].sum() == 0
    assert (abs(counts[3:7] - 2000) < 5 * np.sqrt(8000 * 0.25 * 0.75)).all()


def test_mixed_lengths_draw_their_pair_first():
    m = np.asarray(smallest.examples(32, 8000, 0, 0, [(1, 1), (32, 32)])[0]["lengths"])
    assert set(m) == {1, 32} and abs((m == 1).mean() - 0.5) < 0.03


def test_bits_are_fair():
    symbols = np.asarray(smallest.examples(64, 500, 0, 0)[0]["symbols"])
    assert (abs(symbols.mean((0, 1)) - 0.5) < 5 * 0.5 / np.sqrt(64 * 500)).all()


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_permuting_equal_keys_moves_the_answer_to_the_first(data):
    """Shuffle the values among pairs of equal key: the answer is the value that now stands first."""
    keys = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=8))
    values = data.draw(st.permutations(range(len(keys))))
    symbols = np.zeros((1, 8, 10), "float32")
    for k, pair in enumerate(zip(keys, values, strict=True)):
        symbols[0, k] = [int(bit) for number in pair for bit in f"{number:05b}"]
    answer = smallest.targets(symbols, [len(keys)])[0, 0]
    np.testing.assert_array_equal(answer, symbols[0, keys.index(min(keys))])


def test_the_judge():
    targets = np.zeros((3, 1, 10), "float32")
    outputs = np.full((3, 1, 10), 0.49, "float32")
    outputs[1, 0, 9] = 0.51
    outputs[2, 0, 0] = np.nan
    assert np.asarray(smallest.wrong(targets, outputs)).tolist() == [False, True, True]


def test_purposes_share_no_seed():
    seeds = [stream_seed(seed, purpose) for seed in range(100) for purpose in PURPOSES]
    assert len(set(seeds)) == 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(n=12), "n: got 12.*power of two"),
        (dict(batch_size=0), "batch_size: got 0; expected a positive integer"),
        (dict(lengths=(0, 8)), r"lengths: got \(0, 8\); expected 1 <= low <= high <= n = 8"),
        (dict(lengths=(-2, 3)), "lengths: got"),
        (dict(lengths=(5, 4)), "lengths: got"),
        (dict(lengths=(1, 9)), "lengths: got"),
        (dict(lengths=(1.0, 2.0)), "lengths: got .*integers"),
        (dict(lengths=(1, 2, 3)), "lengths: got"),
    ],
)
def test_bad_examples(arguments, message):
    with pytest.raises(ValueError, match=message):
        smallest.examples(**(dict(n=8, batch_size=2, seed=0, step=0) | arguments))


@pytest.mark.parametrize("seed", [-1, 2**31, 0.5, None, True])
def test_bad_seed(seed):
    with pytest.raises(ValueError, match="seed: got"):
        stream_seed(seed, "train")


def test_unknown_names():
    with pytest.raises(ValueError, match="task: unknown 'biggest'; known: smallest"):
        get_task("biggest")
    with pytest.raises(ValueError, match="purpose: unknown 'exam'"):
        stream_seed(0, "exam")


def test_every_task_says_what_it_is():
    for name, task in TASKS.items():
        assert isinstance(task, Task) and task.name == name and "->" in task.__doc__
