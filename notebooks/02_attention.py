# %% [markdown]
# # 2. Attention is a path
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ham-book/ham-book/blob/main/notebooks/02_attention.ipynb)
#
# Covers Sec. 3.2 of the paper (SEARCH and WRITE, Fig. 3 and 5) and its Appendix A (soft attention, DHAM).
#
# **You will learn**
# - how SEARCH turns a query into a path from the root to one leaf (hard attention);
# - how the same numbers give a probability to every leaf (soft attention), and why the two belong together;
# - how a memory is read and written in both ways, and which rows a write touches.
#
# **Know before:** [chapter 1](01_tree.ipynb): the heap layout, EMBED and JOIN.
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
from hamlib.drawing import draw_frames, draw_tree, show
from hamlib.memory import TreeMemory, preset
from hamlib.tasks import get_task

import keras
import matplotlib.pyplot as plt
import numpy as np

# %% [markdown]
# ## What do we search, and for what?
#
# We take the list of chapter 1 and an untrained memory, and grow the tree. New is the **query**: a vector of l
# numbers that says what is wanted. In most of the paper it is the state of an LSTM that controls the memory, $h_{\text{LSTM}}$;
# in *select the smallest* there is nothing to ask, and it is a zero vector. Here we draw a random one, to see what
# it does.
#
# An untrained SEARCH hardly prefers one side. We make its weights three times as large, so that the pictures show
# something; the sizes mean nothing yet.

# %%
keras.utils.set_random_seed(2)
task = get_task("smallest")
memory = TreeMemory(task.symbol_width, **preset("2016"))
memory.search.set_weights([3 * weight for weight in memory.search.get_weights()])

# %%
inputs, _ = task.examples(n=8, batch_size=1, seed=3, step=0)
nodes = np.array(memory.grow(inputs["symbols"], inputs["lengths"]))
query = np.random.default_rng(1).normal(size=(1, memory.query_width)).astype("float32")
tree, q, n = nodes[0], query[0], 8
print("nodes [batch, 2n, d]:", nodes.shape, "  query [batch, l]:", query.shape)

# %% [markdown]
# ## How does one node decide?
#
# SEARCH looks at one inner node and the query, and returns one number between 0 and 1: the probability of going
# **right**. In the 2016 code it is a single layer with a sigmoid σ:
#
# $$s_c = \mathrm{SEARCH}(h_c, q) = \sigma(w \cdot h_c + v \cdot q + b)$$
#
# The same w, v and b serve at every node. Decisions differ only because the vectors $h_c$ differ.

# %%
w, bias, v = memory.search.get_weights()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def search(h):
    return sigmoid(h @ w[:, 0] + q @ v[:, 0] + bias[0])


s = np.array([search(h) for h in tree[:n]])  # s[c] for the inner nodes c = 1 .. n - 1; s[0] is unused
print("s:", s[1:].round(2))

# %%
labels = [f"{value:.2f}" for value in s] + ["leaf"] * n
show(draw_tree(n=n, node_labels=labels, title="SEARCH at each inner node: the probability of going right"))

# %% [markdown]
# **What to notice.** There are n − 1 inner nodes, so n − 1 possible decisions; a walk meets only $\log_2 n$ of
# them.
#
# Look at the formula once more. With a single layer the query adds the same number, $v \cdot q$, at every node. It pushes
# all decisions the same way, to the right or to the left. How can one tree then lead to more than one leaf?

# %% [markdown]
# ## Two queries, one tree, two leaves
#
# Take sorted keys, and let each inner node hold one number: the largest key of its **left** half. The query is the key
# that is wanted. Then a single layer is enough for a search tree. It goes right if the key is larger:
#
# $$s_c = \sigma\big(20 \cdot (q - h_c) - 10\big)$$
#
# The push of the query is the same everywhere, but what it pushes against differs from node to node.

# %%
sorted_keys = [2, 5, 9, 12, 16, 21, 26, 30]
largest_left = {1: 12, 2: 5, 3: 21, 4: 2, 5: 9, 6: 16, 7: 26}


def look_up(key):
    """The path of a query through a tree that is written by hand."""
    path = [1]
    while path[-1] < 8:
        path.append(2 * path[-1] + int(sigmoid(20 * (key - largest_left[path[-1]]) - 10) > 0.5))
    return path


# %%
in_nodes = [""] + [largest_left[c] for c in range(1, 8)] + sorted_keys
frames = [dict(n=8, path=look_up(key), node_labels=in_nodes, title=f"query {key}: right where it is larger") for key in (9, 26)]
show(draw_frames(frames))

