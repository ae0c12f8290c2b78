"""The machine, the theorems and the counterexamples of `hamlib.proof`, mostly on machines written by hand."""

import dataclasses
import itertools
import json
import re

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamlib.__main__ import main
from hamlib.memory import TreeMemory
from hamlib.models import RawHAM
from hamlib.pretrained import load_pretrained
from hamlib.proof import (
    LAWS,
    Counterexample,
    NotFinite,
    Proof,
    TableRunner,
    TreeMachine,
    Undecided,
    begun,
    examine,
    extract,
    is_proved,
    places,
    prove,
    random_starts,
    read_proof,
    theorem,
)
from hamlib.proof.examples import answers_of
from hamlib.proof.laws import HELD, POP, QueueLaw
from hamlib.proof.machine import EITHER
from hamlib.proof.theorem import operations_of
from hamlib.recipes import RECIPES
from hamlib.tasks import get_task
from hamlib.training import build

SYMBOLS = np.array(list(itertools.product((0, 1), repeat=10)), "float32")
KEYS = (SYMBOLS[:, :5] @ 2 ** np.arange(4, -1, -1)).astype(int)
NONE = 32


def tournament(writes):
    """A right machine: a leaf is its key, or 32 for none; an inner node 33 + 2 * key + (whether it stands right)."""
    inner = np.arange(66)
    key = np.concatenate([np.arange(33), inner // 2])
    left, right = np.meshgrid(key, key, indexing="ij")
    join = 33 + 2 * np.minimum(left, right) + (right < left)
    join[:33, 33:] = join[33:, :33] = -1  # no node has a leaf beside an inner node
    written = np.full((1, 99), -1)
    if writes:
        written[0, :33] = NONE
    return TreeMachine(
        symbols=SYMBOLS,
        operations=np.zeros((1, 1), "float32"),
        leaf=KEYS,
        empty=NONE,
        join=join,
        right=np.concatenate([np.zeros(33), inner % 2])[None].astype("int8"),
        written=written,
        answer=np.zeros((99, 0), "int8"),
    )


def structure_machine(name, kinds, push, pop):
    """Leaves: 0 free, 1 + v held. Inner nodes: a kind of subtree, and the ways of PUSH and POP.

    Args:
        name: of the task.
        kinds: of each kind of subtree a picture of three leaves; the first two are all free and all held.
        push, pop: the leaf that an operation goes to in a picture of six.
    """
    task = get_task(name)
    operations = np.stack([task.pop(), *(task.push(value) for value in range(32))])
    inner = list(itertools.product(range(len(kinds) + 1), (0, 1), (0, 1)))  # the last kind: what cannot be
    kind = [0, *[1] * 32, *(kind for kind, _, _ in inner)]
    size = len(kind)
    join = np.full((size, size), -1)
    short = [re.sub(r"(.)\1+", r"\1", picture) for picture in kinds]
    for i, j in itertools.product(range(size), repeat=2):
        if (i < 33) == (j < 33):
            made = (len(kinds), 0, 0)
            if max(kind[i], kind[j]) < len(kinds):
                both = kinds[kind[i]] + kinds[kind[j]]
                if (label := re.sub(r"(.)\1+", r"\1", both)) in short:
                    made = (short.index(label), int(push(both) > 2), int(pop(both) > 2))
            join[i, j] = 33 + inner.index(made)
    right = np.zeros((33, size), "int8")
    right[0, 33:] = [pop for _, _, pop in inner]
    right[1:, 33:] = [push for _, push, _ in inner]
    written = np.full((33, size), -1)
    written[0, :33] = 0
    written[1:, :33] = 1 + np.arange(32)[:, None]
    answer = np.zeros((size, 5), "int8")
    answer[1:33] = operations[1:, 1:]
    return TreeMachine(np.zeros((0, 5)), operations, np.zeros(0, int), 0, join, right, written, answer)


def after(leaves, one, other):
    """The first leaf that is ``one`` after an ``other``, in a ring."""
    return next((k for k in range(len(leaves)) if leaves[k] == one and leaves[k - 1] == other), 0)


def stack_machine():
    return structure_machine("stack", ("EEE", "FFF", "FEE"), lambda s: s.find("E"), lambda s: s.rfind("F"))


def queue_machine():
    kinds = "EEE", "FFF", "FEE", "EEF", "EFE", "FEF"
    return structure_machine("queue", kinds, lambda s: after(s, "E", "F"), lambda s: after(s, "F", "E"))


MACHINES = {"smallest": tournament(False), "sort": tournament(True)}
MACHINES |= {"stack": stack_machine(), "queue": queue_machine()}


@pytest.mark.parametrize("name", MACHINES)
def test_a_right_machine_is_proved(name):
    proof = prove(MACHINES[name], get_task(name))
    assert isinstance(proof, Proof) and proof.checked > 50 and proof.task == name


@pytest.mark.parametrize("name", MACHINES)
def test_a_right_machine_answers_right(name):
    """The tables run as a model does."""
    task = get_task(name)
    for more in ({}, dict(leaves=4, kinds=("reuse",))) if name in ("stack", "queue") else ({},):
        inputs, targets = task.examples(16, 20, 0, 0, **more)
        assert not np.any(task.wrong(targets, TableRunner(MACHINES[name], task)(inputs)))


def flipped(machine, table, where):
    values = getattr(machine, table).copy()
    values[where] = {"right": 1 - values[where], "answer": 1 - values[where]}.get(table, 0)
    return dataclasses.replace(machine, **{table: values})


@pytest.mark.parametrize(
    "name, table, where",
    [
        ("smallest", "leaf", 300),
        ("smallest", "join", (9, 8)),
        ("smallest", "right", (0, 33 + 2 * 8 + 1)),
        ("smallest", "right", (0, 33 + 2 * 31)),
        ("sort", "leaf", 1023),
        ("sort", "join", (40, 50)),
        ("sort", "right", (0, 33 + 2 * 3)),
        ("sort", "written", (0, 7)),
        ("stack", "written", (0, 5)),
        ("stack", "written", (6, 0)),
        ("stack", "answer", (4, 2)),
        ("stack", "right", (9, 33)),
        ("stack", "right", (0, 33 + 4 * 2)),
        ("queue", "written", (0, 5)),
        ("queue", "written", (6, 0)),
        ("queue", "answer", (4, 2)),
        ("queue", "right", (9, 33)),
        ("queue", "right", (0, 33 + 4 * 5)),
    ],
)
def test_one_flipped_entry_is_refuted(name, table, where):
    """In every table; and the counterexample is wrong in fact."""
    machine = flipped(MACHINES[name], table, where)
    if name in ("stack", "queue") and table == "written" and where[0] == 0:
        machine.written[where] = 3
    task = get_task(name)
    example = prove(machine, task)
    assert isinstance(example, Counterexample)
    right, (answered,) = answers_of(TableRunner(machine, task), task, example.symbols[None], example.leaves)
    assert np.array_equal(right[0], example.right)
    judged = example.right >= 0
    assert (answered[judged] != example.right[judged]).any()
    assert str(example).startswith("symbols = [[")


@pytest.mark.parametrize("name, n", [("stack", 4), ("stack", 8), ("queue", 4), ("queue", 8)])
def test_a_stream_leads_to_what_it_should_leave(name, n):
    """To every filling of n leaves that the law allows, but a queue that is full: held, popped, never used."""
    machine, law, task, met = MACHINES[name], LAWS[name], get_task(name), 0
    letters = {law.unused: None, law.popped: POP, HELD: 5}
    for filling in itertools.product(letters, repeat=n):
        leaves = [letters[letter] for letter in filling]
        rows = law.stream(leaves)
        most = max(np.cumsum(np.where(rows, 1, -1)), default=0)
        if law.label("".join(filling)) not in law.labels or most > task.room(n):
            continue
        tree, left = machine.grow(np.zeros(n, int)), [None] * n
        for row in rows:
            left[machine.access(tree, row)] = row
        assert left == leaves
        met += 1
    assert met > 2 * n


def test_a_queue_is_never_full():
    """Of a subtree with one free leaf, after which all are held, it does not matter where a PUSH would go."""
    law = QueueLaw
    assert [law.label(letters) for letters in ("eF", "eeF", "FeF", "eFF", "Fe", "eFe", "eFN", "NN")] == [
        "eF", "EF", "FeF", "eF", "Fe", "EFE", "EFN", "N",
    ]  # fmt: skip
    assert "Fe" not in law.full and "eF" in law.full and law.label("FN" + "F") not in law.labels


@pytest.mark.parametrize("name, table, where", [("stack", "right", (9, 33)), ("queue", "right", (0, 33 + 4 * 5))])
def test_whether_a_model_is_proved(name, table, where, monkeypatch):
    for machine, proved in (MACHINES[name], True), (flipped(MACHINES[name], table, where), False):
        monkeypatch.setattr(theorem, "extract", lambda *_, machine=machine, **__: machine)
        assert is_proved(None, get_task(name)) == proved

    def undecided(*_):
        raise Undecided("no input shows it")

    monkeypatch.setattr(theorem, "prove", undecided)
    assert not is_proved(None, get_task("smallest"))
    monkeypatch.undo()
    assert not is_proved(build(RECIPES[name]), get_task(name))  # its states are not finitely many


@pytest.mark.parametrize("name", ["stack", "queue"])
def test_a_start_goes_on_as_its_stream_does(name):
    """From any lawful filling, with the right answers, a right machine answers right; and all fillings come."""
    task, law, machine, n, fillings = get_task(name), LAWS[name], MACHINES[name], 4, set()
    some = random_starts(task, n, 8, 400, [3, 1])
    inputs, targets = begun(task, some)
    for number, (leaves, rows) in enumerate(some):
        letters = {None: law.unused, POP: law.popped}
        filling = "".join(letters.get(row, HELD) for row in leaves)
        fillings.add(filling)
        assert law.label(filling) in law.labels and len(rows) == 8
        stream = machine.operations[[*law.stream(leaves), *rows]]
        assert np.array_equal(inputs["queries"][number], stream[-8:])
        right, answered = answers_of(TableRunner(machine, task), task, stream[None].astype(int), n)
        assert np.array_equal(right[0, -8:], targets[number]) and (answered == right)[right >= 0].all()
        filled = [row is not None for row in leaves]
        written = machine.operations[[row for row in leaves if row is not None]]
        assert np.array_equal(inputs["filled"][number], filled)
        assert np.array_equal(inputs["written"][number][filled], written)
    lawful = ["".join(letters) for letters in itertools.product([law.unused, law.popped, HELD], repeat=n)]
    lawful = {each for each in lawful if law.label(each) in law.labels and each.count(HELD) <= task.room(n)}
    assert fillings == lawful
    again = random_starts(task, n, 8, 400, [3, 1])
    assert again == some != random_starts(task, n, 8, 400, [3, 2])


def test_a_counterexample_is_short():
    """Of equal keys the right one: two symbols show it."""
    example = prove(flipped(MACHINES["smallest"], "right", (0, 33 + 2 * 31)), get_task("smallest"))
    assert len(example.symbols) == 2 and "key 31" in str(example)


def test_what_is_too_near_is_followed_both_ways():
    """A second outcome of one JOIN, with another key: refuted; with the same key: proved."""
    right, task = MACHINES["smallest"], get_task("smallest")
    harmless = dataclasses.replace(right, forks=np.array([[3, 4, right.join[3, 5]]]))
    assert isinstance(prove(harmless, task), Proof)
    harmful = dataclasses.replace(right, forks=np.array([[3, 4, right.join[5, 5]]]))
    with pytest.raises(Undecided, match="wrong, but no input was found"):
        prove(harmful, task)


def test_merging_keeps_what_is_decided():
    """Each state twice is merged to the machine itself."""
    machine = MACHINES["sort"]
    two = np.arange(2 * machine.states) // 2
    wide = dataclasses.replace(
        machine,
        leaf=2 * machine.leaf + np.arange(1024) % 2,
        empty=2 * machine.empty,
        join=np.where(machine.join[np.ix_(two, two)] < 0, -1, 2 * machine.join[np.ix_(two, two)]),
        right=machine.right[:, two],
        written=np.where(machine.written[:, two] < 0, -1, 2 * machine.written[:, two] + 1),
        answer=machine.answer[two],
    )
    small = wide.merged()
    assert small.states == machine.merged().states <= machine.states < wide.states
    assert isinstance(prove(small, get_task("sort")), Proof)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_tournament_sorts(data):
    machine = MACHINES["sort"]
    leaves = data.draw(st.lists(st.integers(0, 1023), min_size=8, max_size=8))
    tree = machine.grow(machine.leaf[leaves])
    assert [machine.access(tree) for _ in range(8)] == np.argsort(KEYS[leaves], kind="stable").tolist()


def test_the_shipped_smallest_is_refuted():
    """Its ledger says not one error; four symbols are answered wrongly."""
    shipped = load_pretrained("smallest")
    example = examine(shipped.model, shipped.task)
    answer = shipped.answer(example.symbols[None])[0]
    assert len(example.symbols) <= 4
    assert np.array_equal(answer, example.answered) and not np.array_equal(answer, example.right)


@pytest.mark.parametrize(
    "model, task, message",
    [
        ("sort", "sort", "an LSTM's state is not finite"),
        ("reverse", "reverse", "reverse has no specification for a proof; those that have one: smallest, sort"),
    ],
)
def test_what_cannot_be_decided_says_why(model, task, message):
    with pytest.raises(Undecided, match=message):
        examine(load_pretrained(model).model, get_task(task))


@pytest.mark.parametrize("limit", [1, 2**15, 2.5, True])
def test_a_limit_out_of_range(limit):
    with pytest.raises(ValueError, match="limit: got .*; expected an integer from 2 to 32,767"):
        extract(None, limit)


def test_no_digital_nodes():
    with pytest.raises(NotFinite, match="its nodes are not digital"):
        extract(RawHAM(TreeMemory(10)))


def test_a_machine_of_other_symbols():
    with pytest.raises(ValueError, match="machine: its symbols have 10 bits; those of stack have 6"):
        prove(dataclasses.replace(MACHINES["stack"], operations=np.zeros((2, 10))), get_task("stack"))


@pytest.mark.parametrize("n, accesses", [(1, 1), (2, 2), (8, 5), (1024, 1024), (2048, 1100)])
def test_the_machine_at_speed_goes_where_its_tables_go(n, accesses):
    machine, rng = MACHINES["sort"], np.random.default_rng(0)
    leaves = machine.leaf[rng.integers(0, 1024, n)]
    leaves[accesses:] = machine.empty
    tree = machine.grow(leaves)
    assert places(machine, leaves, accesses).tolist() == [machine.access(tree) for _ in range(accesses)]


@pytest.mark.parametrize("accesses", [0, 9])
def test_more_accesses_than_leaves(accesses):
    with pytest.raises(ValueError, match="accesses: got .; expected 1 to n = 8"):
        places(MACHINES["sort"], MACHINES["sort"].leaf[:8], accesses)


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**31))
def test_extracted_tables_equal_the_network(seed):
    """On random trees of a memory that learned nothing: the same leaves, access by access."""
    keras.utils.set_random_seed(seed)
    memory = TreeMemory(3, node_width=5, query_width=1, join="carry", marks=2, write="emptying", hidden={"join": 8})
    memory.digital.assign(1.0)
    model = RawHAM(memory)
    machine, rng = extract(model), np.random.default_rng(seed)
    for tables in (machine, machine.merged()):
        symbols = rng.integers(0, 2, (1, 16, 3)).astype("float32")
        inputs = dict(symbols=symbols, lengths=np.array([13], "int32"), queries=np.zeros((1, 1, 0), "float32"))
        (visit,) = model.visits(inputs, watched=True)
        leaves = np.where(np.arange(16) < 13, tables.leaf[(symbols[0] @ [4, 2, 1]).astype(int)], tables.empty)
        assert tables.access(tables.grow(leaves)) == int(visit.where[0, 0, 0, -1]) - 16


