import dataclasses
import subprocess
import sys

import keras
import numpy as np
import pytest
import reference
import tensorflow as tf
from test_memory import memory_of

from hamlib.memory import TreeMemory
from hamlib.models import HAM, EncoderDecoder, RawHAM
from hamlib.recipes import RECIPES
from hamlib.tasks import TASKS, Task, get_task
from hamlib.training import build


def data(n=8, batch=3, width=3, seed=0):
    draw = np.random.default_rng(seed)
    symbols = draw.integers(0, 2, (batch, n, width)).astype("float32")
    return {"symbols": symbols, "lengths": draw.integers(1, n + 1, batch).astype("int32")}


def with_queries(inputs, memory, accesses=3):
    shape = (len(inputs["symbols"]), accesses, memory.query_width)
    return inputs | {"queries": np.random.default_rng(5).normal(size=shape).astype("float32")}


@pytest.mark.parametrize(
    "attention, places", [("soft", None), ("hard", None), ("soft", [[-1, 3, 3], [0, -1, 7], [-1, -1, -1]])]
)
@pytest.mark.parametrize("output", ["symbols", "mlp"])
def test_a_sequence_of_accesses_is_the_papers(attention, places, output):
    """RawHAM against NumPy loops: attend, or go where it is told, read, answer, write; T times over."""
    memory = memory_of()
    model = RawHAM(memory, output=output, output_hidden=4)
    inputs = with_queries(data(), memory) | ({"places": np.array(places)} if places else {})
    answers = np.asarray(model(inputs, attention=attention))
    assert answers.shape == (3, 3, 3)
    for k in range(3):
        nodes = reference.grow(memory, inputs["symbols"][k], inputs["lengths"][k])
        for t, query in enumerate(inputs["queries"][k]):
            if attention == "soft":
                place = places[k][t] if places else -1
                p = reference.attend_soft(memory, nodes, query) if place < 0 else np.eye(8)[place]
                read, symbol = p @ nodes[8:], p @ inputs["symbols"][k]
                after = reference.write_soft(memory, nodes, p, query)
            else:
                path = reference.attend_hard(memory, nodes, query)
                read, symbol = nodes[path[-1]], inputs["symbols"][k, path[-1] - 8]
                after = reference.write_hard(memory, nodes, path, query)
            expected = symbol if output == "symbols" else reference.mlp(model.output_mlp, read)
            np.testing.assert_allclose(answers[k, t], expected, rtol=1e-3, atol=1e-4)
            nodes = after


def test_no_queries_means_one_access_with_a_zero_query():
    memory = memory_of()
    model, inputs = RawHAM(memory), data()
    zero = inputs | {"queries": np.zeros((3, 1, memory.query_width), "float32")}
    np.testing.assert_allclose(model(inputs), model(zero), atol=1e-6)


def test_queries_of_no_width_are_zero_queries():
    memory = memory_of()
    model, inputs = RawHAM(memory), data()
    nothing, zero = (inputs | {"queries": np.zeros((3, 4, k), "float32")} for k in (0, memory.query_width))
    np.testing.assert_allclose(model(nothing), model(zero), atol=1e-6)


def lstm(cell, x, h, c):
    """A step of the LSTM in NumPy: input, forget, cell and output gates in Keras's order."""
    gates = x @ np.asarray(cell.kernel) + h @ np.asarray(cell.recurrent_kernel) + np.asarray(cell.bias)
    i, f, g, o = np.split(gates, 4)
    c = reference.sigmoid(f) * c + reference.sigmoid(i) * np.tanh(g)
    return reference.sigmoid(o) * np.tanh(c), c


