"""Measuring: how many fresh sequences a model answers wrongly, hard or soft, at any n."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from hamlib.memory import check_attention
from hamlib.models import check_fits
from hamlib.tasks import stream_seed

AT_ONCE = 2500  # Sec. 4.1
NODES_AT_ONCE = 2**18  # of all trees in a batch: what fits the caches of a laptop


@dataclasses.dataclass(frozen=True)
class Rate:
    """How many of so many fresh sequences were answered wrongly."""

    wrong: int
    examples: int

    @property
    def right(self):
        """Sequences answered right, in percent."""
        return 100 * (1 - self.wrong / self.examples)

    @property
    def interval(self):
        """Wilson's 95% interval of `right`, (low, high) in percent."""
        z, n, p = 1.96, self.examples, 1 - self.wrong / self.examples
        middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return tuple(100 * min(1.0, max(0.0, (middle + sign * half) / (1 + z * z / n))) for sign in (-1, 1))

    def __str__(self):
        low, high = self.interval
        return f"{self.right:.2f}% right ({self.wrong} of {self.examples:,} wrong; 95% interval {low:.2f}-{high:.2f}%)"


def wrong_rate(model, task, n, examples=2500, seed=0, attention="hard", lengths=None, watch=None):
    """Count the sequences of fresh test examples that a model answers wrongly.

    Args:
        model: one with `respond`, or a function, called with (inputs, attention).
        task: a `hamlib.tasks.Task`.
        n: leaves of the tree, a power of two.
        examples: how many sequences.
        seed: of the test examples; no training run ever sees them.
        attention: ``"soft"`` or ``"hard"``.
        lengths: as in `hamlib.tasks.Task.examples`; None for inputs that fill the tree.
        watch: called with the number of examples that are done, again and again; None for nothing.

    Returns:
        a `Rate`.

    Raises:
        ValueError: an argument out of its range, or trees that need more memory than there is.
    """
    check_attention(attention)
    if isinstance(examples, bool) or not isinstance(examples, (int, np.integer)) or examples < 1:
        raise ValueError(f"examples: got {examples!r}; expected a positive integer")
    test_seed = stream_seed(seed, "test")
    # The sampling is compiled for each size of a batch, and that is never given back: so a few sizes for all counts.
    batch = int(min(AT_ONCE * math.ceil(examples / AT_ONCE), max(1, NODES_AT_ONCE // (2 * max(1, n)))))
    task.check_request(n, batch, lengths)  # bad arguments speak before anything is compiled
    if memory := getattr(model, "memory", None):
        check_fits(n, batch, memory.node_width)

    wrong, answer = [], getattr(model, "respond", model)
    for step in range(math.ceil(examples / batch)):
        batch_of = task.examples(n, batch, test_seed, tf.constant(step, tf.int64), lengths)
        inputs, targets = tf.nest.map_structure(lambda value: value[: examples - step * batch], batch_of)  # noqa: B023
        wrong.append(np.asarray(task.wrong(targets, answer(inputs, attention))))
        if watch:
            watch(min(int(examples), (step + 1) * batch))
    return Rate(int(np.concatenate(wrong).sum()), int(examples))
