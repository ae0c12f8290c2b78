# %% [markdown]
# # 1. A memory shaped like a tree
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ham-book/ham-book/blob/main/notebooks/01_tree.ipynb)
#
# Covers Sec. 3.2 of the paper, *Model*: Fig. 2, EMBED and JOIN, and the update rule of Fig. 5.
#
# **You will learn**
# - how a list of symbols becomes a full binary tree of vectors, and how one array holds it;
# - what an inner node must know, so that a search can find its way from the root;
# - why one access costs Θ(log n), and what changes in the tree when one leaf changes.
#
# **Know before:** NumPy arrays, and what a matrix product with a ReLU does.
#
# **Time:** about 15 seconds on a CPU with 2 cores.

# %%
# Installs hamlib where it is missing, as in Colab. HAMLIB_SOURCE can name a local checkout instead.
import importlib.util, os, subprocess, sys

if importlib.util.find_spec("hamlib") is None:
    source = os.environ.get("HAMLIB_SOURCE", "git+https://github.com/ham-book/ham-book")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)

# %%
# hamlib comes first: it keeps TensorFlow's start-up messages out of the notebook.
from hamlib import check
from hamlib.drawing import draw_tree, path_to, show
from hamlib.memory import TreeMemory, preset
from hamlib.tasks import get_task

import keras
import matplotlib.pyplot as plt
import numpy as np

# %% [markdown]
# Two names come back in every chapter. **The paper** is Andrychowicz and Kurach, *Learning Efficient Algorithms with
# Hierarchical Attentive Memory*, 2016 ([arXiv 1602.03218](https://arxiv.org/abs/1602.03218)); "Sec." and "Fig." mean
# its sections and figures. **The 2016 code** is [tf-ham](https://github.com/Smerity/tf-ham), a public repository of that
# year. It implements a part of the paper in TensorFlow, and trains one task: the one below.
#
# Where HAM stands beside other memories, and when *not* to use it, is on the [opening page](00_context.ipynb); words
# are explained in the [glossary](93_glossary.ipynb).

# %% [markdown]
# ## What should the memory hold?
#
# Our first task is *select the smallest*. The input is a list of symbols. Each symbol is a **key** and a
# **value**, five bits each. The answer is the symbol with the smallest key; of equal keys, the first one counts.
#
# The function `examples` draws such lists at random. The same seed and step always give the same list, so your
# numbers are the numbers printed here.

# %%
task = get_task("smallest")
inputs, targets = task.examples(n=8, batch_size=1, seed=3, step=0)
symbols = np.array(inputs["symbols"])  # [batch, n, b]
target = np.array(targets)[0, 0]
keys = symbols[0, :, :5] @ [16, 8, 4, 2, 1]  # five bits, the highest first, as a number


# %%
def text(symbol):
    bits = "".join(str(int(bit)) for bit in symbol)
    return f"{bits[:5]}‖{bits[5:]}"


print("shape [batch, n, b]:", symbols.shape)
for k in range(8):
    print(f"leaf {k}: {text(symbols[0, k])}  key {keys[k]:2.0f}")
print(f"answer: {text(target)}")

# %% [markdown]
# ## How can we find the smallest without looking at every symbol?
#
# A cup tournament knows how. Play the symbols against each other in pairs, then the winners in pairs, and so on.
# Every match leaves its result in a node above the two players. The champion stands at the top, in the **root**.
#
# One rule makes all inner nodes, from the bottom up:
#
# $$h_e = \mathrm{JOIN}(h_{\text{left child}}, h_{\text{right child}})$$
#
# Later, JOIN will be a small network that learns what to keep. To see what it must learn, we first write it by
# hand: JOIN is the minimum.


# %%
def grow(leaves, join):
    """Fill a tree from the bottom up; row 1 is the root, row 0 stays empty."""
    n = len(leaves)
    tree = np.zeros((2 * n, *leaves.shape[1:]))
    tree[n:] = leaves
    for i in range(n - 1, 0, -1):
        tree[i] = join(tree[2 * i], tree[2 * i + 1])
    return tree


smallest_below = grow(keys, join=min)
print(smallest_below)

# %%
show(draw_tree(smallest_below, title="Each node: the smallest key below it", unit="key"))

# %% [markdown]
# **What to notice.** The root holds the smallest of all the keys. Eight leaves play seven matches. In general there are
# n − 1, because every match sends one player home. And the answer's *path* from the root is only $\log_2 n$ steps long.