@pytest.mark.parametrize("attention", ["soft", "hard"])
@pytest.mark.parametrize("accesses, numbered", [(1, False), (2, False), (2, True)])
def test_the_controller_is_the_papers(attention, accesses, numbered):
    """HAM against NumPy loops (Sec. 3.2): attend with the old h, read, LSTM, write with the new h; η times a symbol."""
    memory = memory_of()
    model = HAM(memory, answer_width=4, accesses=accesses, numbered=numbered)
    numbers = np.asarray(model.numbers) if numbered else np.zeros((accesses, memory.query_width))
    inputs = data() | {"queries": np.zeros((3, 3, 0), "float32")}
    answers = np.asarray(model(inputs, attention=attention))
    kernel, bias = map(np.asarray, model.output_layer.weights)
    for k in range(3):
        nodes = reference.grow(memory, inputs["symbols"][k], inputs["lengths"][k])
        h = c = np.zeros(memory.query_width)
        for t in range(3):
            for number in numbers:
                if attention == "soft":
                    p = reference.attend_soft(memory, nodes, h + number)
                    h, c = lstm(model.controller, p @ nodes[8:], h, c)
                    nodes = reference.write_soft(memory, nodes, p, h)
                else:
                    path = reference.attend_hard(memory, nodes, h + number)
                    h, c = lstm(model.controller, nodes[path[-1]], h, c)
                    nodes = reference.write_hard(memory, nodes, path, h)
            np.testing.assert_allclose(answers[k, t], reference.sigmoid(h @ kernel + bias), rtol=1e-3, atol=1e-4)


def test_a_tree_over_decoys_is_searched_and_the_true_leaves_are_read():
    """HAM over decoys against NumPy loops: two sets of leaves, written alike; one is joined, the other read."""
    memory = memory_of()
    model = HAM(memory, answer_width=4, accesses=2)
    inputs, decoys = data() | {"queries": np.zeros((3, 3, 0), "float32")}, data(seed=1)["symbols"]
    answers = np.asarray(model(inputs | {"decoys": decoys}))
    kernel, bias = map(np.asarray, model.output_layer.weights)
    for k in range(3):
        true, nodes = (reference.grow(memory, x[k], inputs["lengths"][k]) for x in (inputs["symbols"], decoys))
        h = c = np.zeros(memory.query_width)
        for t in range(3):
            for _ in range(2):
                p = reference.attend_soft(memory, nodes, h)
                h, c = lstm(model.controller, p @ true[8:], h, c)
                true, nodes = (reference.write_soft(memory, tree, p, h) for tree in (true, nodes))
            np.testing.assert_allclose(answers[k, t], reference.sigmoid(h @ kernel + bias), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model(inputs | {"decoys": inputs["symbols"]}), model(inputs), atol=1e-5)


@pytest.mark.parametrize("make", [RawHAM, lambda memory: HAM(memory, answer_width=3, accesses=2, numbered=True)])
def test_what_is_computed_again_gives_the_same_gradient(make):
    """Compiled training keeps only the states between accesses; its gradient is that of the plain loop."""
    memory = memory_of()
    memory.join.noise.assign(0.0)
    model, inputs = make(memory), data() | {"queries": np.zeros((3, 4, 0), "float32")}

    def gradient(training):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.square(model(inputs, training=training)))
        return [tf.convert_to_tensor(g) for g in tape.gradient(y, model.trainable_variables)]  # none is None

    plain = gradient(False)
    ways = [gradient, tf.function(gradient), tf.function(gradient, jit_compile=True)]
    for again in [way(True) for way in ways]:
        for ours, theirs in zip(again, plain, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("make", [RawHAM, lambda memory: HAM(memory, answer_width=3)])
def test_skipped_symbols_are_made_hard(make):
    """Two symbols after five that are skipped are those of the whole hard answer; EMBED still gets its gradient."""
    model = make(memory_of())
    inputs = data()
    whole = model(inputs | {"queries": np.zeros((3, 7, 0), "float32")}, attention="hard")
    late = inputs | {"queries": np.zeros((3, 2, 0), "float32"), "skipped": np.full(3, 5, "int32")}
    np.testing.assert_allclose(model(late, attention="hard"), whole[:, 5:], atol=1e-5)
    # Decoys that are the true symbols change nothing.
    np.testing.assert_allclose(model(late | {"decoys": inputs["symbols"]}), model(late), atol=1e-5)

    @tf.function(jit_compile=True)
    def gradient():
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.square(model(late)))
        return tape.gradient(y, model.memory.embed.first.kernel)

    assert np.abs(gradient()).max() > 1e-4