@pytest.mark.parametrize("name", ["smallest-digital", "sort-digital"])
def test_the_shipped_proof_holds_again(tmp_path, name):
    """From the shipped weights the proof comes out once more; its file is of these weights alone."""
    shipped = load_pretrained(name)
    found = examine(shipped.model, shipped.task)
    assert isinstance(found, Proof) and found.checked > 10_000
    assert found.sha256 == shipped.card["proof"]["sha256"] == shipped.card["sha256"]
    (tmp_path / "proof.json").write_text(json.dumps(dataclasses.asdict(found)))
    assert read_proof(tmp_path / "proof.json", shipped.model).checked == found.checked
    shipped.model.memory.digital.assign(0.0)
    with pytest.raises(ValueError, match="digital"):
        read_proof(tmp_path / "proof.json", shipped.model)
    shipped.model.memory.digital.assign(1.0)
    bias = shipped.model.memory.search.first.bias
    bias.assign(bias + 0.1)
    with pytest.raises(ValueError, match="other weights"):
        read_proof(tmp_path / "proof.json", shipped.model)
    (tmp_path / "proof.json").write_text("{")
    with pytest.raises(ValueError, match="damaged or no proof"):
        read_proof(tmp_path / "proof.json", shipped.model)
    with pytest.raises(FileNotFoundError, match="proof: there is no file"):
        read_proof(tmp_path / "no.json", shipped.model)