# %% [markdown]
# ## Where is everything in the array?
#
# The tree has no pointers. It is one array in the classic *heap layout*, and arithmetic finds the way:
#
# - the root is row 1; row 0 is unused;
# - the children of row $i$ are rows $2i$ and $2i + 1$, so the parent of row $i$ is row $\lfloor i / 2 \rfloor$;
# - leaf $k$ is row $n + k$.

# %%
n, leaf = 8, 5
print("row of leaf 5:", n + leaf, "  in binary:", format(n + leaf, "b"))
print("rows from the root to it:", path_to(leaf, n))

# %%
show(draw_tree(n=8, path=path_to(5, 8), title="The rows of the array; marked: from the root to leaf 5"))

# %% [markdown]
# **What to notice.** Leaf 5 is row 8 + 5 = 13. Halve and round down, again and again: 13, 6, 3, 1. That is the way
# up. In binary, 13 is `1101`: after the leading 1, a 1 means *right* and a 0 means *left*. So the number of a row
# spells the way down to it.

# %% [markdown]
# ## What must an inner node know?
#
# Now walk down from the root to the winner. In the paper, the decision at a node is made by SEARCH from **that
# node's own vector** and a query. It does not look at the children:
#
# $$P(\text{go right at } c) = \mathrm{SEARCH}(h_c, \text{query})$$
#
# So the minimum alone is not enough: it says *what* is below, not *where*. JOIN has to leave a signpost too. Our
# node becomes a vector of two numbers: the smallest key, and 1 if it lies on the right.


# %%
def join_by_hand(left, right):
    is_right = float(right[0] < left[0])  # on a tie go left: the first one counts
    return np.array([min(left[0], right[0]), is_right])


def search_by_hand(node):
    return node[1]


signposts = grow(np.stack([keys, np.zeros(8)], axis=1), join_by_hand)
print(signposts[1:8])


# %%
def trace(tree, search):
    """Go from the root to a leaf: right where SEARCH is above one half."""
    path = [1]
    while path[-1] < len(tree) // 2:
        right = search(tree[path[-1]]) > 0.5
        path.append(2 * path[-1] + int(right))
    return path


path = trace(signposts, search_by_hand)
print("path:", path, "  answer right:", np.array_equal(symbols[0, path[-1] - 8], target))

# %%
labels = [f"{h[0]:.0f} {'→' if h[1] else '←'}" for h in signposts[:8]] + [f"{key:.0f}" for key in keys]
show(draw_tree(n=8, path=path, node_labels=labels, title="Smallest key below, and the side it is on"))

# %% [markdown]
# **What to notice.** This is already a Hierarchical Attentive Memory: a tree of vectors, a JOIN, a SEARCH. Nothing
# in it is learned. The paper's point is that JOIN and SEARCH need not be written by hand: they can be networks,
# trained from examples alone, and then the same machine also learns to sort, to merge or to be a queue.

# %% [markdown]
# ## What does the real tree look like?
#
# Two transformations fill it. **EMBED** turns a symbol of b bits into a leaf, a vector of d numbers. **JOIN**
# turns two such vectors into one. In the 2016 code each is one matrix and a ReLU, with d = 20:
#
# $$\mathrm{EMBED}(x) = \mathrm{ReLU}(x\,W_E) \qquad \mathrm{JOIN}(l, r) = \mathrm{ReLU}([l, r]\,W_J)$$
#
# We take an untrained memory from hamlib, borrow its two matrices, and grow the tree ourselves.

# %%
keras.utils.set_random_seed(1)
memory = TreeMemory(task.symbol_width, **preset("2016"))
[W_embed], [W_join] = memory.embed.get_weights(), memory.join.get_weights()
print("W_E:", W_embed.shape, "  W_J:", W_join.shape)


# %%
def embed(x):
    return np.maximum(x @ W_embed, 0)


def join(left, right):
    return np.maximum(np.concatenate([left, right]) @ W_join, 0)


tree = grow(embed(symbols[0]), join)
print("shape [2n, d]:", tree.shape)

# %% [markdown]
# hamlib keeps this as `TreeMemory.grow`. It works on a whole batch at once, `nodes[batch, 2n, d]`, and it must
# give the same numbers as our loop.

