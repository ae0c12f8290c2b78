"""The compiled loop of hard accesses against the model's own walk."""

import keras
import numpy as np
import pytest
from test_memory import memory_of

from hamlib.models import HAM, RawHAM, visits


def two_accesses():
    return HAM(memory_of(), answer_width=3, accesses=2, numbered=True)


@pytest.mark.parametrize("make", [lambda: RawHAM(memory_of()), two_accesses])
@pytest.mark.parametrize("chunk", [3, 4, 100])
def test_the_engine_goes_where_the_model_goes(make, chunk):
    """Leaf by leaf and bit by bit, wherever the loop is cut."""
    keras.utils.set_random_seed(1)
    model, draw = make(), np.random.default_rng(0)
    inputs = {"symbols": draw.integers(0, 2, (5, 8, 3)).astype("float32"), "lengths": np.array([8, 1, 3, 5, 7])}
    walk = list(model.walk(inputs | {"queries": np.zeros((5, 7, 0), "float32")}))
    chunks = list(visits(model, inputs, 7, chunk))
    assert [leaves.shape[1] for leaves, _ in chunks] == {3: [3, 3, 1], 4: [4, 3], 100: [7]}[chunk]
    leaves, answers = (np.concatenate(parts, axis=1) for parts in zip(*chunks, strict=True))
    for t, (_, paths, answer) in enumerate(walk):
        np.testing.assert_array_equal(leaves[:, t], np.stack([path[:, -1] for path in paths], axis=1) - 8)
        np.testing.assert_allclose(answers[:, t], answer, atol=1e-5)
    assert len(np.unique(leaves)) > 1


@pytest.mark.parametrize(
    "n, more, message",
    [
        (6, {}, "n: got 6; a full binary tree needs a power of two"),
        (8, dict(accesses=0), "accesses: got 0; expected a positive integer"),
        (8, dict(chunk=2.5), "chunk: got 2.5; expected a positive integer"),
        (2**40, {}, r"n: got 1,099,511,627,776 leaves, which need about [\d,]+ GB; there are [\d,]+ GB"),
    ],
)
def test_bad_arguments(n, more, message):
    symbols = np.broadcast_to(np.float32(0), (1, n, 3))  # takes no memory
    with pytest.raises(ValueError, match=message):
        next(visits(RawHAM(memory_of()), {"symbols": symbols, "lengths": [1]}, **(dict(accesses=1) | more)))