@pytest.mark.parametrize("part", ["search", "answer"])
def test_what_is_too_near_to_a_threshold_is_either(part):
    """A bias puts the nearest decision, or the nearest bit, on its threshold: another device may see it otherwise."""
    memory = dict(node_width=6, query_width=6, join="carry", write="replace-saturating", marks=2)
    memory["hidden"] = {"join": 16, "search": 8}
    model, operations = build(dataclasses.replace(RECIPES["stack"], memory=memory)), operations_of(get_task("stack"))
    model.memory.digital.assign(1.0)
    bias = {"search": model.memory.search.last, "answer": model.output_mlp.first}[part].bias
    first, near = np.array(bias), 0.5 + extract(model, operations=operations).margins[part]
    seen, distance = set(), np.log(near / (1 - near))
    for shift in (-distance, distance, 100.0):  # to either side, and far away
        bias.assign(first + shift)
        machine = extract(model, operations=operations)
        doubtful = bool(((machine.right if part == "search" else machine.answer) == EITHER).any())
        assert doubtful == (machine.margins[part] < machine.margins[f"{part}_epsilon"])
        seen.add(doubtful)
    assert seen == {True, False}


@pytest.mark.parametrize("table", ["right", "answer"])
def test_either_is_no_answer(table):
    """Where a stack must know, a doubtful decision or bit proves nothing; a bit of a free leaf is never judged."""
    shipped = load_pretrained("stack-digital")
    machine = extract(shipped.model, operations=operations_of(shipped.task))
    held = machine.written[1, machine.empty]
    if table == "answer":
        machine.answer[machine.empty, 0] = EITHER
        assert isinstance(prove(machine, shipped.task), Proof)
        machine.answer[held, 0] = EITHER
    else:
        machine.right[0, machine.join[held, held]] = EITHER
    with pytest.raises(Undecided):
        prove(machine, shipped.task, shipped.model)


