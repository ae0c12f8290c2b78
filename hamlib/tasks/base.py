"""What a task is: a stream of examples drawn without state, and a judge of the answers.

A task is data and a judge, nothing else. `Task.examples` is a pure function of its arguments, so a
run that was stopped at any step goes on with exactly the batch that would have come next.
"""

import numpy as np
import tensorflow as tf
from keras import ops

from hamlib.memory import check_power_of_two
from hamlib.tasks.sampling import asked, sample, sample_in_numpy, uniform

PURPOSES = ("train", "validation", "test")
MAX_SEED = 2**31


def stream_seed(seed, purpose):
    """Return the seed of the examples a run sees for one purpose; no two purposes share a batch.

    Args:
        seed: the run's seed, an int in [0, 2^31).
        purpose: ``"train"``, ``"validation"`` or ``"test"``.

    Raises:
        ValueError: a seed out of its range, or an unknown purpose.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < MAX_SEED:
        raise ValueError(f"seed: got {seed!r}; expected an integer in [0, 2^31)")
    if purpose not in PURPOSES:
        raise ValueError(f"purpose: unknown {purpose!r}; known: {', '.join(PURPOSES)}")
    return len(PURPOSES) * int(seed) + PURPOSES.index(purpose)


class Task:
    """A problem over binary symbols: a subclass says what the right answer is.

    Attributes:
        name: what the task is called on the command line.
        columns: the parts of an input symbol and their widths in bits, for people and pictures.
        answer_columns: the same of an output symbol.
        query_columns: the same of what is asked from outside for each output symbol; empty where nothing is.
        symbol_width, answer_width, query_width: the bits of an input symbol, b, of an output symbol, and of a query.
        writes: whether a memory for it needs WRITE: with a single access there is nothing to write.
        shortest: the shortest input that makes sense, in symbols.
        sizes: the trees, by their leaves, that a trained model is tried on.
        in_numpy: whether `targets` is written in NumPy; `register` finds out.
        kinds: of training inputs beside random ones; ``"alike"``: in half of a batch, the keys of an input agree in
            their first bits, none to all of them: near and equal keys are rare in short inputs and the rule in long
            ones.
    """

    name: str
    columns: dict
    answer_columns: dict
    query_columns: dict = {}
    writes = True
    shortest = 1
    sizes = (8, 16, 32, 64, 128, 256, 1024)
    kinds = ("alike",)
    in_numpy = False

    @property
    def symbol_width(self):
        return sum(self.columns.values())

    @property
    def answer_width(self):
        return sum(self.answer_columns.values())

    @property
    def query_width(self):
        return sum(self.query_columns.values())

    def answer_length(self, m):
        """T, how many output symbols the longest answer to inputs of at most m symbols has."""
        return m

    def examples(self, n, batch_size, seed, step, lengths=None, leaves=None, answers=None, skip=True, kinds=()):
        """Draw a batch: fresh random symbols and the right answers.

        Args:
            n: the longest input, a power of two; shorter ones are padded with zeros.
            batch_size: sequences in the batch.
            seed, step: which batch; the same two always give the same one.
            lengths: how long the inputs are: None, all of length n; a pair (low, high), uniform on
                [low, high]; or a sequence of pairs, each input first draws its pair.
            leaves: None, the tree has n leaves and the first m hold the input. Else the number of its
                leaves, a power of two: half of the inputs stand at the front, the others at random
                leaves, in order, so that a short input meets a deep tree.
            answers: None for the whole answer. Else how many output symbols are asked.
            skip: whether they are from anywhere in the answer: a number, the same for the batch, is skipped before.
                Otherwise, and where there are queries, they are the first.
            kinds: some of the task's `kinds`.

        Returns:
            ``(inputs, targets)``: inputs a dict of ``symbols[batch, leaves, b]`` float32 0/1;
            ``lengths[batch]`` int32; where ``leaves`` is given, ``filled[batch, leaves]``, bools, the
            leaves that hold the input; where symbols are skipped, ``skipped[batch]`` int32; and
            ``queries[batch, T, q]``: without ``query_columns`` q is 0, which says only how many output symbols are
            wanted, and it is left out if that is one. Targets
            ``[batch, T, b]`` float32: 0/1, and -1 past the end of an answer, where nothing is judged.

        Raises:
            ValueError: n or leaves no power of two, fewer leaves than n, the batch is empty, or lengths
                outside [shortest, n].
        """
        pairs = self.check_request(n, batch_size, lengths, kinds)
        if leaves is not None and check_power_of_two(leaves, "leaves") < n:
            raise ValueError(f"leaves: got {leaves}; expected at least n = {n}")
        seed = tf.cast(tf.stack([seed, step]), tf.int64)
        pairs = tf.constant(pairs, tf.int32)
        make = sample_in_numpy if self.in_numpy else sample
        inputs, targets = make(self, int(n), int(batch_size), seed, pairs, leaves, answers, skip, kinds)
        return self.told(inputs, seed, kinds), targets

    def told(self, inputs, seed, kinds):
        """Return ``inputs`` with what else a model is told in training; here nothing.

        Args:
            inputs: as `examples` returns them.
            seed: of TensorFlow's stateless random numbers.
            kinds: as in `examples`.
        """
        return inputs

    def inputs(self, symbols, lengths, queries=None):
        """Pad checked ``symbols[batch, m, b]`` to the next power of two: the inputs of a model.

        Args:
            symbols, lengths: as `check_inputs` returns them.
            queries: ``[batch, T, q]``, of a task that has some; otherwise None.

        Raises:
            ValueError: queries of another shape.
        """
        batch, m, _ = symbols.shape
        n = 1 << (m - 1).bit_length()
        wanted = batch, self.answer_length(m), self.query_width
        queries = np.asarray(np.zeros((*wanted[:2], 0)) if queries is None else queries, "float32")
        if queries.shape != wanted:
            raise ValueError(f"queries: got shape {queries.shape}; expected [batch, T, q] = {list(wanted)}")
        padded = np.pad(symbols, ((0, 0), (0, n - m), (0, 0)))
        return {"symbols": padded, "lengths": lengths} | asked(queries)

    def check_request(self, n, batch_size, lengths=None, kinds=()):
        """Return ``lengths`` as pairs ``[k, 2]``, or say which argument of `examples` is wrong.

        Args:
            n, batch_size, lengths, kinds: as in `examples`.

        Raises:
            ValueError: as in `examples`.
        """
        n = check_power_of_two(n)
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"batch_size: got {batch_size!r}; expected a positive integer")
        if unknown := set(kinds) - set(self.kinds):
            raise ValueError(f"kinds: unknown {', '.join(unknown)}; {self.name} has: {', '.join(self.kinds)}")
        pairs = np.atleast_2d((n, n) if lengths is None else lengths)
        if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
            raise ValueError(f"lengths: got {lengths!r}; expected (low, high) or a sequence of such pairs, integers")
        if (pairs[:, 0] < self.shortest).any() or (pairs[:, 1] > n).any() or (pairs[:, 0] > pairs[:, 1]).any():
            raise ValueError(f"lengths: got {lengths!r}; expected {self.shortest} <= low <= high <= n = {n}")
        return pairs

    def compose(self, n, lengths, seed, kinds=()):
        """Draw input symbols; here of fair random bits.

        Args:
            n: how many for each input.
            lengths: ``[batch]``, m.
            seed: of TensorFlow's stateless random numbers.
            kinds: as in `examples`.

        Returns:
            ``symbols[batch, n, b]``, whatever past the first m of each, and ``lengths[batch]``.
        """
        batch = lengths.shape[0]
        bits = tf.cast(uniform([batch, n, self.symbol_width], seed, 0, 2), tf.float32)
        if "alike" in kinds:
            key = next(iter(self.columns.values()))
            agree = tf.where(tf.range(batch) % 4 < 2, uniform([batch], tf.random.fold_in(seed, 1), 0, key + 1), 0)
            bits = tf.where(tf.range(self.symbol_width) < agree[:, None, None], bits[:, :1], bits)
        return bits, lengths

    def queries(self, symbols, lengths, seed):
        """Draw what is asked from outside, for a raw memory; here, nothing.

        Args:
            symbols, lengths: as `compose` returns them.
            seed: of TensorFlow's stateless random numbers.

        Returns:
            ``[batch, T, q]`` of 0/1, q the bits of ``query_columns``.
        """
        return tf.zeros([symbols.shape[0], self.answer_length(symbols.shape[1]), 0])

    def targets(self, symbols, lengths, *queries):
        """Return the right answers ``[batch, T, b]`` for ``symbols[batch, n, b]``, ``lengths[batch]``.

        They are 0/1, and -1 past the end of an answer. Where the task has ``query_columns``, a third argument is what
        `queries` returned.
        """
        raise NotImplementedError(f"targets: {type(self).__name__} does not say what the right answers are")

    def wrong(self, targets, outputs):
        """Say which sequences are answered wrongly: any bit, rounded, differs (Sec. 4.1).

        Args:
            targets: ``[batch, T, b]`` of 0/1, and of -1 where nothing is judged.
            outputs: ``[batch, T, b]``, the probability that each bit is 1.

        Returns:
            ``[batch]`` of bools.
        """
        return ops.any((ops.round(outputs) != targets) & (targets >= 0), axis=(1, 2))

    def check_inputs(self, symbols, lengths=None):
        """Return ``symbols`` and ``lengths`` as float32 and int32 arrays, or say what is wrong with them.

        Args:
            symbols: ``[batch, m, b]`` of 0/1, any m >= 1.
            lengths: ``[batch]`` ints in [shortest, m]; None where every input is m long.

        Raises:
            ValueError: a wrong rank, width, type or value, or a `problem`; the message names the first bad one.
        """
        symbols = np.asarray(symbols)
        if symbols.dtype.kind not in "biuf":
            raise ValueError(f"symbols: got dtype {symbols.dtype}; expected numbers 0 and 1")
        if symbols.ndim != 3 or 0 in symbols.shape or symbols.shape[2] != self.symbol_width:
            raise ValueError(
                f"symbols: got shape {symbols.shape}; expected [batch, m, b={self.symbol_width}] with batch, m >= 1"
            )
        bad = ~np.isin(symbols, (0, 1))
        if bad.any():
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ValueError(f"symbols: got {symbols[where]} at {list(where)}; expected only 0 and 1")
        batch, m, _ = symbols.shape
        lengths = np.full(batch, m) if lengths is None else np.asarray(lengths)
        if lengths.shape != (batch,) or lengths.dtype.kind not in "iu":
            raise ValueError(
                f"lengths: got shape {lengths.shape}, dtype {lengths.dtype}; expected [batch={batch}] integers"
            )
        if lengths.min() < self.shortest or lengths.max() > m:
            raise ValueError(f"lengths: got {lengths.min()} to {lengths.max()}; expected {self.shortest} to m = {m}")
        for row, length in enumerate(lengths):
            if problem := self.problem(symbols[row, :length].astype(int)):
                raise ValueError(f"symbols: input {row} {problem}")
        return symbols.astype("float32"), lengths.astype("int32")

    def odd(self, n):
        """Return odd inputs: what somebody would think of, and random ones hardly ever are.

        Args:
            n: the longest input, a power of two from 8 on.

        Returns:
            ``{kind: (symbols[k, n, b], lengths[k])}`` as `check_inputs` returns them, always the same; some hundred of
            each kind.

        Raises:
            ValueError: n is not such a number, or more than the task has inputs for.
        """
        self.check_request(n, 1)
        if n < 8:
            raise ValueError(f"n: got {n}; odd inputs need at least 8")
        kinds = {}
        for kind, (symbols, lengths) in self.odd_kinds(int(n), np.random.default_rng(n)).items():
            kinds[kind] = self.check_inputs(symbols * (np.arange(n) < lengths[:, None])[..., None], lengths)
        return kinds

    def odd_kinds(self, n, rng):
        """Make what `odd` checks and returns, in NumPy; here none.

        Args:
            n: as in `odd`.
            rng: a ``numpy.random.Generator``.
        """
        return {}

    def problem(self, symbols):
        """Say what makes ``symbols[m, b]``, ints 0/1, no input of this task; None where nothing does."""
