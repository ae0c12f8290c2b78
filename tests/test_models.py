import subprocess
import sys

import keras
import numpy as np
import pytest
import reference
from test_memory import memory_of

from hamlib.memory import TreeMemory
from hamlib.models import RawHAM
from hamlib.training import RECIPES, build


def data(n=8, batch=3, width=3, seed=0):
    draw = np.random.default_rng(seed)
    symbols = draw.integers(0, 2, (batch, n, width)).astype("float32")
    return {"symbols": symbols, "lengths": draw.integers(1, n + 1, batch).astype("int32")}


def with_queries(inputs, memory, accesses=3):
    shape = (len(inputs["symbols"]), accesses, memory.query_width)
    return inputs | {"queries": np.random.default_rng(5).normal(size=shape).astype("float32")}


@pytest.mark.parametrize("attention", ["soft", "hard"])
@pytest.mark.parametrize("output", ["symbols", "mlp"])
def test_a_sequence_of_accesses_is_the_papers(attention, output):
    """RawHAM against NumPy loops: attend, read, answer, write; T times over."""
    memory = memory_of()
    model = RawHAM(memory, output=output, output_hidden=4)
    inputs = with_queries(data(), memory)
    answers = np.asarray(model(inputs, attention=attention))
    assert answers.shape == (3, 3, 3)
    for k in range(3):
        nodes = reference.grow(memory, inputs["symbols"][k], inputs["lengths"][k])
        for t, query in enumerate(inputs["queries"][k]):
            if attention == "soft":
                p = reference.attend_soft(memory, nodes, query)
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


def test_config_round_trip():
    model = RawHAM(memory_of("paper"), output="mlp", output_hidden=7)
    again = RawHAM.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]


def test_export_to_saved_model(tmp_path):
    """Another process, without hamlib, runs the exported model for any batch size."""
    model, inputs = RawHAM(memory_of()), data()
    signature = {
        "symbols": keras.InputSpec(shape=(None, 8, 3), dtype="float32"),
        "lengths": keras.InputSpec(shape=(None,), dtype="int32"),
    }
    model.export(tmp_path / "saved", input_signature=[signature], verbose=False)
    np.savez(tmp_path / "inputs.npz", **inputs)
    code = (
        "import sys, numpy as np, tensorflow as tf; saved = tf.saved_model.load('saved');"
        "inputs = {k: tf.constant(v) for k, v in np.load('inputs.npz').items()};"
        "np.save('answers.npy', saved.serve(inputs)); assert 'hamlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), model(inputs), rtol=1e-5, atol=1e-6)


def test_bad_input():
    with pytest.raises(ValueError, match="output: unknown 'words'; known: symbols, mlp"):
        RawHAM(memory_of(), output="words")
    with pytest.raises(ValueError, match="attention: unknown 'both'; known: soft, hard"):
        RawHAM(memory_of())(data(), attention="both")
    with pytest.raises(ValueError, match="n: got 5"):
        RawHAM(memory_of())(data(5))