@pytest.mark.parametrize("attention", ["soft", "hard"])
@pytest.mark.parametrize("make", [RawHAM, lambda memory: HAM(memory, answer_width=3, accesses=2)])
def test_a_trace_is_the_call_step_by_step(make, attention):
    model = make(memory_of())
    inputs = data() | {"queries": np.zeros((3, 4, 0), "float32")}
    steps = list(model.trace(inputs, attention))
    np.testing.assert_allclose(np.stack([s[2] for s in steps], axis=1), model(inputs, attention=attention), atol=1e-5)
    nodes, where, _ = steps[0]
    np.testing.assert_allclose(nodes, model.memory.grow(inputs["symbols"], inputs["lengths"]), atol=1e-5)
    assert {len(s[1]) for s in steps} == {getattr(model, "accesses", 1)}
    assert where[0].shape == ((3, 8) if attention == "soft" else (3, 4))


@pytest.mark.parametrize("attention", ["soft", "hard"])
def test_batch_mates_and_empty_leaves_change_nothing(attention):
    model = HAM(memory_of(), answer_width=3)
    inputs = data() | {"queries": np.zeros((3, 5, 0), "float32")}
    together = np.asarray(model(inputs, attention=attention))
    for k in range(3):
        alone = {name: value[k : k + 1].copy() for name, value in inputs.items()}
        alone["symbols"][:, alone["lengths"][0] :] = 7  # what stands past the end is never looked at
        np.testing.assert_allclose(model(alone, attention=attention)[0], together[k], atol=1e-5)
    filled = np.arange(8) < inputs["lengths"][:, None]
    np.testing.assert_allclose(model(inputs | {"filled": filled}, attention=attention), together, atol=1e-6)


@pytest.mark.parametrize("n", [8, 64])
def test_a_hard_access_touches_log_n_nodes(n, monkeypatch):
    """SEARCH at log2 n nodes on the way down, WRITE at one leaf, JOIN at log2 n nodes on the way up."""
    model = HAM(memory_of(), answer_width=3)
    memory, touched = model.memory, {}

    def counting(name, mlp):
        def count(inputs, *arguments, **more):
            touched[name] = touched.get(name, 0) + inputs.shape[1]
            return mlp(inputs, *arguments, **more)

        return count

    inputs = data(n, batch=1)
    nodes, h = memory.grow(inputs["symbols"], inputs["lengths"]), np.zeros((1, memory.query_width), "float32")
    for name in ("search", "join", "write_gate", "write_value"):
        object.__setattr__(memory, name, counting(name, getattr(memory, name)))
    path = memory.attend(nodes, h, "hard")
    memory.write(nodes, path, h)
    depth = n.bit_length() - 1
    assert touched == {"search": depth, "join": depth, "write_gate": 1, "write_value": 1}


def test_one_set_of_weights_for_every_n():
    model = build(RECIPES["smallest"])
    for n in (1, 2, 32, 256):
        for attention in ("soft", "hard"):
            assert model(data(n, width=10), attention=attention).shape == (3, 1, 10)
    assert model.count_params() == build(RECIPES["smallest"]).count_params()


@pytest.mark.parametrize("output", ["symbols", "mlp"])
def test_save_and_load(tmp_path, output):
    model, inputs = RawHAM(memory_of(), output=output), data()
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    whole = keras.saving.load_model(tmp_path / "model.keras")
    other = RawHAM(TreeMemory.from_config(model.memory.get_config()), output=output)
    other.load_weights(tmp_path / "model.weights.h5")
    for again in (whole, other):
        for attention in ("soft", "hard"):
            np.testing.assert_array_equal(again(inputs, attention=attention), model(inputs, attention=attention))


