# %% [markdown]
# # 11. Right for every input
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ham-book/ham-book/blob/main/notebooks/11_proof.ipynb)
#
# Goes beyond the paper: a memory that learned from examples alone, and a proof that it is right for every input.
#
# **You will learn**
# - why a test on random inputs cannot tell a memory that is right from one that is nearly right;
# - how a memory becomes digital, and then a finite machine;
# - how to check all pairs of its states, and why that covers every tree.
#
# **Know before:** [chapter 4](04_generalise.ipynb).
#
# **Time:** about 60 seconds on a CPU with 2 cores.

# %%
# Installs hamlib where it is missing, as in Colab. HAMLIB_SOURCE can name a local checkout instead.
import importlib.util, os, subprocess, sys

if importlib.util.find_spec("hamlib") is None:
    source = os.environ.get("HAMLIB_SOURCE", "git+https://github.com/ham-book/ham-book")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)

# %%
# hamlib comes first: it keeps TensorFlow's start-up messages out of the notebook.
from hamlib import check
from hamlib.drawing import show
from hamlib.pretrained import load_pretrained
from hamlib.proof import examine, extract, places, prove

import time
import matplotlib.pyplot as plt
import numpy as np

# %% [markdown]
# ## Is "not one error" enough?
#
# Chapter 4's shipped model made no error in the ledger: in 10,000 random inputs at each n up to 256, in 2,000 at 1,024. But
# random inputs are all much alike: their keys are spread over the whole range. An input in which all keys are equal, except
# that the last is smaller by 1, is never drawn. A user may well have one.


# %%
def all_alike(n, count=200):
    """Inputs of n pairs: all keys are equal, but the last, which is one less; keys and values are random."""
    rng = np.random.default_rng(0)
    symbols, key = rng.integers(0, 2, (count, n, 10)), rng.integers(1, 32, count)
    symbols[..., :5] = (key[:, None] >> np.arange(4, -1, -1) & 1)[:, None]
    symbols[:, -1, :5] = key[:, None] - 1 >> np.arange(4, -1, -1) & 1
    return symbols


def share_wrong(name, n):
    answers = load_pretrained(name).answer(symbols := all_alike(n))
    return (answers[:, 0] != symbols[:, -1]).any(axis=1).mean()


# %% tags=["slow"]
for n in (8, 32, 128):
    wrong = {name: share_wrong(name, n) for name in ("smallest", "smallest-digital")}
    print(f"n = {n:>3}: ", "   ".join(f"{name} {share:6.1%} wrong" for name, share in wrong.items()))

# %% [markdown]
# **What to notice.** The model of chapter 4, without one error in the ledger, fails on more than half of the longer ones.
# Another one, *digital*, fails on none. But that is only a test again. With 1,024 symbols there are 1,024³² inputs of 32 pairs,
# some 10⁹⁶: nobody can try them all. How could we ever know?

# %% [markdown]
# ## A memory of digits
#
# `smallest-digital` has a simpler JOIN. A node has two parts:
#
# - what is **carried**: most numbers of one child, copied exactly. One digit g says which child's (chapter 5's g, rounded);
# - its **marks**: three digits, −1 or 1, made anew at each node.
#
# $$h_{\text{carried}} = g \cdot \text{right} + (1 - g) \cdot \text{left}, \qquad g \in \{0, 1\}, \qquad h_{\text{marked}} \in \{-1, 1\}^3$$
#
# It is a tournament: the winner goes up, and the marks beside it are signposts that SEARCH reads. At first g and the marks are
# any numbers in between, and are trained under noise, as in chapter 4. When the noise has fallen to zero they are rounded to
# digits, and training goes on.

# %%
shipped = load_pretrained("smallest-digital")
memory = shipped.model.memory
grown = memory.grow(all_alike(8, 1).astype("float32"), np.array([8]))
root = np.array(grown)[0, 1]
print("the root: carried", root[: memory.carried].round(2), "  marked", root[memory.carried :])
print("one of the leaves carries the same:", (np.array(grown)[0, 8:, : memory.carried] == root[: memory.carried]).all(1).any())

# %% [markdown]
# ## How many nodes can there be?
#
# A leaf holds one of 1,024 symbols, or nothing. What a node carries is what some leaf carries, and its marks are one of 2³. So a
# node has at most 1,025 · 8 values, however large the tree: it is a **machine** with finitely many states. `extract` finds
# those that occur, level by level: it joins all pairs of known values, until nothing new appears.

