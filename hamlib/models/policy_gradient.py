"""Learning with REINFORCE (Sec. 3.3): paths are sampled decision by decision, and better ones are made more likely.

``PolicyGradient(model).compile(optimizer, Reinforce())`` and ``fit`` train any model with a tree. An access touches
log2 n nodes on the way forward and back: what it writes is not put into a tree, but into a journal, where later ones find it.
So a training step costs Θ(log n) for each access. Only growing a tree over an input takes Θ(n), once.
"""

import keras
import tensorflow as tf
from keras import ops

from hamlib.memory import add_rows, rows, siblings


def rollout(model, inputs, thresholds, noise=None):
    """Answer along paths that are drawn: at each decision right, where SEARCH is above a threshold.

    Args:
        model: a `RawHAM` or a `HAM`.
        inputs: as in its call.
        thresholds: ``[batch, K, log2 n]``, K = η·T accesses; uniform on [0, 1) to draw paths by their probability.
        noise: ``[batch, K, log2 n, units]``, added in each JOIN before its activation; None for none.

    Returns:
        ``answers[batch, K, b]``, made after each access, of which each η-th counts; ``p[batch, K, log2 n]``, SEARCH's
        probability of going right at each decision; ``paths[batch, K, log2 n + 1]``; and ``queries[batch, K, l]``,
        which SEARCH saw. Gradients flow through the first two, to all that is not a decision.
    """
    asked, (nodes, *controller) = model._start(inputs, [])
    memory, variables = model.memory, model.trainable_variables
    symbols, thresholds = ops.convert_to_tensor(inputs["symbols"]), ops.convert_to_tensor(thresholds)
    noise = None if noise is None else ops.convert_to_tensor(noise)
    batch, n, empty = ops.shape(nodes)[0], nodes.shape[1] // 2, symbols.shape[2] == 0
    accesses, parts, height = model.accesses * asked.shape[1], len(controller), n.bit_length()
    on_path_and_beside = ops.array([*range(height), *range(1, height)])  # levels
    # The journal: the nodes at the start, of an empty tree one for each level; then what each access wrote.
    first = ops.tile(memory.empty(n)[None], (batch, 1, 1)) if empty else nodes
    begun = first.shape[1]

    def where_it_stands(paths, index, level):
        """The rows in the journal of the nodes ``index[batch, r]`` of levels [r], after ``paths[K, batch, height]``."""
        written = ops.take(paths, level, axis=2) == index
        access = ops.max(ops.where(written, ops.arange(accesses)[:, None, None], -1), axis=0)
        return ops.where(access < 0, level if empty else index, begun + access * height + level)

    def access(k, path, around, *tensors):
        """One access, by its own neighbourhood alone: what is on its path, and beside it."""
        controller, weights = list(tensors[:parts]), tensors[parts:]
        with keras.StatelessScope(state_mapping=list(zip(variables, weights, strict=True))):
            query = model.make_query(asked[:, k // model.accesses], controller, k % model.accesses)
            on_path, beside = around[:, :height], around[:, height:]
            p = memory.search(on_path[:, :-1], query)[..., 0] if n > 1 else ops.zeros_like(query[:, :0])
            read = rows(symbols, path[:, -1:] - n)[:, 0] if model.reads_symbols else on_path[:, -1]
            answer, controller, said = model.controller_step(asked[:, k // model.accesses], controller, read)
            if memory.writable:
                drawn = None if noise is None else noise[:, k]
                on_path = memory.update_path(path, beside, memory.written(on_path[:, -1:], said), drawn)
        return on_path, *controller, answer, p, query

    def draw(k, journal, paths, *tensors):
        def look(index, level):
            return rows(journal, where_it_stands(paths, index, ops.array([level])))

        controller, weights = list(tensors[:parts]), tensors[parts:]
        with keras.StatelessScope(state_mapping=list(zip(variables, weights, strict=True))):
            query = model.make_query(asked[:, k // model.accesses], controller, k % model.accesses)
            return memory.descend(look, query, thresholds[:, k])

    @tf.custom_gradient
    def run(first, *tensors):
        start, weights = tensors[:parts], tensors[parts:]

        def forward(k, journal, paths, controller, kept):
            path = draw(k, journal, paths, *controller, *weights)
            index = ops.concatenate([path, siblings(path)], axis=1)
            stands = where_it_stands(paths, index, on_path_and_beside)
            on_path, *after = access(k, path, rows(journal, stands), *controller, *weights)
            keep = [stands, *controller, *after[parts:]]
            kept = [array.write(k, value) for array, value in zip(kept, keep, strict=True)]
            journal = ops.slice_update(journal, (0, begun + k * height, 0), on_path)
            return k + 1, journal, ops.slice_update(paths, (k, 0, 0), path[None]), tuple(after[:parts]), kept

        kept = [tf.TensorArray(kind, accesses) for kind in [tf.int32] + [tf.float32] * (parts + 3)]
        blank = ops.zeros((batch, accesses * height, memory.node_width))
        journal, paths = ops.concatenate([first, blank], axis=1), ops.zeros((accesses, batch, height), "int32")
        state = (tf.constant(0), journal, paths, tuple(start), kept)
        _, journal, paths, _, kept = tf.while_loop(
            lambda k, *_: k < accesses, forward, state, maximum_iterations=accesses
        )
        stands, *more = [array.stack() for array in kept]
        before, (answers, ps, queries) = more[:parts], more[parts:]

        def gradient(d_answers, d_ps, _, __):
            def backward(k, d_journal, d_controller, d_weights):
                sources = [rows(journal, stands[k]), *(state[k] for state in before), *weights]
                with tf.GradientTape() as tape:
                    tape.watch(sources)
                    *made, _ = access(k, paths[k], *sources)
                d_path = ops.slice(d_journal, (0, begun + k * height, 0), (batch, height, memory.node_width))
                told = [d_path, *d_controller, d_answers[k], d_ps[k]]
                d_around, *others = tape.gradient(made, sources, told, unconnected_gradients="zero")
                d_weights = tuple(a + b for a, b in zip(d_weights, others[parts:], strict=True))
                return k - 1, add_rows(d_journal, stands[k], d_around), tuple(others[:parts]), d_weights

            zeros = [tf.zeros_like(value) for value in (journal, *start, *weights)]
            state = (tf.constant(accesses - 1), zeros[0], tuple(zeros[1 : 1 + parts]), tuple(zeros[1 + parts :]))
            end = tf.while_loop(lambda k, *_: k >= 0, backward, state, maximum_iterations=accesses)
            return end[1][:, :begun], *end[2], *end[3]

        return (answers, ps, paths, queries), gradient

    results = run(first, *controller, *map(tf.convert_to_tensor, variables))
    return [ops.swapaxes(result, 0, 1) for result in results]


class PolicyGradient(keras.Model):
    """Trains a model by trial: its paths are drawn in training, and the most probable ones at any other time.

    Args:
        model: a `RawHAM` or a `HAM`; it keeps the weights.

    Call arguments:
        inputs: as in the model's call.
        training: whether paths are drawn.

    Returns:
        ``[batch, T, b]``, as the model, run hard. In training ``[batch, T, b + 3η]``, what `Reinforce` reads: then
        come, for each of the η accesses, log π of its path, Σ 1/H(p) over its decisions, and the baseline.
    """

    def __init__(self, model, **kwargs):
        super().__init__(**kwargs)
        self.answering = model
        self.baseline = keras.layers.Dense(1)
        self.baseline.build((None, model.memory.query_width))
        self.seeds = keras.random.SeedGenerator()
        self.built = True

    @property
    def memory(self):
        """The `TreeMemory` of the model."""
        return self.answering.memory

    def call(self, inputs, training=False):
        if not training:
            return self.answering(inputs, attention="hard")
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
        told = [ops.sum(decided, -1, keepdims=True), ops.sum(1 / entropy, -1, keepdims=True), baseline]
        told = ops.reshape(ops.concatenate(told, axis=-1), (batch, steps, 3 * accesses))
        return ops.concatenate([answers[:, accesses - 1 :: accesses], told], axis=-1)


class Reinforce(keras.losses.Loss):
    """The loss whose gradient is the estimator of Sec. 3.3, for a `PolicyGradient`.

    With r_k the bits of the answer after access k that are probably right, R_k = Σ_j γ^(j-k)·r_j over all j >= k, and
    b_k the baseline, it is, summed over a sequence::

        -log p(right bits)  -  (R_k - b_k)·log π_k  +  (R_k - b_k)²  +  α / H(p)

    where the second term trains only π, the third only b. Nothing is said of accesses after the last judged bit, nor,
    but for the first term, of paths that were not drawn.

    With ``samples`` K > 1, each input stands K times in a row in the batch, and b_k is the mean R_k of its other
    K - 1 paths (Kool et al. 2019; not in the paper): a path is blamed for its decisions, not for a hard input. Then
    the third term trains nothing.

    Args:
        discount: γ, in [0, 1].
        entropy: α at first, at least 0; `alpha` is a variable, which may fall.
        samples: K, paths drawn for each input.

    Raises:
        ValueError: an argument out of its range.
    """

    def __init__(self, discount=0.9, entropy=0.0, samples=1, **kwargs):
        super().__init__(**kwargs)
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
        answers, told = outputs[..., :width], outputs[..., width:]
        judged = ops.cast(targets >= 0, "float32")
        log_right = ops.log(ops.clip(ops.where(targets > 0.5, answers, 1 - answers), 1e-7, 1.0))
        bits = -ops.sum(judged * log_right, axis=(1, 2))
        if told.shape[2] == 0:  # of a path that was not drawn there is nothing more to say
            return bits
        right = ops.sum(judged * ops.cast((answers > 0.5) == (targets > 0.5), "float32"), axis=-1)
        told = ops.reshape(told, (-1, steps * (told.shape[2] // 3), 3))
        log_path, undecided, baseline = told[..., 0], told[..., 1], told[..., 2]
        accesses = told.shape[1] // steps
        place = ops.arange(told.shape[1])
        after = place[None] - place[:, None]  # j - k
        weigh = ops.where(after >= 0, self.discount ** ops.cast(ops.maximum(after, 0), "float32"), 0.0)
        at_last = ops.cast(place % accesses == accesses - 1, "float32")  # only the last of η accesses is answered
        returns = ops.stop_gradient(ops.repeat(right, accesses, axis=1) * at_last) @ ops.transpose(weigh)
        asked = ops.repeat(ops.max(judged, axis=-1), accesses, axis=1) @ ops.cast(ops.transpose(after >= 0), "float32")
        error = returns - baseline if self.samples == 1 else self._beside_the_others(returns)
        costs = -ops.stop_gradient(error) * log_path + error**2 + self.alpha * undecided
        return bits + ops.sum(ops.where(asked > 0, costs, 0.0), axis=1)

    def _beside_the_others(self, returns):
        """``returns[batch, K]`` less the mean of those of the other paths that were drawn for the same input."""
        drawn = ops.reshape(returns, (-1, self.samples, returns.shape[1]))
        others = (ops.sum(drawn, axis=1, keepdims=True) - drawn) / (self.samples - 1)
        return ops.reshape(drawn - others, ops.shape(returns))
