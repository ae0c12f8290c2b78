import numpy as np
import pytest
import reference
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hamlib.memory import PRESETS, TreeMemory, check_power_of_two, preset, read_leaves, spell_out
from hamlib.models import RawHAM

SIZES = (1, 2, 8, 16)


def memory_of(name="book", digital=0.0, **changes):
    """A memory whose weights are no special case: all of them random, biases and norms too."""
    memory = TreeMemory(3, **(preset(name) | changes))
    draw = np.random.default_rng(0)
    memory.set_weights([draw.normal(0, 0.3, w.shape) + (w.name == "gamma") for w in memory.weights])
    if memory.digital is not None:
        memory.digital.assign(digital)
    return memory


def inputs(n, batch=3, seed=1):
    draw = np.random.default_rng(seed)
    symbols = draw.integers(0, 2, (batch, n, 3)).astype("float32")
    lengths = draw.integers(1, n + 1, batch).astype("int32")
    return symbols, lengths


def queries(memory, batch=3, seed=2):
    return np.random.default_rng(seed).normal(size=(batch, memory.query_width)).astype("float32")


@pytest.mark.parametrize(("name", "digital"), [*((name, 0.0) for name in PRESETS), ("digital", 1.0)])
@pytest.mark.parametrize("n", SIZES)
def test_every_move_is_the_papers(name, digital, n):
    memory = memory_of(name, digital)
    symbols, lengths = inputs(n)
    query = queries(memory)
    nodes = np.asarray(memory.grow(symbols, lengths))
    p = np.asarray(memory.attend(nodes, query, "soft"))
    path = np.asarray(memory.attend(nodes, query, "hard"))
    soft = np.asarray(memory.write(nodes, p, query))
    hard = np.asarray(memory.write(nodes, path, query))
    assert nodes.shape == (3, 2 * n, memory.node_width) and p.shape == (3, n) and path.shape == (3, n.bit_length())
    close = dict(rtol=1e-4, atol=1e-5)
    for k in range(3):
        np.testing.assert_allclose(nodes[k], reference.grow(memory, symbols[k], lengths[k]), **close)
        np.testing.assert_allclose(p[k], reference.attend_soft(memory, nodes[k], query[k]), **close)
        assert path[k].tolist() == reference.attend_hard(memory, nodes[k], query[k])
        np.testing.assert_allclose(soft[k], reference.write_soft(memory, nodes[k], p[k], query[k]), **close)
        np.testing.assert_allclose(hard[k], reference.write_hard(memory, nodes[k], path[k], query[k]), **close)
        np.testing.assert_allclose(np.asarray(memory.read(nodes, p))[k], p[k] @ nodes[k, n:], **close)
        np.testing.assert_array_equal(np.asarray(memory.read(nodes, path))[k], nodes[k, path[k, -1]])


def test_a_hard_write_changes_only_the_path():
    memory = memory_of()
    symbols, lengths = inputs(16)
    query = queries(memory)
    nodes = np.asarray(memory.grow(symbols, lengths))
    path = np.asarray(memory.attend(nodes, query, "hard"))
    changed = (np.asarray(memory.write(nodes, path, query)) != nodes).any(-1)
    for k in range(3):
        assert set(np.flatnonzero(changed[k])) <= set(path[k]) and changed[k, path[k, -1]]


@pytest.mark.parametrize("hidden", [0, 8])
def test_an_emptying_write_begins_by_emptying(hidden):
    memory = TreeMemory(4, 6, 5, write="emptying", hidden={"write": hidden})
    for mlp in (memory.write_gate, memory.write_value):  # its biases are 4 and -4: without the weights nothing is left
        layer = mlp.last or mlp.first
        layer.bias.assign(7.5 * layer.bias)
    nodes = np.ones((2, 16, 6), "float32")
    path = np.array([[1, 2, 4, 8], [1, 3, 6, 13]], "int32")
    leaves = np.asarray(memory.write(nodes, path, np.ones((2, 5), "float32")))[:, 8:]
    np.testing.assert_allclose(leaves[[0, 1], [0, 5]], 0, atol=1e-5)


