"""A training step beside the matrix products it contains and eager mode; one with REINFORCE, in trees of any size; a
hard access beside flat soft attention; answers through the public way; a sort by tables; and how long a task takes to
learn with soft attention, with REINFORCE, and both.

``python -m benchmarks`` measures the first five, ``python -m benchmarks step``, ``reinforce``, ``access``, ``answer``,
``machine``, ``distribute`` or ``learn-reverse``, ``learn-sort``, ``learn-priority-queue`` one. Times are
medians over interleaved rounds of one run, but for learning; quote the ratios, since a machine's speed drifts.
"""

import dataclasses
import statistics
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from benchmarks import recipes
from benchmarks.distribute import compare_workers
from hamlib.models import PolicyGradient
from hamlib.pretrained import load_pretrained
from hamlib.proof import extract, places
from hamlib.recipes import RECIPES
from hamlib.tasks import get_task
from hamlib.training import build, compile_model, stream, train

BATCH = 50
ROUNDS = 7


def loop(step, steps):
    """A function that runs ``step`` so many times inside one compiled loop, as `fit` does."""
    compiled = tf.function(step, jit_compile=True)

    @tf.function
    def run():
        for _ in tf.range(steps):
            compiled()

    return run


def training_step(recipe, n, accesses):
    """One training step on a fixed batch, of which so many output symbols are asked: forward, backward, Adam."""
    model = build(recipe)
    compile_model(model, recipe)
    batch = get_task(recipe.task).examples(n, BATCH, 0, 0, recipe.lengths(n), None, accesses)

    def step():
        model.train_step(batch)

    return step, model


def products(memory, n):
    """Only the matrix products of one access: each dense layer's, forward, and backward for weights and input."""
    widths = [(BATCH * n, memory.embed)]
    if memory.writable:
        widths += [(BATCH * n, memory.write_gate), (BATCH * n, memory.write_value)]
    while n > 1:  # JOIN level by level, then SEARCH on all inner nodes at once: as the model does
        n //= 2
        widths.append((BATCH * n, memory.join))
    inner = sum(rows for rows, mlp in widths if mlp is memory.join)
    widths.append((inner, memory.search))
    operands = []
    for rows, mlp in widths:
        for layer in (mlp.first, mlp.last):
            if layer is not None:
                width, units = layer.kernel.shape
                operands.append([tf.random.normal(shape) for shape in ((rows, width), (width, units), (rows, units))])
    sink = [[tf.Variable(tf.zeros_like(t)) for t in (x, w, y)] for x, w, y in operands]

    def step():  # the sinks keep the compiler from dropping a product; the feedback from hoisting it
        for (x, w, y), (dx, dw, out) in zip(operands, sink, strict=True):
            feed = x + 1e-30 * dx
            out.assign(feed @ w)
            dw.assign(tf.matmul(feed, y, transpose_a=True))
            dx.assign(tf.matmul(y, w, transpose_b=True))

    return step


def median_times(functions, steps):
    """Microseconds for a step of each function, rounds interleaved."""
    times = [[] for _ in functions]
    for function in functions:
        function()
    for _ in range(ROUNDS):
        for function, row in zip(functions, times, strict=True):
            started = time.perf_counter()
            function()
            row.append((time.perf_counter() - started) / steps * 1e6)
    return [statistics.median(row) for row in times]


def compare(name, n, steps=100, accesses=1):
    """Print one line: a compiled training step, the bare products of its accesses, the ratio, and eager mode."""
    keras.utils.set_random_seed(0)
    step, model = training_step(RECIPES[name], n, accesses)
    bare = products(model.memory, n)
    ours, theirs = median_times([loop(step, steps), loop(bare, steps * accesses)], steps)
    (eager,) = median_times([step], 1)
    print(
        f"{name:<14} n = {n:>5,}, {accesses:>2} asked: step {ours:>9,.0f} µs"
        f" | products {theirs:>9,.0f} µs, {ours / theirs:4.1f}x"
        f" | eager {eager:>9,.0f} µs, {eager / ours:5.1f}x",
        flush=True,
    )


