"""A training step of *select the smallest*, and of *sort*, beside the matrix products it contains and eager mode.

``python -m benchmarks`` (about five minutes). Times are medians over interleaved rounds of one run; quote
the ratios, since a machine's speed drifts.
"""

import statistics
import time

import keras
import tensorflow as tf

from hamlib.recipes import RECIPES
from hamlib.tasks import get_task
from hamlib.training import build, compile_model

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


def training_step(recipe, n):
    """One training step on a fixed batch: forward, backward, Adam."""
    model = build(recipe)
    compile_model(model, recipe)
    batch = get_task(recipe.task).examples(n, BATCH, 0, 0, recipe.lengths(n))

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
    step, model = training_step(RECIPES[name], n)
    bare = products(model.memory, n)
    ours, theirs = median_times([loop(step, steps), loop(bare, steps * accesses)], steps)
    (eager,) = median_times([step], 1)
    print(
        f"{name:<14} n = {n:>5,}: step {ours:>9,.0f} µs | products {theirs:>9,.0f} µs, {ours / theirs:4.1f}x"
        f" | eager {eager:>9,.0f} µs, {eager / ours:5.1f}x",
        flush=True,
    )


if __name__ == "__main__":
    for recipe in ("smallest-2016", "smallest"):
        for size in (8, 16, 32, 64, 128, 256, 512, 1024):
            compare(recipe, size, steps=max(10, 3200 // size))
    for size in (8, 16, 32):
        compare("sort", size, steps=320 // size, accesses=size)