# %%
machine = extract(shipped.model)
small = machine.merged()
print("values of leaves, then of nodes of height 1, 2, ...:", *machine.levels)
print("values in all:", machine.states, "  of which SEARCH and JOIN tell apart:", small.states)

# %% [markdown]
# **What to notice.** There are fewer values of leaves than symbols, for some symbols share one. And after very few levels nothing
# new comes: the set is closed. From here on the network is not needed. JOIN is a table with a row and a column for each value,
# SEARCH a list of left and right. Many values differ only in what neither looks at; *merged*, they are one.

# %% [markdown]
# ## Two leaves, by hand
#
# We want to know whether a tree of **two** leaves is always right. There are 1,024 · 1,024 of them. We try each: at the root
# SEARCH must go right exactly where the right key is smaller.

# %%
keys = machine.symbols[:, :5] @ 2 ** np.arange(4, -1, -1)
roots = machine.join[np.ix_(machine.leaf, machine.leaf)]
goes_right = machine.right[0, roots] == 1
should = keys[None, :] < keys[:, None]
print(f"{should.size:,} trees of two leaves, {(goes_right != should).sum()} of them wrong")


# %%
def draw_decisions():
    """Left key down, right key across: where SEARCH goes, for the first symbol of each key."""
    figure, axes = plt.subplots(figsize=(4.6, 4), layout="constrained", facecolor="white")
    axes.imshow(goes_right[::32, ::32], cmap="cividis", origin="lower")
    axes.set(xlabel="key on the right", ylabel="key on the left", title="yellow: SEARCH goes right")
    return figure, "A square of 32 by 32 keys: SEARCH goes right exactly above the diagonal, where the right key is smaller."


show(*draw_decisions())

# %% [markdown]
# ## From two leaves to all
#
# A tree of four leaves is two of these under one more JOIN, which sees only their two *values*. Give each value a **label**, the
# smallest key below it. (One value may get several labels.) Then check all pairs of labelled values:
#
# > Where the left value has the label a and the right one b, give JOIN's value the label min(a, b). SEARCH must go right
# > there exactly if b < a.

# %% [markdown]
# If this holds for all pairs of leaves, every tree of height 1 is right. The labelled values of that height are new pairs to
# check, for height 2, and so on. When a height brings no new labelled value, no greater height can, and **every** tree is
# right. This is an induction over the height, and a program checks it.

# %%
print(examine(shipped.model, shipped.task))

# %% [markdown]
# **What to notice.** Millions of decisions, none wrong; and this covers inputs of any length. A proof about numbers in a computer
# must mind rounding: another machine may add in another order. So the distance of each sum from its threshold is measured.
# Where it is less than ε (in brackets above; far more than rounding can do), **both** outcomes are followed and must be right. On
# the command line: `python -m hamlib prove smallest-digital`.

# %% [markdown]
# ## Access after access: a memory that sorts
#
# `sort-digital` is the same kind of memory, asked again and again: it returns the smallest key, then the next. Its WRITE replaces
# the leaf that was visited by a vector, the same for every leaf. So a leaf has one more value, *taken*, with the label
# **none**, which an empty leaf has too.

# %% [markdown]
# Now the induction goes over the accesses. If the labels are right, an access goes to the first of the smallest keys that are left.
# WRITE makes the label of that leaf none, and JOIN renews the labels above it. So they are right again before the next access,
# with one key fewer, and the answers come in the order of a stable sort.

# %%
sorter = load_pretrained("sort-digital")
tables = extract(sorter.model).merged()
taken = np.unique(tables.written[0, tables.leaf])
print("values of a leaf that was taken:", len(taken))
print(examine(sorter.model, sorter.task))

# %% [markdown]
# ## The tables run alone
#
# The machine needs no network. We give 65,536 random pairs to the tables. SEARCH's table leads each access down, WRITE's
# replaces the leaf, JOIN's renews the path. `places` works out all accesses together, height by height.

# %%
bits = np.random.default_rng(1).integers(0, 2, size=(2**16, 10))
leaves = tables.leaf[bits @ 2 ** np.arange(9, -1, -1)]
started = time.perf_counter()
order = places(tables, leaves, len(leaves))
keys = bits[:, :5] @ 2 ** np.arange(4, -1, -1)
print(f"{len(order):,} accesses in {time.perf_counter() - started:.1f} s")
print("the order of a stable sort:", (order == np.argsort(keys, kind="stable")).all())