def additive_attention(query, keys, values, scale):
    """The mean of values under Bahdanau's weights, one at a time."""
    scores = np.array([sum(scale * np.tanh(query + key)) for key in keys])
    p = np.exp(scores - scores.max())
    return sum(weight * value for weight, value in zip(p / p.sum(), values, strict=True))


@pytest.mark.parametrize("attention", [False, True])
def test_the_models_without_a_tree(attention):
    """Against loops over symbols and steps; what stands past an input's end changes nothing."""
    keras.utils.set_random_seed(0)
    model = EncoderDecoder(10, 5, units=6, attention=attention)
    symbols = np.random.default_rng(0).integers(0, 2, (3, 8, 10)).astype("float32")
    lengths = np.array([8, 5, 1])
    inputs = {"symbols": symbols, "lengths": lengths, "queries": np.zeros((3, 4, 0), "float32")}
    answers = np.asarray(model(inputs))
    np.testing.assert_allclose(
        model(inputs | {"symbols": symbols * (np.arange(8) < lengths[:, None])[..., None]}), answers
    )

    layers = [model.encoder.forward_layer, model.encoder.backward_layer] if attention else [model.encoder]
    for k, m in enumerate(lengths):
        said = []
        for layer, order in zip(layers, (1, -1), strict=False):
            h = c = np.zeros(6)
            way = []
            for x in symbols[k, :m][::order]:
                h, c = lstm(layer.cell, x, h, c)
                way.append(h)
            said.append(way[::order])
            if order == 1:
                state = h, c
        values = np.concatenate(said, axis=1)
        h, c = state
        for t in range(4):
            read = np.zeros(0)
            if attention:
                weights = [np.asarray(w) for w in (model.keys.kernel, model.keys.bias, model.query.kernel)]
                read = additive_attention(
                    h @ weights[2], values @ weights[0] + weights[1], values, np.asarray(model.attends.scale)
                )
            h, c = lstm(model.decoder, read, h, c)
            logits = h @ np.asarray(model.output_layer.kernel) + np.asarray(model.output_layer.bias)
            np.testing.assert_allclose(answers[k, t], 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_the_models_without_a_tree_are_saved_and_have_more_weights(tmp_path):
    most = max(build(recipe).count_params() for recipe in RECIPES.values() if recipe.model == "ham")
    for name in ("sort-lstm", "sort-lstm+a"):
        model = build(RECIPES[name])
        assert model.count_params() > most
        inputs, _ = get_task("sort").examples(8, 4, 0, 0)
        model.save(tmp_path / "model.keras")
        np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(inputs), model(inputs))
    with pytest.raises(ValueError, match="units: got 0; expected a positive integer"):
        EncoderDecoder(10, 10, units=0)


def test_the_controller_is_saved_and_loaded(tmp_path):
    model, inputs = HAM(memory_of(), answer_width=3, accesses=2, numbered=True), data()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config() and again.accesses == 2
    for attention in ("soft", "hard"):
        np.testing.assert_array_equal(again(inputs, attention=attention), model(inputs, attention=attention))


def test_config_round_trip():
    model = RawHAM(memory_of("paper"), output="mlp", output_hidden=7)
    again = RawHAM.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]


EXPORTED = """
import sys, numpy as np, tensorflow as tf
for folder in sys.argv[1:]:
    given = dict(np.load(f"{folder}.npz"))
    wanted, saved = given.pop("wanted"), tf.saved_model.load(folder)
    for rows in (slice(None), slice(1)):
        got = saved.serve({name: tf.constant(value[rows]) for name, value in given.items()})
        np.testing.assert_allclose(got, wanted[rows], rtol=1e-4, atol=1e-5, err_msg=folder)
assert "hamlib" not in sys.modules
"""