@pytest.mark.parametrize("attention", ["soft", "hard"])
def test_a_leaf_that_is_replaced_keeps_nothing(attention):
    memory = TreeMemory(4, 6, 5, write="replace")
    where = np.eye(8, dtype="float32")[[0, 5]] if attention == "soft" else np.int32([[1, 2, 4, 8], [1, 3, 6, 13]])
    query, nodes = queries(memory, 2), np.random.default_rng(0).normal(size=(2, 16, 6)).astype("float32")
    leaves = [np.asarray(memory.write(values, where, query))[:, 8:] for values in (nodes, 1 - nodes)]
    for row, leaf in ((0, 0), (1, 5)):
        np.testing.assert_array_equal(leaves[0][row, leaf], leaves[1][row, leaf])
        np.testing.assert_array_equal(np.delete(leaves[0][row], leaf, 0), np.delete(nodes[row, 8:], leaf, 0))


def test_golden_values():
    """A fixed memory gives fixed numbers: guards against a change of meaning that is right with itself."""
    memory = memory_of("paper")
    symbols, lengths = inputs(4, batch=1)
    nodes = np.asarray(memory.grow(symbols, lengths))
    p = np.asarray(memory.attend(nodes, queries(memory, 1), "soft"))
    np.testing.assert_allclose(nodes[0, 1, :4], GOLDEN_ROOT, rtol=1e-4)
    np.testing.assert_allclose(p[0], GOLDEN_P, rtol=1e-4)


GOLDEN_ROOT = [0.7891428, 0, 0.2321584, 0.1690903]
GOLDEN_P = [0.0001777464, 0.01208958, 0.005153515, 0.9825792]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5), st.integers(0, 10**6))
def test_probabilities_sum_to_one(depth, seed):
    memory = memory_of()
    draw = np.random.default_rng(seed)
    nodes = draw.normal(0, 3, (2, 2 << depth, memory.node_width)).astype("float32")
    p = np.asarray(memory.attend(nodes, queries(memory, 2, seed), "soft"))
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    assert (p >= 0).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 4), st.integers(0, 10**6))
@example(2, 38530)  # a decision so close that 1e4 times its weights leave it at .95
def test_soft_is_hard_when_decisions_are_certain(depth, seed):
    memory = memory_of()
    weights = memory.search.get_weights()
    memory.search.set_weights([1e8 * w for w in weights])  # SEARCH says 0 or 1
    symbols, lengths = inputs(1 << depth, batch=2, seed=seed)
    query = queries(memory, 2, seed)
    nodes = memory.grow(symbols, lengths)
    p, path = memory.attend(nodes, query, "soft"), memory.attend(nodes, query, "hard")
    np.testing.assert_array_equal(np.asarray(p).argmax(1) + (1 << depth), np.asarray(path)[:, -1])
    np.testing.assert_allclose(np.asarray(p).max(1), 1)
    np.testing.assert_allclose(memory.read(nodes, p), memory.read(nodes, path), atol=1e-5)
    np.testing.assert_allclose(memory.write(nodes, p, query), memory.write(nodes, path, query), atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 3), st.integers(0, 10**6), st.sampled_from(["soft", "hard"]))
def test_batch_mates_and_what_stands_past_the_end_change_nothing(depth, seed, attention):
    memory = memory_of()
    symbols, lengths = inputs(1 << depth, batch=4, seed=seed)
    query = queries(memory, 4, seed)
    scribbled = symbols.copy()
    for row, m in zip(scribbled, lengths, strict=True):
        row[m:] = 1 - row[m:]
    together = memory.attend(memory.grow(scribbled, lengths), query, attention)
    for k in range(4):
        alone = memory.attend(memory.grow(symbols[k : k + 1], lengths[k : k + 1]), query[k : k + 1], attention)
        np.testing.assert_allclose(np.asarray(together)[k], np.asarray(alone)[0], rtol=1e-4, atol=1e-6)