# %%
nodes = np.array(memory.grow(symbols, lengths=[8]))
print("shape [batch, 2n, d]:", nodes.shape)
print("same numbers as ours:", np.allclose(nodes[0], tree, atol=1e-5))

# %%
labels = [f"{key:.0f}" for key in keys]
show(draw_tree(nodes[0], leaf_labels=labels, leaf_name="key", title="An untrained tree, d = 20"))

# %% [markdown]
# **What to notice.** Each node is a column of 20 numbers. They mean nothing yet: the matrices are random. Chapter
# 3 trains them.

# %% [markdown]
# ## What if the list is shorter than the tree?
#
# A full binary tree has n leaves, n a power of two; a list may have any length m ≤ n. The paper fills the
# remaining leaves with **zero vectors**. They are zeros *after* EMBED, so an empty leaf differs from the symbol
# 00000‖00000 as soon as EMBED has a bias.

# %%
short = np.array(memory.grow(symbols, lengths=[5]))
labels = [f"{keys[k]:.0f}" if k < 5 else "–" for k in range(8)]
print("leaves that are all zero:", np.flatnonzero(~short[0, 8:].any(axis=1)))
show(draw_tree(short[0], leaf_labels=labels, leaf_name="key", title="m = 5 symbols in a tree of n = 8 leaves"))

# %% [markdown]
# ## How many weights does a bigger tree need?
#
# No more than a small one. All nodes share the same EMBED, JOIN, SEARCH and WRITE, so a memory trained at n = 8
# can be used at n = 1,024 without a change. Whether it then still answers correctly is another question; chapter 4
# is about it.

# %%
for n in (8, 64, 1024):
    more, _ = task.examples(n=n, batch_size=1, seed=3, step=0)
    shape = memory.grow(more["symbols"], more["lengths"]).shape
    print(f"n = {n:5,}: nodes {tuple(shape)}, weights {memory.count_params():,}")

# %% [markdown]
# ## Why Θ(log n)?
#
# Each step down halves the number of leaves that are left. After $\log_2 n$ decisions one leaf remains. So one
# access visits
#
# $$\log_2 n + 1 \text{ nodes,}$$
#
# where ordinary ("flat") attention compares the query with all n cells. We do not trust the formula; we count the
# nodes that `trace` visits.

# %%
rng = np.random.default_rng(0)
sizes = [2**j for j in range(1, 17)]
visited = []
for n in sizes:
    some_keys = rng.integers(0, 1000, n)
    signs = grow(np.stack([some_keys, np.zeros(n)], axis=1), join_by_hand)
    visited.append(len(trace(signs, search_by_hand)))
print("n =", sizes[-1], "-> nodes visited:", visited[-1])

# %%
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.loglog(sizes, sizes, "s--", color="#D55E00", base=2, label="flat attention: every cell")
ax.loglog(sizes, visited, "o-", color="#0072B2", base=2, label="tree: the nodes on the path")
ax.set(xlabel="n, cells in the memory", ylabel="cells or nodes looked at in one access")
ax.legend(frameon=False)
ax.grid(alpha=0.3)
words = f"Line chart, both axes logarithmic, n from 2 to {sizes[-1]:,}. Flat attention looks at "
words += f"n cells, a steep line. The tree looks at log2 n + 1 nodes, at the end {visited[-1]}."
show(figure, words)

# %% [markdown]
# **What to notice.** At n = 2 the tree gains nothing. At n = 65,536 one access looks at 17 nodes instead of 65,536
# cells.
#
# Two remarks. Growing the tree costs n − 1 JOINs; that is paid once, when the input arrives, and it is no more
# than a constant times what reading the input costs. And this is a count of nodes, not of seconds: chapter 9
# measures time.

# %% [markdown]
# ## And when a leaf changes?
#
# A memory is also written to. If leaf a gets a new value, which nodes go out of date? Only those that have a below
# them: its ancestors. We grow the tree again from scratch and look at which rows differ.

# %%
leaves = tree[8:].copy()
leaves[5] = embed(1 - symbols[0, 5])  # leaf 5 gets another symbol: all its bits flipped
new_tree = grow(leaves, join)
changed = np.flatnonzero((new_tree != tree).any(axis=1))
print("rows that differ:", changed, "  path to leaf 5:", path_to(5, 8))

# %% [markdown]
# **What to notice.** The rows that differ are exactly the path from the root to leaf 5. So a write needs $\log_2
# n$ JOINs and no more (Fig. 5 of the paper). Reading and writing are both Θ(log n).

