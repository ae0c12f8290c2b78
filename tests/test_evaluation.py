import numpy as np
import pytest
from keras import ops

from hamlib.evaluation import Rate, rates, wrong_rate
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
    batch = min(examples, rates.NODES_AT_ONCE // 16)
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