# %% [markdown]
# **What to notice.** This is the algorithm that was learned, and it fits into a few tables. `python -m hamlib sort --random
# 1048576 --machine` sorts a million pairs with them. NumPy is still far faster: it need not learn what a number is.

# %% [markdown]
# ## And where it is not right?
#
# The nodes of chapter 4's model are not digital: new values come at every height. But we can still look for a pair of values
# that it gets wrong. Each value was found with a subtree that leads to it. So a wrong pair gives an input that is answered
# wrongly, a **counterexample**.

# %% tags=["slow"]
chapter4 = load_pretrained("smallest")
counterexample = examine(chapter4.model, chapter4.task)
print(counterexample)

# %% tags=["slow"]
print("the model answers", *chapter4.answer(counterexample.symbols[None])[0, 0], "  right:", *counterexample.right[0])

# %% [markdown]
# ## Exercises
#
# **11.1 A sabotaged table.** A checker that cannot fail proves nothing. Change one entry of SEARCH's table so that `prove` finds
# an input that is answered wrongly. (`machine.leaf[s]` is the value of the leaf with symbol s, key · 32 + value; JOIN's table
# is `machine.join`.)


# %% tags=["exercise"]
def sabotaged(machine):
    """Return a copy of the machine with one entry of `right[1, S]` changed: where two leaves of keys 3 and 5 are joined."""
    raise NotImplementedError


# %% tags=["check"]
with check("11.1"):
    broken = sabotaged(small)
    assert (broken.right != small.right).sum() == 1, "change one entry of `right`, and no other"
    assert (small.right >= 0).all(), "change a copy: `machine.right.copy()`"
    found = prove(broken, shipped.task)
    assert hasattr(found, "symbols"), f"this one is still proved: {found}"
    print(found)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def sabotaged(machine):
#     """Return a copy of the machine with one entry of `right[1, S]` changed: where two leaves of keys 3 and 5 are joined."""
#     import dataclasses
#
#     node = machine.join[machine.leaf[3 << 5], machine.leaf[5 << 5]]
#     right = machine.right.copy()
#     right[0, node] = 1 - right[0, node]
#     return dataclasses.replace(machine, right=right)
# ```
#
# </details>

# %% [markdown]
# **11.2 Another specification.** For *the largest key, of equals the last*: which label does a node get from those of its two
# children, and where must SEARCH go? None stands for an empty subtree; empty leaves come after the others.


# %% tags=["exercise"]
def largest_last(a, b):
    """For the labels of the left and the right child, keys or None: (label of the node, whether SEARCH goes right)."""
    raise NotImplementedError


# %% tags=["check"]
with check("11.2"):
    for keys_below in ([3, 9, 9, 1], [5, 5, 5, 5], [0, 0, None, None], [4, 7, 2, None]):
        (a, left), (b, right) = largest_last(*keys_below[:2]), largest_last(*keys_below[2:])
        label, goes = largest_last(a, b)
        best = max(key for key in keys_below if key is not None)
        leaf = 2 + right if goes else 0 + left
        last = max(place for place, key in enumerate(keys_below) if key == best)
        assert label == best, f"{keys_below}: the label of the root is {label}"
        assert leaf == last, f"{keys_below}: the signposts lead to leaf {leaf}, the last largest is leaf {last}"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def largest_last(a, b):
#     """For the labels of the left and the right child, keys or None: (label of the node, whether SEARCH goes right)."""
#     if b is None or a is not None and b < a:
#         return a, False
#     return b, True
# ```
#
# </details>

# %% [markdown]
# ## Summary
#
# - A random test says how often a model is wrong on random inputs, and nothing about others.
# - A memory whose nodes are copies and marks has finitely many values. So it is a machine, and its tables can be checked entry by
#   entry.
# - One wrong pair is a concrete wrong input; no wrong pair is a proof, for every n.
#
# Chapter 7 has a stack and a queue that are proved in the same way. Not proved yet: memories with an LSTM, whose state is not finite,
# and the priority queue.
#
# **Next:** all tasks so far came with hamlib. [Chapter 12, *Make it yours*](12_yours.ipynb), trains one of your own.