# %% [markdown]
# **What to notice.** One tree, two queries, two leaves. The nodes are the same; at the root, 9 is not larger than 12, and 26
# is. With an LSTM the query is a vector, and what a node compares it with is learned: in chapter 6 such a memory learns to
# search by itself. A SEARCH of two layers, which the paper also allows, can ask more than *larger or not*.
#
# Back to the random tree.

# %% [markdown]
# ## Hard: which leaf do we reach?
#
# Start at the root. Go right if $s_c > 0.5$, else left, until you stand on a leaf. That leaf is the attended one,
# **a**. This is what the paper does at test time. The path is a list of rows of `nodes`.

# %%
path = [1]
while path[-1] < n:
    c = path[-1]
    path.append(2 * c + int(s[c] > 0.5))

print("path:", path, "  attended leaf a =", path[-1] - n)

# %% [markdown]
# hamlib keeps this as `TreeMemory.attend(nodes, query, "hard")`. It computes SEARCH only where the path goes.

# %%
hard = np.array(memory.attend(nodes, query, "hard"))
print("path[batch, log2 n + 1]:", hard, "  same as ours:", np.array_equal(hard[0], path))
show(draw_tree(tree, path=hard[0], title="Hard attention: one path"))

# %% [markdown]
# ## Soft: how probable is every leaf?
#
# Now let chance decide: at each node go right with probability $s_c$. Then every leaf e is reached with some
# probability. There is only one way to it, so that probability is the product of the decisions on the way
# (Appendix A):
#
# $$p(e) = \prod_{c \text{ above } e} \begin{cases} s_c & \text{if } e \text{ is to the right of } c \\
# 1 - s_c & \text{if } e \text{ is to the left of } c \end{cases}$$

# %%
p = np.ones(n)
for e in range(n):
    row = n + e
    while row > 1:
        c = row // 2
        p[e] *= s[c] if row % 2 else 1 - s[c]  # odd rows are right children
        row = c

print("p:", p.round(3), "  sum:", p.sum().round(6))

# %% [markdown]
# hamlib keeps this as `TreeMemory.attend(nodes, query, "soft")`. It works level by level, on the whole batch at
# once.

# %%
soft = np.array(memory.attend(nodes, query, "soft"))
print("p[batch, n]:", soft.shape, "  same as ours:", np.allclose(soft[0], p, atol=1e-5))
show(draw_tree(p=soft[0], title="Soft attention: the probability of passing each node"))

# %% [markdown]
# **What to notice.** The root holds probability 1. Each inner node divides what it has among its two children, so
# the leaves add up to 1 without a softmax. An ordinary attention would score all leaves and normalise; here the
# tree does it.

# %% [markdown]
# ## Are the two really the same walk?
#
# Soft attention is the average over all walks. If so, we can find p without any formula: walk many times, decide
# by chance, and count where we end. With N walks the error should fall about as $1 / \sqrt{N}$.

# %%
rng = np.random.default_rng(0)


def sample_leaf():
    c = 1
    while c < n:
        c = 2 * c + int(rng.random() < s[c])
    return c - n


ends = np.array([sample_leaf() for _ in range(10_000)])
for walks in (100, 1_000, 10_000):
    frequency = np.bincount(ends[:walks], minlength=n) / walks
    print(f"{walks:6,} walks: mean difference from p {abs(frequency - p).mean():.4f}")

# %%
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
ax.bar(np.arange(n) - 0.2, p, width=0.4, color="#009E73", label="p(e), the product")
ax.bar(np.arange(n) + 0.2, frequency, width=0.4, color="#E69F00", hatch="//", label="frequency")
ax.set(xlabel="leaf e", ylabel="probability, or share of 10,000 walks", xticks=range(n))
ax.legend(frameon=False)
words = "Bar chart of 8 leaves, two bars each: p(e) and the frequency of e in 10,000 sampled walks. "
show(figure, words + f"The pairs are almost equal; their mean difference is {abs(frequency - p).mean():.4f}.")

# %% [markdown]
# **What to notice.** One set of weights, two ways to walk it. *Soft* carries all walks along and is
# differentiable, so ordinary back-propagation trains it, but it visits every node: Θ(n). *Hard* takes one walk and
# costs Θ(log n).
#
# The paper has a name for each. **HAM**, *Hierarchical Attentive Memory*, is hard: in training it samples walks and
# learns by REINFORCE (chapter 8). **DHAM**, *differentiable* HAM, is soft (chapter 3). A memory without an LSTM is called
# **raw HAM** in this book, whether it runs soft or hard; its class is `RawHAM`.

# %% [markdown]
# ## Read: what comes back?
#
# Hard attention returns the attended leaf, soft attention the mean leaf under p:
#
# $$\text{hard: } h_a \qquad\qquad \text{soft: } \sum_e p(e)\, h_e$$