def compare_reinforce(sizes, operations=32, steps=5):
    """Print a line for each tree: a training step with REINFORCE, and the nodes on the path of an operation."""
    recipe = dataclasses.replace(RECIPES["stack"], steps=10)  # one execution is one step
    runs = []
    for n in sizes:
        model = PolicyGradient(build(recipe))
        compile_model(model, recipe)
        lesson = None, n, operations
        samples = recipe.loss["samples"]
        batch = next(iter(stream(get_task("stack"), operations, 25, 0, 0, *lesson, samples=samples)))
        runs.append(loop(lambda model=model, batch=batch: model.train_step(batch), steps))
    times = median_times(runs, steps)
    for n, each in zip(sizes, times, strict=True):
        print(
            f"{operations} operations of a stack, n = {n:>6,}: step {each:>9,.0f} µs, {each / times[0]:5.1f}x"
            f" | nodes on a path {n.bit_length():>2}, {n.bit_length() / sizes[0].bit_length():4.1f}x",
            flush=True,
        )


class Learned(Exception):
    """Raised where a model has learned what it was asked to."""


class Clock(keras.callbacks.Callback):
    """Counts the seconds of training and validation until at most 1% of inputs of 32 symbols are wrong, run hard."""

    def __init__(self, task):
        super().__init__()
        self.examples, self.judge = task.examples(32, 500, 1, 0), task.wrong
        self.seconds, self.begun = 0.0, 0

    def on_train_begin(self, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds += time.perf_counter() - self.started
        inputs, targets = self.examples
        answering = self.model.answering if isinstance(self.model, PolicyGradient) else self.model
        self.wrong = np.mean(self.judge(targets, answering(inputs, attention="hard")))
        self.steps = int(self.model.optimizer.iterations)
        if self.wrong <= 0.01:
            raise Learned
        self.started = time.perf_counter()


BOTH = "with soft attention, then with REINFORCE"
LEARN = {  # the same memory, in turn with soft attention where it can be learned so, with REINFORCE, and both
    "reverse": {
        "with soft attention": recipes.REVERSE_SOFT,
        "with REINFORCE": RECIPES["reverse-reinforce"],
        BOTH: recipes.REVERSE_BOTH,
    },
    "sort": {
        "with soft attention": RECIPES["sort"],
        "with REINFORCE": recipes.SORT_REINFORCE,
        BOTH: recipes.SORT_BOTH,
    },
    "priority-queue": {"with REINFORCE": RECIPES["priority-queue-sixteen"], BOTH: recipes.QUEUE_BOTH},
}


def compare_learning(task, seeds=(0, 1, 2)):
    """Print a line for each seed and way to learn a task: how long it takes, or what is wrong at the end."""
    for seed in seeds:
        for name, recipe in LEARN[task].items():
            with tempfile.TemporaryDirectory() as folder:
                clock = Clock(get_task(task))
                if recipe.start:
                    _, start = train(recipe.start, Path(folder) / "start", seed, verbose=0)
                    clock.seconds, clock.begun = float(start.seconds), recipe.start.total_steps()
                try:
                    train(recipe, folder, seed, verbose=0, callbacks=[clock])
                    ends = "NOT learned"
                except Learned:
                    ends = "learned"
            print(
                f"{task}, seed {seed}, {name:<21}: {ends} in {clock.seconds:>5,.0f} s,"
                f" {clock.begun:>5,} + {clock.steps:>5,} steps; {clock.wrong:6.1%} wrong",
                flush=True,
            )


def accesses_of(model, n, count):
    """A function that makes so many hard accesses, attend, read and write, to a tree of n leaves, batch 1."""
    symbols = tf.cast(tf.random.uniform([1, n, 10], 0, 2, tf.int32), tf.float32)
    state = model.start({"symbols": symbols, "lengths": tf.constant([n])})
    queries = tf.zeros([1, count, 0])
    advance = tf.function(model.advance, jit_compile=True)
    return lambda: advance(symbols, queries, state, count, "hard").answers.numpy()


def flat_attention(width, n, count):
    """A function that makes so many soft attentions over n vectors, one after the other: scores, softmax, mean."""
    leaves = tf.random.normal([n, width])

    @tf.function(jit_compile=True)
    def run(leaves):
        def step(query):
            return (tf.nn.softmax(tf.matmul(query, leaves, transpose_b=True)) @ leaves,)

        return tf.while_loop(lambda *_: True, step, (tf.ones([1, width]),), maximum_iterations=count)[0]

    return lambda: run(leaves).numpy()


def compare_access(model, n, count=20_000):
    """Print one line: a hard access, one flat soft attention over the same leaves, the ratio, and the nodes touched."""
    flat = max(3, 2**21 // n)
    ours = accesses_of(model, n, count)
    theirs = flat_attention(model.memory.node_width, n, flat)
    times = [[], []]
    for function in (ours, theirs):
        function()
    for _ in range(ROUNDS):
        for function, row, repeats in zip((ours, theirs), times, (count, flat), strict=True):
            started = time.perf_counter()
            function()
            row.append((time.perf_counter() - started) / repeats * 1e6)
    hard, soft = map(statistics.median, times)
    touched = n.bit_length() + n.bit_length() - 1  # the path, and what is beside it
    print(
        f"n = {n:>9,}: access {hard:>7,.1f} µs, {touched} nodes | flat attention {soft:>9,.0f} µs, {soft / hard:8.1f}x",
        flush=True,
    )


def compare_answers():
    """Print how long the public ways to use a trained model take, beside the bare loop and what was asked of them."""
    sorter, rng = load_pretrained("raw-sort"), np.random.default_rng(0)
    bare = accesses_of(sorter.model, 1024, 1024)
    for batch in (1, 50):
        symbols = rng.integers(0, 2, (batch, 1024, 10))
        started = time.perf_counter()
        sorter.answer(symbols)
        first = time.perf_counter() - started
        loop_us, answer_us = (each / 1024 for each in median_times([bare, lambda: sorter.answer(symbols)], 1))  # noqa: B023
        print(
            f"answer, batch {batch:>2}, n = 1,024: first call {first:5.2f} s | then {answer_us:7,.1f} µs an access,"
            f" {answer_us / loop_us:5.1f}x the bare loop at batch 1",
            flush=True,
        )
    times = []
    for n in (16, 128, 1024, 2**14):
        stack = load_pretrained("stack").start(n)

        def push_and_pop(stack=stack):
            for value in range(8):
                stack.push(value)
            for _ in range(8):
                stack.pop()

        times += median_times([push_and_pop], 16)
        print(f"stack, n = {n:>6,}: push or pop {times[-1]:5,.0f} µs, {times[-1] / times[0]:4.2f}x", flush=True)


def compare_machine(m):
    """Print one line: m random pairs sorted by the memory's tables, by its network, and by NumPy's stable sort."""
    sorter = load_pretrained("sort-digital")
    machine, bits = extract(sorter.model).merged(), np.random.default_rng(0).integers(0, 2, (1, m, 10))
    keys, numbers = (bits[0, :, :width] @ 2 ** np.arange(width - 1, -1, -1) for width in (5, 10))
    inputs = sorter.task.inputs(*sorter.task.check_inputs(bits))

    def network():
        return np.concatenate([visit.where[0, :, 0, -1] for visit in sorter.model.visits(inputs, watched=True)]) - m

    def tables():
        return places(machine, machine.leaf[numbers], m)

    assert (network() == tables()).all() and (tables() == np.argsort(keys, kind="stable")).all()
    started = time.perf_counter()
    network()
    engine = time.perf_counter() - started
    by_tables, by_numpy = (us / 1e6 for us in median_times([tables, lambda: np.sort(keys, kind="stable")], 1))
    print(
        f"{m:>9,} pairs: tables {by_tables:7.3f} s | network {engine:7.2f} s, {engine / by_tables:5.1f}x"
        f" | numpy {by_numpy:8.4f} s, 1/{by_tables / by_numpy:.0f}; the same {m:,} accesses",
        flush=True,
    )


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["step", "reinforce", "access", "answer", "machine"]
    if "step" in wanted:
        for recipe in ("smallest-2016", "smallest"):
            for size in (8, 16, 32, 64, 128, 256, 512, 1024):
                compare(recipe, size, steps=max(10, 3200 // size))
        for size, asked in ((8, 8), (16, 16), (32, 32), (32, 4)):  # the last as the recipe trains
            compare("sort", size, steps=320 // size, accesses=asked)
    if "reinforce" in wanted:
        compare_reinforce((8, 32, 128, 512, 2048))
    if "access" in wanted:
        for level in range(10, 21, 2):
            compare_access(load_pretrained("raw-sort").model, 2**level)
    if "answer" in wanted:
        compare_answers()
    if "machine" in wanted:
        for level in (12, 16, 20):
            compare_machine(2**level)
    if "distribute" in wanted:
        compare_workers()
    for task in LEARN:
        if f"learn-{task}" in wanted:
            compare_learning(task)