def test_the_tables_that_ship_sort_as_their_network_does():
    """Access by access, where keys are equal, sorted, reversed, one is different; and as a stable sort does."""
    sorter, rng = load_pretrained("sort-digital"), np.random.default_rng(0)
    machine, n = extract(sorter.model).merged(), 256
    some = rng.integers(0, 32, n)
    last = np.where(np.arange(n) == n - 1, 6, 7)
    for keys in (some, np.sort(some), np.sort(some)[::-1], np.full(n, 31), last, last[::-1]):
        numbers = 32 * keys + rng.integers(0, 32, n)
        bits = (numbers[None, :, None] >> np.arange(9, -1, -1)) & 1
        (visit,) = sorter.model.visits(sorter.task.inputs(*sorter.task.check_inputs(bits)), watched=True)
        order = places(machine, machine.leaf[numbers], n)
        np.testing.assert_array_equal(order, visit.where[0, :, 0, -1] - n)
        np.testing.assert_array_equal(order, np.argsort(keys, kind="stable"))


@pytest.mark.parametrize(
    "name, status, said", [("smallest-digital", 0, "proved"), ("smallest", 1, "symbols = ["), ("sort", 2, "")]
)
def test_ham_prove_ends_with_what_it_found(name, status, said, capsys):
    assert main(["prove", name]) == status
    assert said in capsys.readouterr().out