# %%
leaves = tree[n:]
read_hard = leaves[path[-1] - n]
read_soft = p @ leaves
print("hard, same as hamlib's:", np.allclose(memory.read(nodes, hard)[0], read_hard, atol=1e-5))
print("soft, same as hamlib's:", np.allclose(memory.read(nodes, soft)[0], read_soft, atol=1e-5))

# %% [markdown]
# ## Write: how does a memory change?
#
# WRITE makes a new value for a leaf from its old value and the query. It is a *highway*: a gate T, between 0 and 1
# in each coordinate, chooses between a new value H and the old one:
#
# $$\mathrm{WRITE}(h, q) = T \cdot H + (1 - T) \cdot h$$
#
# T and H are two small networks that see h and q and end in a sigmoid. Where T is near 0, the leaf keeps what it had.
# So *leave it alone* is easy to learn.

# %%
w_gate, b_gate, v_gate = memory.write_gate.get_weights()
w_value, b_value, v_value = memory.write_value.get_weights()


def written(h):
    T = sigmoid(h @ w_gate + q @ v_gate + b_gate)
    H = sigmoid(h @ w_value + q @ v_value + b_value)
    return T * H + (1 - T) * h


print("leaf a before: …", read_hard[-5:].round(2))
print("leaf a after:  …", written(read_hard)[-5:].round(2))

# %% [markdown]
# **Hard:** put the new value into the attended leaf, then JOIN again from there up to the root. Nothing else
# changes.

# %%
[W_join] = memory.join.get_weights()


def join(i, tree):
    return np.maximum(np.concatenate([tree[2 * i], tree[2 * i + 1]]) @ W_join, 0)


after_hard = tree.copy()
after_hard[path[-1]] = written(tree[path[-1]])
for i in reversed(path[:-1]):
    after_hard[i] = join(i, after_hard)

# %% [markdown]
# **Soft:** every leaf is written a little, as much as it is attended (Appendix A). Then all inner nodes are joined
# again:
#
# $$h_e := p(e) \cdot \mathrm{WRITE}(h_e, q) + (1 - p(e)) \cdot h_e$$

# %%
after_soft = tree.copy()
after_soft[n:] = p[:, None] * written(leaves) + (1 - p[:, None]) * leaves
for i in range(n - 1, 0, -1):
    after_soft[i] = join(i, after_soft)

# %% [markdown]
# hamlib keeps both as `TreeMemory.write(nodes, where, query)`, where `where` is what `attend` returned.

# %%
for name, where, ours in (("hard", hard, after_hard), ("soft", soft, after_soft)):
    theirs = np.array(memory.write(nodes, where, query))[0]
    rows = np.flatnonzero((theirs != tree).any(axis=1))
    print(f"{name}: same as ours {np.allclose(theirs, ours, atol=1e-5)}; rows touched: {rows}")

# %%
frames = [
    {"nodes": abs(after_hard - tree), "path": path, "title": "what a hard write changes"},
    {"nodes": abs(after_soft - tree), "p": p, "title": "what a soft write changes"},
]
show(draw_frames(frames, unit="absolute change of a node (no unit)"))

# %% [markdown]
# **What to notice.** The hard write touches $\log_2 n + 1$ rows, exactly the path. The soft write touches all 2n −
# 1, most of them only a little.

# %% [markdown]
# ## When are hard and soft the same?
#
# When SEARCH is sure. If every decision is 0 or 1, p is 1 at one leaf and 0 elsewhere, and nothing is left to
# average. We make SEARCH sure by force: multiply its weights by 1,000, so that σ saturates.

# %%
sure = TreeMemory(task.symbol_width, **preset("2016"))
sure.set_weights(memory.get_weights())
sure.search.set_weights([1000 * weight for weight in memory.search.get_weights()])
sure_soft, sure_hard = sure.attend(nodes, query, "soft"), sure.attend(nodes, query, "hard")
print("p:", np.array(sure_soft)[0].round(3), "  a:", int(sure_hard[0, -1]) - n)

# %%
reads = [np.array(sure.read(nodes, where)) for where in (sure_soft, sure_hard)]
writes = [np.array(sure.write(nodes, where, query)) for where in (sure_soft, sure_hard)]
print("same read:", np.allclose(*reads, atol=1e-5))
print("same tree after the write:", np.allclose(*writes, atol=1e-5))

# %% [markdown]
# **What to notice.** Training has a reason to make SEARCH sure: where p is spread out, the answer is a mixture of leaves,
# and a mixture is rarely right. If it does, a memory can be trained soft and then run hard, at Θ(log n) for each access.
# Chapters 3 and 4 measure how well that works.