# %% [markdown]
# ## Exercises
#
# Each exercise is a stub, a cell that checks it, and a folded solution. Replace the stub, run both cells, and read
# what the check says.
#
# **1.1 Family ties.** Write the arithmetic of the heap layout: the parent of a row, the row of the other child of
# the same parent (the *sibling*), and the row of leaf k.


# %% tags=["exercise"]
def parent(i):
    raise NotImplementedError


def sibling(i):
    raise NotImplementedError


def leaf_row(k, n):
    raise NotImplementedError


# %% tags=["check"]
with check("1.1"):
    assert [parent(i) for i in (2, 3, 13)] == [1, 1, 6], "rows 2i and 2i + 1 both have the parent i"
    assert sibling(12) == 13, "12 = 2 · 6 is a left child; which row is the right child of 6?"
    assert sibling(13) == 12, "13 = 2 · 6 + 1 is a right child; which row is the left child of 6?"
    assert [leaf_row(k, 8) for k in (0, 7)] == [8, 15], "the n leaves stand in the second half of the 2n rows"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def parent(i):
#     return i // 2
#
#
# def sibling(i):
#     return i ^ 1  # the last bit is the side: flip it
#
#
# def leaf_row(k, n):
#     return n + k
# ```
#
# </details>

# %% [markdown]
# **1.2 Another tournament.** Change the rules: find the **largest** key, and of equal keys the **last** one. Write
# the JOIN for it. A node is again [key, 1 if that key lies on the right], and `search_by_hand` stays as it is.


# %% tags=["exercise"]
def join_last_largest(left, right):
    raise NotImplementedError


# %% tags=["check"]
with check("1.2"):
    for some_keys in ([3, 9, 4, 1], [9, 3, 9, 4], [5, 5, 5, 5], [7, 2, 2, 1]):
        some_tree = grow(np.stack([some_keys, np.zeros(4)], axis=1), join_last_largest)
        found = trace(some_tree, search_by_hand)[-1] - 4
        right = 3 - int(np.argmax(some_keys[::-1]))
        assert some_tree[1, 0] == max(some_keys), f"keys {some_keys}: the root holds {some_tree[1, 0]:.0f}"
        assert found == right, f"keys {some_keys}: the walk ends at leaf {found}, the last largest is leaf {right}"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def join_last_largest(left, right):
#     is_right = float(right[0] >= left[0])  # on a tie go right: the last one counts
#     return np.array([max(left[0], right[0]), is_right])
# ```
#
# </details>

# %% [markdown]
# **1.3 A cheap update.** Write a function that puts a new vector into leaf k and then mends the tree with $\log_2
# n$ JOINs. It changes the array in place. Use `join` from above.


# %% tags=["exercise"]
def put(tree, k, vector):
    raise NotImplementedError


# %% tags=["check"]
with check("1.3"):
    joins, mended, plain_join = [], tree.copy(), join

    def join(left, right):
        joins.append(1)
        return plain_join(left, right)

    try:
        put(mended, 5, leaves[5])
    finally:
        join = plain_join
    assert np.allclose(mended[13], leaves[5]), "leaf 5 is row 13: does the new vector stand there?"
    assert np.allclose(mended, new_tree), "not the tree grown from scratch: are all ancestors joined again?"
    assert len(joins) == 3, f"{len(joins)} JOINs: three are enough for eight leaves"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def put(tree, k, vector):
#     i = len(tree) // 2 + k
#     tree[i] = vector
#     while i > 1:
#         i //= 2
#         tree[i] = join(tree[2 * i], tree[2 * i + 1])
# ```
#
# </details>

# %% [markdown]
# ## Summary
#
# - A tree of n leaves is one array `nodes[2n, d]`: the root is row 1, the children of row i are rows 2i and 2i + 1,
#   leaf k is row n + k.
# - EMBED fills the leaves, JOIN the inner nodes, from the bottom up. Leaves past the input's end are zero vectors.
# - A decision is made from one node's own vector, so JOIN must leave signposts. What they look like is learned.
# - One access, or one write, concerns $\log_2 n + 1$ nodes.
#
# **Next:** [chapter 2, *Attention is a path*](02_attention.ipynb), puts a network in the place of our hand-made
# SEARCH, follows it in two ways, hard and soft, and writes into the tree.