def test_leaves_past_the_end_are_zero():
    memory = memory_of()
    nodes = np.asarray(memory.grow(np.ones((1, 8, 3), "float32"), [5]))
    assert (nodes[0, 13:] == 0).all() and (nodes[0, 8:13] != 0).any(-1).all() and (nodes[0, 0] == 0).all()


def test_read_leaves_reads_any_values():
    values = np.arange(24.0, dtype="float32").reshape(2, 4, 3)
    path = np.array([[1, 3, 6], [1, 2, 4]], "int32")
    np.testing.assert_array_equal(read_leaves(values, path), values[[0, 1], [2, 0]])
    p = np.array([[0, 0, 1, 0], [0.5, 0.5, 0, 0]], "float32")
    np.testing.assert_allclose(read_leaves(values, p), [values[0, 2], (values[1, 0] + values[1, 1]) / 2])


def test_a_join_that_copies_hands_up_one_child_at_any_depth():
    """g = 1 where the right child's first coordinate is the larger one: the root is the leaf that is largest there."""
    memory = TreeMemory(4, 6, 5, join="copy", hidden={})
    kernel, bias = np.zeros((12, 13)), np.zeros(13)
    kernel[0, -1], kernel[6, -1], bias[6:12] = -1e4, 1e4, -1e4  # T = 0: nothing is new
    memory.join.norm = None
    memory.join.first.set_weights([kernel, bias])
    leaves = np.random.default_rng(0).normal(size=(5, 64, 6)).astype("float32")
    root = np.asarray(memory.join_all(leaves))[:, 1]
    np.testing.assert_array_equal(root, leaves[range(5), leaves[..., 0].argmax(1)])


def test_a_join_that_copies_at_first_has_a_gate_that_is_biased():
    """T = 0: each coordinate is the same mean of left and right, however JOIN's weights were drawn."""
    memory = TreeMemory(4, 6, 5, join="copy-at-first")
    np.testing.assert_array_equal(memory.join.norm.beta, [0] * 6 + [-1] * 6 + [0])
    memory.join.norm.beta.assign(9 * memory.join.norm.beta)  # a normalised sum is at most 3.6
    leaves = np.random.default_rng(0).normal(size=(5, 2, 6)).astype("float32")
    from_right = (np.asarray(memory.join(leaves.reshape(5, 1, 12)))[:, 0, -1:] + 1) / 2
    mean = from_right * leaves[:, 1] + (1 - from_right) * leaves[:, 0]
    np.testing.assert_allclose(np.asarray(memory.join_all(leaves))[:, 1], mean, rtol=1e-4, atol=1e-5)


def test_a_digital_memory_hands_up_exact_copies_and_exact_digits():
    """Rounded, each node's carried part is some leaf's below it, bit for bit, and its marks are -1 or 1."""
    memory = memory_of("digital", digital=1.0)
    nodes = np.asarray(memory.grow(*inputs(16)))
    carried, marks = nodes[..., :8], nodes[..., 8:]
    assert set(np.unique(marks[:, 1:16])) == {-1.0, 1.0} and (marks[:, 16:] == 0).all()
    leaves = [{leaf.tobytes() for leaf in tree[16:]} for tree in carried + 0.0]  # -0.0 is 0.0
    for row in range(1, 16):
        assert all((node + 0.0).tobytes() in below for node, below in zip(carried[:, row], leaves, strict=True))
    query = queries(memory)
    path = memory.attend(nodes, query, "hard")
    written = np.asarray(memory.write(nodes, path, query))[range(3), np.asarray(path)[:, -1]]
    assert (written[:, 8:] == 0).all() and written[:, :8].all()


def test_a_digital_memory_begins_continuous_and_its_digit_is_saved(tmp_path):
    memory = memory_of("digital")
    model = RawHAM(memory)
    g = (np.asarray(memory.join(np.random.default_rng(0).normal(size=(1, 99, 22)).astype("float32"))) + 1) / 2
    assert ((g > 0) & (g < 1)).any()
    memory.digital.assign(1.0)
    model.save_weights(tmp_path / "digital.weights.h5")
    again = RawHAM(TreeMemory(3, **preset("digital")))
    assert float(again.memory.digital) == 0
    again.load_weights(tmp_path / "digital.weights.h5")
    assert float(again.memory.digital) == 1