# %% [markdown]
# ## Exercises
#
# **2.1 Level by level.** Our loop for p climbs from every leaf, which costs n · log n. Write it with one step for
# each level: begin with p = [1]; then each entry splits into its left and its right part. Use `s` (inner nodes of
# one level are neighbours in it) and no loop over leaves.


# %% tags=["exercise"]
def soft_attention(s):
    """Return p[n] for the decisions s[n], where s[c] belongs to inner node c and s[0] is unused."""
    raise NotImplementedError


# %% tags=["check"]
with check("2.1"):
    assert np.allclose(soft_attention(np.array([0, 0.3])), [0.7, 0.3]), "n = 2: p is [1 - s[1], s[1]]"
    assert soft_attention(s).shape == (n,), f"expected {n} leaves, got the shape {soft_attention(s).shape}"
    assert np.allclose(soft_attention(s), p), "wrong values: are left and right interleaved?"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def soft_attention(s):
#     """Return p[n] for the decisions s[n], where s[c] belongs to inner node c and s[0] is unused."""
#     p = np.ones(1)
#     while len(p) < len(s):
#         right = s[len(p) : 2 * len(p)]  # the inner nodes of this level
#         p = np.stack([p * (1 - right), p * right], axis=1).reshape(-1)
#     return p
# ```
#
# </details>

# %% [markdown]
# **2.2 The greedy walk can miss.** The hard walk takes the more probable side at each node. Does it always end at
# the most probable leaf? Find three decisions for a tree of four leaves for which it does not. A tree of two
# leaves has no such case: why?


# %% tags=["exercise"]
def misleading_decisions():
    """Return s[4] with s[0] = 0, so that the hard walk does not end at the most probable leaf."""
    raise NotImplementedError


# %% tags=["check"]
with check("2.2"):
    m = np.array(misleading_decisions(), dtype=float)
    assert m.shape == (4,) and ((m >= 0) & (m <= 1)).all(), "expected four numbers from 0 to 1"
    left, right = (1 - m[1]) * np.array([1 - m[2], m[2]]), m[1] * np.array([1 - m[3], m[3]])
    q4 = np.concatenate([left, right])
    c = 2 + int(m[1] > 0.5)
    greedy = 2 * c + int(m[c] > 0.5) - 4
    assert q4[greedy] < q4.max(), f"leaf {greedy} is the most probable: p = {q4.round(2)}"

# %% [markdown]
# <details><summary>Solution</summary>
#
# With two leaves there is only one decision, and the more probable side is the more probable leaf.
#
# ```python
# def misleading_decisions():
#     """Return s[4] with s[0] = 0, so that the hard walk does not end at the most probable leaf."""
#     # Right is a little more probable at the root, but there the rest is split in two halves.
#     return [0, 0.55, 0.0, 0.5]  # p = 0.45, 0, 0.275, 0.275
# ```
#
# </details>

# %% [markdown]
# **2.3 How probable was that walk?** REINFORCE (chapter 8) needs the logarithm of the probability of the walk that
# was taken. Write it as a sum over the decisions. A sum of logarithms does not underflow where a long product
# would.


# %% tags=["exercise"]
def log_probability(path, s):
    """Return log p of a walk: `path` are rows from the root (1) to a leaf, s[c] as above."""
    raise NotImplementedError


# %% tags=["check"]
with check("2.3"):
    half = np.full(8, 0.5)
    assert np.isclose(log_probability([1, 2, 4, 8], half), 3 * np.log(0.5)), "three even decisions"
    log_p = np.log(p[path[-1] - n])
    assert np.isclose(log_probability(path, s), log_p), "it must be log p(a) of the leaf reached"
    rare = np.full(8, 1e-150)
    log_p = 3 * np.log(1e-150)
    assert np.isclose(log_probability([1, 3, 7, 15], rare), log_p), "the product is 0 here: add logarithms"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def log_probability(path, s):
#     """Return log p of a walk: `path` are rows from the root (1) to a leaf, s[c] as above."""
#     total = 0.0
#     for c, child in zip(path[:-1], path[1:]):
#         total += np.log(s[c] if child % 2 else 1 - s[c])
#     return total
# ```
#
# </details>

# %% [markdown]
# ## Summary
#
# - An access is three moves: **attend → read → write**.
# - SEARCH gives each inner node the probability of going right. Hard attention follows one path; soft attention
#   multiplies the decisions into p, one number for each leaf.
# - WRITE is a highway: a gate decides how much of a leaf is replaced. A hard write touches the path only, a soft
#   write touches all nodes.
# - Where all decisions are 0 or 1, hard and soft are the same.
#
# **Next:** [chapter 3, *Train DHAM to pick the smallest*](03_train.ipynb), gives these random weights a job and
# trains them.
