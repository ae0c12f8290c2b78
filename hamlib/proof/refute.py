"""Counterexamples of a model that is no machine: pairs of values, level by level, asked one beside the other."""

import itertools

import numpy as np
import tensorflow as tf

from hamlib.proof.examples import confirm
from hamlib.proof.extraction import leaf_values
from hamlib.proof.selecting import Selecting

HEIGHTS = 6  # trees of up to 64 leaves
KINDS = 12  # of each key, how many random subtrees stand beside the regular ones
CHUNK = 1 << 17  # pairs asked at once


def refute_selecting(model, task, seed=0, progress=None):
    """Look for an input that a raw memory of continuous values answers wrongly: of tasks that take the smallest key.

    All pairs of two leaves are asked. A level above, the subtrees are too many: for each key that is the smallest of
    its subtree there are those that hold no other key, those with a single smaller one at an end, and some by chance.
    All pairs of these are asked.

    Args:
        model: a `RawHAM`.
        task: `Smallest` or `Sort`.
        seed: of what is chosen by chance.
        progress: called with (done, of how many) heights.

    Returns:
        ``(Counterexample or None, decisions, refuted)``: how many pairs were asked, and how many went wrong.
    """
    memory, rules, rng = model.memory, Selecting(task), np.random.default_rng(seed)
    symbols = np.array(list(itertools.product((0, 1), repeat=task.symbol_width)))
    trees, label = np.arange(len(symbols))[:, None], rules.keys(symbols)
    values = leaf_values(memory, symbols)
    query = tf.zeros([1, memory.query_width])

    @tf.function(reduce_retracing=True)
    def ask(left, right):
        nodes = memory.join_all(tf.stack([left, right], axis=1))[:, 1]
        return nodes, memory.search(nodes[None], query)[0, :, 0] > 0.5

    decisions = refuted = 0
    for height in range(1, HEIGHTS + 1):
        shown, size = [], len(values)
        for low in range(0, size * size, CHUNK):
            i, j = np.divmod(np.arange(low, min(size * size, low + CHUNK)), size)
            right = ask(tf.constant(values[i]), tf.constant(values[j]))[1].numpy()
            wrong = np.flatnonzero(right != (label[j] < label[i]))
            decisions, refuted = decisions + len(i), refuted + len(wrong)
            shown += list(zip(i[wrong[:20]], j[wrong[:20]], strict=True))
        if progress:
            progress(height, HEIGHTS)
        inputs = [symbols[np.append(trees[i], trees[j])] for i, j in shown[:: 1 + len(shown) // 200]]
        found = f"a pair of subtrees of {2 ** (height - 1)} leaves"
        if example := confirm(model, task, [_told_apart(rules, input_) for input_ in inputs], found):
            return example, decisions, refuted
        i, j = _subtrees(rng, label, rules.none, height)
        trees, label = np.concatenate([trees[i], trees[j]], axis=1), np.minimum(label[i], label[j])
        values = ask(tf.constant(values[i]), tf.constant(values[j]))[0].numpy()
    return None, decisions, refuted


def _told_apart(rules, symbols):
    """The same keys, with other values where two symbols are the same."""
    symbols = symbols.copy()
    values = symbols.shape[1] - rules.width
    for nth, row in enumerate(symbols):
        row[rules.width :] = nth >> np.arange(values) & 1
    return symbols


def _subtrees(rng, label, keys, height):
    """Pairs ``i, j`` of subtrees to stand for the level above: the regular ones of each key first, in a fixed order."""
    pairs = []
    for key in range(keys):
        if height == 1:
            of = [np.flatnonzero(label == k) for k in range(keys)]
            pure, end, front = of[key][0], of[key][0], of[key][0]
            larger = of[min(key + 1, keys - 1)][0]
        else:
            step = 3 + KINDS
            pure, end, front = step * key, step * key + 1, step * key + 2
            larger = step * min(key + 1, keys - 1)
        pairs += [(pure, pure), (larger, end), (front, larger)]
        there = np.flatnonzero(label == key)
        near = np.flatnonzero((label >= key) & (label <= key + 1))
        any_ = np.flatnonzero(label >= key)
        for nth in range(KINDS):
            two = rng.choice(there), rng.choice(any_ if nth % 2 else near)
            pairs.append(two if nth // 2 % 2 else two[::-1])
    return np.array(pairs).T


def refute_structure(runner, task, seed=0, most=64):
    """Look for operations that a data structure answers wrongly, at most n inside: the odd streams that one thinks of.

    Args:
        runner: a model, or what answers like it.
        task: a `hamlib.tasks.Structure`.
        seed: of the values.
        most: leaves of the largest tree.

    Returns:
        a `Counterexample`, or None.
    """
    rng, n = np.random.default_rng(seed), 2
    while n <= most:
        for wishes in _streams(rng, n):
            operations = _operations(rng, task, wishes, n)
            found = "an odd stream of operations"
            if example := confirm(runner, task, [operations], found, shrink=n <= 16, leaves=n):
                return example
        n *= 2
    return None


def _streams(rng, n):
    """Streams of 4n wishes, bools, whether to pop: in runs, so that leaves are used again, and by chance."""
    for run in (1, 2, 3, n - 1, n):
        yield np.arange(4 * n) // max(1, run) % 2 > 0
    for _ in range(10):
        yield rng.random(4 * n) < rng.random()


def _operations(rng, task, wishes, n):
    """Operations ``[m, b]`` that do as wished where they can; priorities ascend."""
    inside, made, priority = 0, [], 0
    for pop in wishes:
        pop = (pop and inside > 0) or inside == task.room(n)
        inside += -1 if pop else 1
        arguments = [int(rng.integers(32))]
        if "priority" in task.columns:
            arguments.insert(0, priority := (priority + 1) % 128)
        made.append(task.pop() if pop else task.push(*arguments))
    return np.array(made)