@pytest.mark.parametrize("jit", [False, True])
def test_rounding_is_exact_and_its_gradient_goes_straight_through(jit):
    memory = memory_of("digital", noise={})
    pairs = tf.constant(np.random.default_rng(0).normal(size=(2, 50, 22)).astype("float32"))

    @tf.function(jit_compile=jit)
    def run():
        with tf.GradientTape() as tape:
            tape.watch(pairs)
            values = memory._joined(pairs)
        return values, tape.gradient(values[..., 8:], memory.join.trainable_variables)

    memory.digital.assign(0.0)
    _, continuous = run()
    memory.digital.assign(1.0)
    values, rounded = run()
    assert set(np.unique(values[..., 8:])) == {-1.0, 1.0}
    for one, other in zip(continuous, rounded, strict=True):
        np.testing.assert_array_equal(one, other)


def test_noise():
    """One tensor for SEARCH, then one a level, lowest first: uniform on ± the noise, before the activation."""
    memory = TreeMemory(4, 6, 5, noise={"join": 0.5, "search": 2.0})
    noise = memory.sample_noise(200, 8)
    assert [tuple(x.shape) for x in noise] == [(200, 7, 1), *((200, k, 6) for k in (4, 2, 1))]
    for k, x in enumerate(map(np.asarray, noise)):
        x = x / (0.5 if k else 2.0)
        assert 0.98 < abs(x).max() <= 1 and abs(x.mean()) < 0.05 and x.std() == pytest.approx(1 / np.sqrt(3), rel=0.05)
    assert (np.asarray(memory.sample_noise(200, 8)[1]) != np.asarray(noise[1])).any()
    leaves = np.random.default_rng(0).normal(size=(200, 8, 6)).astype("float32")
    quiet, noisy = memory.join_all(leaves), memory.join_all(leaves, [*noise[:3], 0 * noise[3] - 9])
    assert (np.asarray(noisy)[:, 2:8] != np.asarray(quiet)[:, 2:8]).any()
    np.testing.assert_array_equal(np.asarray(noisy)[:, 8:], leaves)
    assert (np.asarray(noisy)[:, 1] == -1).all()  # the last tensor is the root's
    query, certain = np.ones((200, 5), "float32"), np.full((200, 7, 1), 99.0, "float32")
    p = np.asarray(memory.attend(quiet, query, noise=[certain]))
    np.testing.assert_allclose(p[:, 7], 1, atol=1e-5)  # always right
    assert (np.asarray(memory.attend(quiet, query))[:, 7] < 0.99).all()


def test_noise_of_embed_comes_last_and_is_on_the_leaves():
    memory = TreeMemory(4, 6, 5, noise={"embed": 0.5})
    noise = memory.sample_noise(3, 8)
    assert [tuple(x.shape) for x in noise] == [(3, 7, 1), *((3, k, 6) for k in (4, 2, 1)), (3, 8, 6)]
    assert not any(np.asarray(x).any() for x in noise[:-1]) and np.asarray(noise[-1]).any()
    symbols = np.ones((3, 8, 4), "float32")
    assert (np.asarray(memory.grow(symbols, [8, 8, 8], [*noise[:-1], 0 * noise[-1] - 9]))[:, 8:] == -1).all()


def test_noise_ends():
    memory = TreeMemory(4, 6, 5, noise={"join": 0.5})
    assert not np.asarray(memory.sample_noise(3, 8)[0]).any()  # none was asked for SEARCH
    memory.join.noise.assign(0.0)
    assert not any(np.asarray(level).any() for level in memory.sample_noise(3, 8))
    assert memory_of("2016").sample_noise(3, 8) == []


