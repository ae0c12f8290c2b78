"""Learning with REINFORCE (Sec. 3.3): paths are sampled decision by decision, and better ones are made more likely.

``PolicyGradient(model).compile(optimizer, Reinforce())`` and ``fit`` train any model with a tree. An access touches
log2 n nodes on the way forward and back, so a training step costs Θ(log n) for each access, however many came before.
Only growing a tree over an input, and listing where its nodes lie, takes Θ(n), once.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from hamlib.memory import FLOAT32, add_rows, rows
from hamlib.models.access import Journal, access_along, around, hard_access
from hamlib.models.hard_training import HardTraining, bits_cost


def rollout(model, inputs, thresholds, noise=None):
    """Answer along sampled paths: at each decision right, where SEARCH is above a threshold.

    Args:
        model: a `RawHAM` or a `HAM`.
        inputs: as in its call.
        thresholds: ``[batch, K, log2 n]``, K = η·T accesses; uniform on [0, 1) to sample paths by their probability.
        noise: ``[batch, K, log2 n, units]``, added in each JOIN before its activation; None for none.

    Returns:
        ``answers[batch, K, b]``, made after each access, of which each η-th counts; ``p[batch, K, log2 n]``, SEARCH's
        probability of going right at each decision; ``paths[batch, K, log2 n + 1]``; and ``queries[batch, K, l]``,
        which SEARCH saw. Gradients flow through the first two, to all that is not a decision.
    """
    queries, (nodes, state, _) = model.asked(inputs), model.start(inputs)
    loops = _Rollout(model, inputs["symbols"], queries, thresholds, noise)
    first = ops.tile(loops.memory.empty(loops.n)[None], (loops.batch, 1, 1)) if loops.starts_empty else nodes

    @tf.custom_gradient
    def run(first, *tensors):
        controller, weights = tensors[: len(state)], tensors[len(state) :]
        kept = loops.forward(first, controller, weights)

        def gradient(answers, p, *_):
            return loops.backward(kept, controller, weights, answers, p)

        return (kept.answers, kept.p, kept.paths, kept.queries), gradient

    results = run(first, *state, *map(tf.convert_to_tensor, model.variables_of_a_step))
    return [ops.swapaxes(result, 0, 1) for result in results]


class _Kept(NamedTuple):
    """What the way forward leaves for the way back: ``journal[batch, r, d]``, and of each of the K accesses, first
    axis, what it saw and made."""

    journal: Any
    answers: Any  # [K, batch, b]
    p: Any  # [K, batch, log2 n]
    paths: Any  # [K, batch, log2 n + 1]
    queries: Any  # [K, batch, l]
    seen: Any  # [K, batch, 2 * log2 n + 1], rows of the journal
    controller: tuple  # its states before each access, [K, batch, ...]


class _Rollout:
    """K accesses along sampled paths, and back-propagation through what they touched: Θ(log n) each, both ways.

    What an access writes is not put into a tree, but into a `Journal`, where later ones find it.
    """

    def __init__(self, model, symbols, queries, thresholds, noise):
        self.model, self.memory = model, model.memory
        self.symbols, self.queries = ops.convert_to_tensor(symbols), queries
        self.thresholds = ops.convert_to_tensor(thresholds)
        self.noise = None if noise is None else ops.convert_to_tensor(noise)
        self.batch, self.n, width = self.symbols.shape
        self.starts_empty = width == 0
        self.height = self.n.bit_length()
        self.accesses = model.accesses * queries.shape[1]

    def at(self, k):
        """Return what access k is given: its query, its number among η, and its noise."""
        noise = None if self.noise is None else self.noise[:, k]
        return self.model.widen(self.queries[:, k // self.model.accesses]), k % self.model.accesses, noise

    def with_weights(self, weights):
        """Use these tensors for the model's weights: a loop's gradient needs all that it depends on as an argument."""
        return keras.StatelessScope(state_mapping=list(zip(self.model.variables_of_a_step, weights, strict=True)))

    def begin(self, first):
        """Return the `Journal` over the nodes at the start; of an empty tree ``first`` has one for each level."""
        row = np.arange(2 * self.n)
        level = np.frexp(np.maximum(row, 1))[1] - 1
        place = ops.convert_to_tensor(level if self.starts_empty else row, "int32")
        return Journal.begin(first, ops.tile(place[None, :, None], (self.batch, 1, 1)), self.accesses)

    def decisions(self, k, nodes, controller):
        """Return ``p[batch, log2 n]``, and the query that SEARCH saw, at the nodes of the path."""
        query, number, _ = self.at(k)
        asked = self.model.make_query(query, controller, number)
        if self.n == 1:
            return ops.zeros_like(asked[:, :0]), asked
        return self.memory.search(nodes[:, : self.height - 1], asked)[..., 0], asked

    def forward(self, first, controller, weights):
        """Make all accesses, one after the other."""

        def step(k, journal, controller, arrays):
            query, number, noise = self.at(k)
            with self.with_weights(weights):
                after, path, made = hard_access(
                    self.model, journal, query, controller, number, self.symbols, self.thresholds[:, k], noise
                )
                seen = after.seen if self.memory.writable else rows(journal.place, around(path))[..., 0]
                p, asked = self.decisions(k, rows(journal.values, seen), controller)
            kept = [made.answer, p, path, asked, seen, *controller]
            arrays = [array.write(k, value) for array, value in zip(arrays, kept, strict=True)]
            return k + 1, after, tuple(made.controller), arrays

        kinds = [tf.float32, tf.float32, tf.int32, tf.float32, tf.int32, *(state.dtype for state in controller)]
        arrays = [tf.TensorArray(kind, self.accesses) for kind in kinds]
        state = tf.constant(0), self.begin(first), tuple(controller), arrays
        _, journal, _, arrays = tf.while_loop(
            lambda k, *_: k < self.accesses, step, state, maximum_iterations=self.accesses
        )
        answers, p, paths, queries, seen, *states = [array.stack() for array in arrays]
        return _Kept(journal.values, answers, p, paths, queries, seen, tuple(states))

    def backward(self, kept, controller, weights, answers, p):
        """Go back through all accesses, the last first.

        Args:
            kept: what `forward` returned.
            controller, weights: as in `forward`.
            answers, p: the gradients of ``kept.answers`` and ``kept.p``.

        Returns:
            the gradients of the nodes at the start, of the controller's first states, and of the weights.
        """
        start = kept.journal.shape[1] - self.accesses * self.height
        shape = (self.batch, self.height, self.memory.node_width)

        def step(k, journal, after, weights_so_far):
            nodes = rows(kept.journal, kept.seen[k])
            before = tuple(states[k] for states in kept.controller)
            with tf.GradientTape() as tape:
                tape.watch([nodes, before, weights])
                with self.with_weights(weights):
                    query, _, noise = self.at(k)
                    made = access_along(self.model, kept.paths[k], nodes, query, before, self.symbols, noise)
                    decided, _ = self.decisions(k, nodes, before)
            written = ops.slice(journal, (0, start + k * self.height, 0), shape)
            found = tape.gradient(
                [made.values, *made.controller, made.answer, decided],
                [nodes, *before, *weights],
                output_gradients=[written, *after, answers[k], p[k]],
                unconnected_gradients="zero",
            )
            journal = add_rows(journal, kept.seen[k], found[0])
            summed = [a + b for a, b in zip(weights_so_far, found[1 + len(before) :], strict=True)]
            return k - 1, journal, tuple(found[1 : 1 + len(before)]), summed

        zeros = [ops.zeros_like(kept.journal), tuple(map(ops.zeros_like, controller)), [*map(ops.zeros_like, weights)]]
        state = (tf.constant(self.accesses - 1), *zeros)
        _, journal, controller, weights = tf.while_loop(
            lambda k, *_: k >= 0, step, state, maximum_iterations=self.accesses
        )
        return journal[:, :start], *controller, *weights


class PolicyGradient(HardTraining):
    """Trains a model with REINFORCE: its paths are sampled in training, and the most probable ones at any other time.

    Args:
        model: a `RawHAM` or a `HAM`; it keeps the weights.

    Call arguments:
        inputs: as in the model's call.
        training: whether paths are sampled.

    Returns:
        ``[batch, T, b]``, as the model, run hard. In training ``[batch, T, b + 3η]``, what `Reinforce` reads: then
        come, for each of the η accesses, log π of its path, Σ 1/H(p) over its decisions, and the baseline.
    """

    def __init__(self, model, **kwargs):
        super().__init__(model, **kwargs)
        self.baseline = keras.layers.Dense(1, **FLOAT32)
        self.baseline.build((None, model.memory.query_width))
        self.seeds = keras.random.SeedGenerator()

    def explore(self, inputs):
        batch, n = ops.shape(inputs["symbols"])[:2]
        accesses = self.answering.accesses
        steps = inputs["queries"].shape[1] if "queries" in inputs else 1
        shape = (batch, steps * accesses, n.bit_length() - 1)
        thresholds = tf.random.stateless_uniform(shape, self.seeds.next(), alg="philox")
        memory = self.memory
        noise = memory.join.sample_noise((*shape, memory.join_units)) if memory.writable and memory.join.seeds else None
        answers, p, paths, queries = rollout(self.answering, inputs, thresholds, noise)
        p = ops.clip(p, 1e-6, 1 - 1e-6)
        decided = ops.where(paths[..., 1:] % 2 == 1, ops.log(p), ops.log(1 - p))
        entropy = -p * ops.log(p) - (1 - p) * ops.log(1 - p)
        baseline = self.baseline(ops.stop_gradient(queries))
        statistics = [ops.sum(decided, -1, keepdims=True), ops.sum(1 / entropy, -1, keepdims=True), baseline]
        statistics = ops.reshape(ops.concatenate(statistics, axis=-1), (batch, steps, 3 * accesses))
        return ops.concatenate([answers[:, accesses - 1 :: accesses], statistics], axis=-1)


class Reinforce(keras.losses.Loss):
    """The loss whose gradient is the estimator of Sec. 3.3, for a `PolicyGradient`.

    With r_k the bits of the answer after access k that are probably right, R_k = Σ_j γ^(j-k)·r_j over all j >= k, and
    b_k the baseline, it is, summed over a sequence::

        -log p(right bits)  -  (R_k - b_k)·log π_k  +  (R_k - b_k)²  +  α / H(p)

    where the second term trains only π, the third only b. Nothing is said of accesses after the last judged bit, nor,
    but for the first term, of paths that were not sampled.

    With ``samples`` K > 1, each input stands K times in a row in the batch, and b_k is the mean R_k of its other
    K - 1 paths (Kool et al. 2019; not in the paper): a path is blamed for its decisions, not for a hard input. Then
    the third term trains nothing.

    Args:
        discount: γ, in [0, 1].
        entropy: α at first, at least 0; `alpha` is a variable, which may fall.
        samples: K, paths sampled for each input.

    Raises:
        ValueError: an argument out of its range.
    """

    def __init__(self, discount=0.9, entropy=0.0, samples=1, **kwargs):
        super().__init__(**kwargs | FLOAT32)
        if not 0 <= discount <= 1:
            raise ValueError(f"discount: got {discount!r}; expected γ in [0, 1]")
        if not 0 <= entropy < float("inf"):
            raise ValueError(f"entropy: got {entropy!r}; expected α of at least 0")
        if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
            raise ValueError(f"samples: got {samples!r}; expected a positive integer")
        self.discount, self.entropy, self.samples = discount, entropy, samples
        self.alpha = tf.Variable(entropy, trainable=False, dtype=tf.float32)

    def get_config(self):
        return super().get_config() | dict(discount=self.discount, entropy=self.entropy, samples=self.samples)

    def call(self, targets, outputs):
        width, steps = targets.shape[2], targets.shape[1]
        answers, statistics = outputs[..., :width], outputs[..., width:]
        judged = ops.cast(targets >= 0, "float32")
        bits = bits_cost(targets, answers)
        if statistics.shape[2] == 0:  # of a path that was not sampled there is nothing more to say
            return bits
        right = ops.sum(judged * ops.cast((answers > 0.5) == (targets > 0.5), "float32"), axis=-1)
        statistics = ops.reshape(statistics, (-1, steps * (statistics.shape[2] // 3), 3))
        log_path, undecided, baseline = tf.unstack(statistics, axis=2)
        accesses = statistics.shape[1] // steps
        place = ops.arange(statistics.shape[1], dtype="int32")
        after = place[None] - place[:, None]  # j - k
        weigh = ops.where(after >= 0, self.discount ** ops.cast(ops.maximum(after, 0), "float32"), 0.0)
        at_last = ops.cast(place % accesses == accesses - 1, "float32")  # only the last of η accesses is answered
        returns = ops.stop_gradient(ops.repeat(right, accesses, axis=1) * at_last) @ ops.transpose(weigh)
        asked = ops.repeat(ops.max(judged, axis=-1), accesses, axis=1) @ ops.cast(ops.transpose(after >= 0), "float32")
        error = returns - baseline if self.samples == 1 else self._less_the_others(returns)
        costs = -ops.stop_gradient(error) * log_path + error**2 + self.alpha * undecided
        return bits + ops.sum(ops.where(asked > 0, costs, 0.0), axis=1)

    def _less_the_others(self, returns):
        """``returns[batch, K]`` less the mean of those of the other paths that were sampled for the same input."""
        paths = ops.reshape(returns, (-1, self.samples, returns.shape[1]))
        others = (ops.sum(paths, axis=1, keepdims=True) - paths) / (self.samples - 1)
        return ops.reshape(paths - others, ops.shape(returns))