def wrong_with_exported(*folders):
    """What a process without hamlib has against the models in these folders; nothing, where all answer as before."""
    found = subprocess.run([sys.executable, "-c", EXPORTED, *map(str, folders)], capture_output=True, text=True)
    return found.stderr[-2000:] if found.returncode else None


def test_export_to_saved_model(tmp_path):
    """Another process, without hamlib, runs the exported model for any batch size."""
    model, inputs = RawHAM(memory_of()), data()
    signature = {
        "symbols": keras.InputSpec(shape=(None, 8, 3), dtype="float32"),
        "lengths": keras.InputSpec(shape=(None,), dtype="int32"),
    }
    model.export(tmp_path / "saved", input_signature=[signature], verbose=False)
    np.savez(tmp_path / "saved.npz", wanted=model(inputs), **inputs)
    assert wrong_with_exported(tmp_path / "saved") is None


class Asked(Task):
    """The first symbol; something is asked, by which an untrained memory finds another one."""

    name, columns, answer_columns, query_columns, writes = "asked", {"a": 3}, {"a": 3}, {"q": 2}, False

    def answer_length(self, m):
        return 1

    def queries(self, symbols, lengths, seed):
        return symbols[:, :1, :2]

    def targets(self, symbols, lengths, queries):
        return symbols[:, :1]


@pytest.mark.parametrize("attention, names", [("soft", ("sort-lstm+a",)), ("hard", ("add", "stack"))])
def test_export_without_a_signature(tmp_path, attention, names, monkeypatch):
    """All kinds of models, with queries and without; after it has answered as before."""
    monkeypatch.setitem(TASKS, "asked", Asked())
    recipes = {name: RECIPES[name] for name in names}
    recipes["asked"] = dataclasses.replace(RECIPES["smallest-digital"], task="asked", memory="book-ask")
    for name, recipe in recipes.items():
        model = build(recipe)
        inputs, _ = get_task(recipe.task).examples(8, 3, 0, 0)
        wanted = np.asarray(model.respond(inputs, attention) if name == "asked" else model(inputs, attention=attention))
        model.export(tmp_path / name, verbose=False, n=8, attention=attention)
        np.savez(tmp_path / f"{name}.npz", wanted=wanted, **inputs)
        if name == "asked":
            assert {"symbols", "lengths", "queries"} == set(inputs)
            other = inputs | {"queries": 1 - inputs["queries"]}
            assert attention == "hard" or not np.allclose(model(other), wanted, atol=1e-3)  # so the query counts
    assert wrong_with_exported(*(tmp_path / name for name in recipes)) is None


def test_bad_input():
    with pytest.raises(ValueError, match="output: unknown 'words'; known: symbols, mlp"):
        RawHAM(memory_of(), output="words")
    with pytest.raises(ValueError, match="accesses: got 0; expected a positive integer"):
        HAM(memory_of(), answer_width=3, accesses=0)
    with pytest.raises(ValueError, match="attention: unknown 'both'; known: soft, hard"):
        HAM(memory_of(), answer_width=3)(data(), attention="both")
    with pytest.raises(ValueError, match="attention: unknown 'both'; known: soft, hard"):
        RawHAM(memory_of())(data(), attention="both")
    for aid, value in {"decoys": data()["symbols"], "places": np.zeros((3, 1))}.items():
        with pytest.raises(ValueError, match=f"attention: got 'hard' for a model that is given {aid}; expected 'soft'"):
            HAM(memory_of(), answer_width=3)(data() | {aid: value}, attention="hard")
    with pytest.raises(ValueError, match="n: got 5"):
        RawHAM(memory_of())(data(5))


def test_a_hard_answer_has_no_gradient():
    """A tape that is open does not disturb the compiled loop."""
    model, inputs = RawHAM(memory_of()), data()
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(model(inputs, attention="hard"))
    assert all(gradient is None for gradient in tape.gradient(y, model.trainable_variables))