def test_the_number_of_weights_is_the_papers():
    """2016 code: EMBED b·d, JOIN 2d·d, both without bias; SEARCH d + l, and one bias."""
    memory = TreeMemory(10, **preset("2016"), write=None)
    assert memory.count_params() == 10 * 20 + 40 * 20 + (20 + 20) + 1


def test_a_preset_spelled_out_is_the_same_memory():
    """Every argument is named, so that what a run keeps does not depend on what is the default later."""
    for name in PRESETS:
        whole, config = spell_out(name), TreeMemory(3, **preset(name)).get_config()
        assert TreeMemory(3, **whole).get_config() | {"name": ""} == config | {"name": ""}
        assert set(whole) == set(config) - {"name", "dtype", "trainable", "symbol_width"}
    with pytest.raises(ValueError, match="memory: got {'depth': 3}; expected a preset, or a mapping with some of"):
        spell_out({"depth": 3})


def test_config_round_trip():
    memory = memory_of("paper", write=None)
    again = TreeMemory.from_config(memory.get_config())
    assert again.get_config() == memory.get_config()
    assert [w.shape for w in again.weights] == [w.shape for w in memory.weights]


@pytest.mark.parametrize("n", [0, -4, 3, 12, 2.0, "8", True, None])
def test_n_must_be_a_power_of_two(n):
    with pytest.raises(ValueError, match="n: got .*power of two"):
        check_power_of_two(n)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (dict(symbol_width=0), "symbol_width: got 0; expected an integer of at least 1"),
        (dict(node_width=2.5), "node_width: got 2.5"),
        (dict(query_width=True), "query_width: got True"),
        (dict(hidden={"join": -1}), r"hidden\['join'\]: got -1; expected an integer of at least 0"),
        (dict(hidden={"joint": 1}), "hidden: got {'joint': 1}; expected a mapping .* embed, join, search, write"),
        (dict(noise={"join": float("nan")}), r"noise\['join'\]: got nan; expected a number of at least 0"),
        (dict(noise={"write": 1.0}), "noise: got {'write': 1.0}; expected a mapping .* embed, join, search"),
        (dict(noise=0.5), "noise: got 0.5"),
        (dict(node="sharp"), "node: unknown 'sharp'; known: relu-unbiased, relu, "),
        (dict(join="old"), "join: unknown 'old'; known: new, copy, copy-at-first, carry"),
        (dict(write=False), "write: unknown False; known: .*replace-saturating, put, None"),
        (dict(join="copy", node="relu"), "node: got 'relu'; with join='copy', expected 'saturating'"),
        (dict(join="carry", marks=32), "marks: got 32; expected fewer than node_width = 32"),
        (dict(join="digits"), "write: got 'highway' with join='digits'; 'put' and 'digits' go together"),
        (dict(write="put"), "write: got 'put' with join='new'; 'put' and 'digits' go together"),
        (dict(join="digits", write="put"), r"node_width: got 32; expected query_width \+ marks = 35"),
    ],
)
def test_bad_widths(bad, message):
    with pytest.raises(ValueError, match=message):
        TreeMemory(**({"symbol_width": 3} | bad))


def test_bad_calls():
    memory = memory_of(write=None)
    nodes = memory.grow(*inputs(4))
    with pytest.raises(ValueError, match="attention: unknown 'sharp'; known: soft, hard"):
        memory.attend(nodes, queries(memory), "sharp")
    with pytest.raises(ValueError, match="write: this memory is read-only"):
        memory.write(nodes, memory.attend(nodes, queries(memory)), queries(memory))
    with pytest.raises(ValueError, match=r"symbols: got shape \(3, 4, 5\); expected \[batch, n, b=3\]"):
        memory.grow(np.zeros((3, 4, 5), "float32"), [1, 1, 1])
    with pytest.raises(ValueError, match="n: got 6"):
        memory.grow(np.zeros((3, 6, 3), "float32"), [1, 1, 1])
    with pytest.raises(ValueError, match="preset: unknown 'papre'; known: 2016, paper, book"):
        preset("papre")
