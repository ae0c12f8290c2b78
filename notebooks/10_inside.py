# %% [markdown]
# # 10. Inside the tree
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ham-book/ham-book/blob/main/notebooks/10_inside.ipynb)
#
# Covers Sec. 4.4 and Fig. 6 of the paper: what the nodes of a tree that sorts have learned to store.
#
# **You will learn**
# - which one question each inner node must answer, and how to see whether it does;
# - what a linear probe is, and how far its answer holds: from 8 leaves to 1,024;
# - how to tell what a network *uses* from what it merely holds.
#
# **Know before:** [chapter 5](05_sort.ipynb).
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
from hamlib.drawing import draw_frames, show
from hamlib.evaluation import wrong_rate
from hamlib.pretrained import load_pretrained
from hamlib.tasks import get_task

import matplotlib.pyplot as plt
import numpy as np

# %% [markdown]
# ## What must a node know?
#
# Nobody told a node what to store. So we open one and look. We take raw HAM, which sorts without an LSTM (chapter 5). It is
# asked the same question again and again, and each time visits the leaf with the smallest key that it has not visited yet,
# the **next leaf**. SEARCH, at an inner node, sees the vector of that node and nothing else. So the vector must answer one
# question:
#
# > Is the next leaf **on the right**?
#
# We can work the answer out by hand. Give each leaf its rank in a stable sort; a visited one is out of the race, at ∞.


# %%
def smallest_below(ranks):
    """For ranks[batch, n], ∞ where visited: [batch, 2n], the smallest rank under each node."""
    levels = [ranks]
    while levels[0].shape[1] > 1:
        levels.insert(0, np.minimum(levels[0][:, ::2], levels[0][:, 1::2]))
    return np.concatenate([np.full_like(ranks[:, :1], np.inf), *levels], axis=1)


# %%
def is_right(ranks):
    """For inner nodes 1 .. n - 1: whether the next leaf is on the right, and whether there is a next one at all."""
    smallest = smallest_below(ranks)
    return smallest[:, 3::2] < smallest[:, 2::2], np.isfinite(smallest[:, 1 : ranks.shape[1]])


right, there = is_right(np.array([[2.0, 0, 3, 1]]))
print("root, left, right child: is the next leaf on the right?", right[0])

# %% [markdown]
# ## Many trees, at any moment of a sort
#
# The query of raw HAM is always zero here, so what WRITE leaves in a leaf depends on that leaf alone. After k visits the tree
# is therefore the tree over its leaves, *of which the k smallest have been written*. We need not walk there:

# %%
model, task = load_pretrained("raw-sort").model, get_task("sort")
memory = model.memory


# %%
def sorting(n, batch, seed):
    """Random inputs of Sort, their keys[batch, n], and ranks[batch, n] in a stable sort."""
    inputs, _ = task.examples(n, batch, seed, step=0)
    keys = (np.array(inputs["symbols"])[..., :5] @ 2 ** np.arange(4, -1, -1)).astype(int)
    return inputs, keys, np.argsort(np.argsort(keys, axis=1, kind="stable"), axis=1).astype(float)


# %%
def leaves_after(inputs, visited):
    """The leaves[batch, n, d] of some inputs, those written where visited[batch, n] is True."""
    batch, n = visited.shape
    leaves = np.array(memory.grow(inputs["symbols"], inputs["lengths"]))[:, n:]
    after = np.array(memory.written(leaves, np.zeros((batch, memory.query_width), "float32")))
    return np.where(visited[..., None], after, leaves)


# %%
def trees(n, batch, visits, seed=0):
    """Trees of n random pairs after so many visits each: nodes[batch, 2n, d], ranks[batch, n], keys[batch, n]."""
    inputs, keys, ranks = sorting(n, batch, seed)
    ranks[ranks < np.reshape(visits, (-1, 1))] = np.inf
    return np.array(memory.join_all(leaves_after(inputs, np.isinf(ranks)))), ranks, keys


# %%
walked = [np.array(nodes) for nodes, _, _ in model.trace(task.examples(8, 1, 0, step=0)[0])]
same = [np.allclose(trees(8, 1, k)[0][:, 1:], nodes[:, 1:], atol=1e-5) for k, nodes in enumerate(walked)]
print("as if walked, after 0, 1, ... 7 visits:", same)

# %% [markdown]
# ## A linear probe
#
# Does a node's vector $h$ hold the answer, in a form that is easy to read? A **linear probe** is the plainest reader there
# is: $\mathrm{sign}(w \cdot h + b)$, with $w$ and $b$ from least squares. We fit it on trees of 32 leaves.


# %%
def samples(n, batch, seed):
    """Vectors of inner nodes under which something is left, the answers, and the nodes' levels (root: 0)."""
    visited = np.random.default_rng(seed).integers(0, n, batch)
    nodes, ranks, _ = trees(n, batch, visited, seed)
    right, there = is_right(ranks)
    level = np.broadcast_to(np.log2(np.arange(1, n)).astype(int), there.shape)
    return nodes[:, 1:n][there], right[there], level[there]


# %%
def with_one(h):
    return np.concatenate([h, np.ones((len(h), 1))], axis=1)


h, right, _ = samples(32, batch=1000, seed=1)
probe, *_ = np.linalg.lstsq(with_one(h), 2.0 * right - 1)
print(f"{len(h):,} nodes to fit {len(probe)} numbers; the answer is 'right' in {right.mean():.1%}")

# %% [markdown]
# Then try it on other trees, smaller and far larger, level by level.


# %%
def accuracy(n, batch):
    """Percent of right answers at each level, of other trees than those of the fit."""
    h, right, level = samples(n, batch, seed=2)
    correct = (with_one(h) @ probe > 0) == right
    return [100 * correct[level == depth].mean() for depth in range(level.max() + 1)], len(h)


# %%
for n, batch in ((8, 1000), (32, 1000), (128, 200), (1024, 30)):
    levels, count = accuracy(n, batch)
    print(f"n = {n:>5,}, {count:>6,} nodes, from the root down:", *(f"{percent:.2f}" for percent in levels))

# %% [markdown]
# **What to notice.** The memory was trained on trees of at most 128 leaves, and the probe was fitted on 32. Yet it makes no
# error in 30 trees of 1,024 leaves, not even at the roots, five levels higher than it had seen. What JOIN hands up looks the
# same at each depth. That fits chapter 9, where this memory, seed 0 of three, goes on sorting.

# %% [markdown]
# ## Which coordinate carries it?
#
# The paper found *one* coordinate that tells. Ask each of the 32 alone: how often is its sign the answer, or its opposite?

# %%
agree = ((h > 0) == right[:, None]).mean(axis=0)
alone = 100 * np.maximum(agree, 1 - agree)
carriers = np.flatnonzero(alone > 95)
print("the sign tells, in coordinates", *(f"{k}: {alone[k]:.1f}%" for k in carriers), sep="  ")


# %%
def draw_coordinates():
    figure, ax = plt.subplots(figsize=(8, 2.8), layout="constrained")
    ax.bar(range(32), alone, color=np.where(alone > 95, "#0072B2", "#9a9a9a"))
    ax.axhline(50, color="#222222", lw=0.8)
    ax.set(xlabel="coordinate of a node", ylabel="% right", ylim=(40, 102), xticks=range(0, 32, 2))
    ax.set_title("How often the sign of one coordinate tells whether the next leaf is on the right")
    return figure, f"Bars, one for each of 32 coordinates, percent right: {', '.join(f'{a:.0f}' for a in alone)}."


show(*draw_coordinates())

# %% [markdown]
# Not one: a dozen tell it nearly always, ten of them in 100.0%. What do the others hold? To find the answer one level up, a
# JOIN needs the smallest key below each child. We ask for its bits, with probes that see only the others, only the dozen, or,
# for comparison, no coordinate at all: then all that a probe can do is to give the more frequent answer.

# %%
some_nodes, some_ranks, some_keys = trees(32, 500, np.random.default_rng(6).integers(0, 32, 500), seed=6)
smallest = smallest_below(some_ranks)[:, 1:32]
something = np.isfinite(smallest)  # is a leaf left below this node?
next_key = np.take_along_axis(np.sort(some_keys, axis=1), np.where(something, smallest, 0).astype(int), axis=1)
X, Y = some_nodes[:, 1:32][something], next_key[something]


# %%
def read_by_a_probe(vectors, yes):
    """Fit a linear probe on the first half, and return how often it is right on the second."""
    half = len(vectors) // 2
    w, *_ = np.linalg.lstsq(with_one(vectors[:half]), 2.0 * yes[:half] - 1)
    return ((with_one(vectors[half:]) @ w > 0) == yes[half:]).mean()


others = np.setdiff1d(np.arange(32), carriers)
groups = {f"the other {len(others)}": others, f"the {len(carriers)} that tell": carriers, "no coordinate": np.array([], int)}

# %%
print("bits of the smallest key below, the highest first")
for name, columns in groups.items():
    bits = [read_by_a_probe(X[:, columns], (Y >> bit) & 1 == 1) for bit in (4, 3, 2, 1, 0)]
    print(f"{name:18}", *(f"{fraction:.1%}" for fraction in bits))

# %%
print("whether any leaf is left below")
for name, columns in groups.items():
    left = read_by_a_probe(some_nodes[:, 1:32].reshape(-1, 32)[:, columns], something.ravel())
    print(f"{name:18} {left:.1%}")

# %% [markdown]
# **What to notice.** The other 20 hold the key, bit for bit. The dozen hold little of it: their probes are 1.5 to 17 points better
# than guessing, most at the lowest bit. But both say whether any leaf is left. So the vector has two parts: *what* the
# smallest is, and *where*.

# %% [markdown]
# ## Fig. 6, on our weights
#
# Here is one such coordinate before each of the first four visits of one input: blue and → where it says *right*, dark and ←
# where it says *left*. The marked path is where the memory goes.

# %%
one = np.argmax(alone)
sign = 1 if agree[one] > 0.5 else -1
inputs, keys, _ = sorting(8, 1, seed=4)
frames = []
for visit, (nodes, (path,), _) in zip(range(1, 5), model.trace(inputs)):
    values = sign * np.array(nodes)[0, :, one]
    values[8:] = 0  # a leaf has no right and left
    labels = [""] + ["→" if value > 0 else "←" for value in values[1:8]] + [" "] * 8
    said = dict(node_labels=labels, leaf_labels=keys[0], leaf_name="key", title=f"before visit {visit}")
    frames.append(dict(nodes=values[:, None], path=np.array(path)[0]) | said)
show(draw_frames(frames, unit=f"coordinate {one} of a node"))

# %% [markdown]
# **What to notice.** As in the paper, the number is near +1 or −1 at most nodes, and a visit changes it only on the path that
# was taken, for elsewhere nothing is joined again. Each node is a little **signpost**, and a visit may turn those it passed.

# %% [markdown]
# ## Held, or used?
#
# A probe says what *can* be read. What does SEARCH read? Here it is one layer, so it is itself a linear probe. We blind it to
# all coordinates but a few, and leave the rest of the model as it is.


# %%
def sorts_with(coordinates, n=32, examples=500):
    """Percent of sequences sorted wrong when SEARCH sees only some coordinates of a node."""
    blinded = load_pretrained("raw-sort").model
    kernel = blinded.memory.search.first.kernel
    seen = np.isin(np.arange(kernel.shape[0]), coordinates)
    kernel.assign(np.where(seen[:, None], kernel.numpy(), 0))
    return 100 - wrong_rate(blinded, task, n, examples, seed=3).right


# %%
print(f"all 32 coordinates:            {sorts_with(np.arange(32)):6.2f}% wrong")
print(f"coordinate {one} alone:           {sorts_with([one]):6.2f}% wrong")
print(f"the {len(carriers)} that tell, alone:      {sorts_with(carriers):6.2f}% wrong")
print(f"the other {len(others)} alone:            {sorts_with(others):6.2f}% wrong")

# %% [markdown]
# **What to notice.** One number of 32 is enough to sort by: it is not only held, it can be used. The same answer stands there
# many times, so that an error in one can be outvoted by the others. Training under noise may ask for that; we have not
# trained a memory without noise to compare, so this is a guess.
#
# ## And with an LSTM?
#
# The paper's picture is of LSTM+HAM. There the query changes and WRITE depends on it, so now we must walk.

# %%
def walked_samples(name, n=32, batch=20, seed=5):
    """Vectors and answers as in `samples`, from all moments of sorts that a model walks through."""
    inputs, _, ranks = sorting(n, batch, seed)
    vectors, answers = [], []
    for nodes, (path,), _ in load_pretrained(name).model.trace(inputs):
        right, there = is_right(ranks)
        vectors.append(np.array(nodes)[:, 1:n][there])
        answers.append(right[there])
        ranks[np.arange(batch), np.array(path)[:, -1] - n] = np.inf
    return np.concatenate(vectors), np.concatenate(answers)



# %% tags=["slow"]
h_lstm, right_lstm = walked_samples("sort")
half = len(h_lstm) // 2
lstm_probe, *_ = np.linalg.lstsq(with_one(h_lstm[:half]), 2.0 * right_lstm[:half] - 1)
probed = ((with_one(h_lstm[half:]) @ lstm_probe > 0) == right_lstm[half:]).mean()
agree_lstm = ((h_lstm > 0) == right_lstm[:, None]).mean(axis=0)
print(f"linear probe: {probed:.2%} of {half:,} nodes   best single coordinate: {np.maximum(agree_lstm, 1 - agree_lstm).max():.2%}")

# %% [markdown]
# **What to notice.** The memory with an LSTM has such a coordinate as well.

# %% [markdown]
# ## Exercises
#
# **10.1 Turn a signpost by hand.** The signs of a dozen numbers say where the next leaf is. Alter the root of a tree so that
# it says the opposite, and leave all other nodes as they are. Where does the memory go now, and which key does it find?

# %% tags=["exercise"]
def turned(nodes):
    """Return a copy of nodes[1, 2n, d] whose root holds the `carriers` with the opposite sign."""
    raise NotImplementedError


# %% tags=["check"]
with check("10.1"):
    one_tree, _, its_keys = trees(8, 1, 0, seed=4)
    nothing = np.zeros((1, memory.query_width), "float32")
    altered = turned(one_tree)
    changed = np.flatnonzero((altered != one_tree).any(axis=(0, 2)))
    assert changed.tolist() == [1], f"the root is row 1, and no other changes; you changed rows {changed.tolist()}"
    before, after = (int(memory.attend(nodes, nothing, "hard")[0, -1]) - 8 for nodes in (one_tree, altered))
    assert before // 4 != after // 4, "the memory still goes to the same half: flip the signs of all the carriers"
    print(f"keys {its_keys[0].tolist()}: it went to leaf {before}, key {its_keys[0, before]}; "
          f"now to leaf {after}, key {its_keys[0, after]}")

# %% [markdown]
# <details><summary>Solution</summary>
#
# It goes to the other half, and there to *its* smallest key: the signposts further down still stand.
#
# ```python
# def turned(nodes):
#     """Return a copy of nodes[1, 2n, d] whose root holds the `carriers` with the opposite sign."""
#     altered = nodes.copy()
#     altered[:, 1, carriers] *= -1
#     return altered
# ```
#
# </details>

# %% [markdown]
# **10.2 How many signposts does a visit turn?** There are log₂ n inner nodes on the path of a visit. At some of them the next
# leaf is on the same side as before. Count the share of those that turn, by the rule alone (`is_right`), without the network.
# Leave out nodes below which no leaf is left.

# %% tags=["exercise"]
def share_that_turns(ranks):
    """For ranks[n] of leaves none of which was visited: sort; return the share of answers on the paths that change."""
    raise NotImplementedError


# %% tags=["check"]
with check("10.2"):
    assert share_that_turns(np.array([0.0, 1])) == 1, "two leaves: the first visit turns the root; after the last none is left"
    assert share_that_turns(np.array([0.0, 1, 2, 3])) == 3 / 5, "of 3 visits that leave an answer: 1 of 2, 1 of 1, 1 of 2"
    print(f"n = 1,024: {share_that_turns(np.random.default_rng(0).permutation(1024).astype(float)):.1%}")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def share_that_turns(ranks):
#     """For ranks[n] of leaves none of which was visited: sort; return the share of answers on the paths that change."""
#     ranks, n, turned, asked = ranks.copy(), len(ranks), 0, 0
#     for leaf in np.argsort(ranks):
#         before, _ = is_right(ranks[None])
#         ranks[leaf] = np.inf
#         after, there = is_right(ranks[None])
#         path = np.array([(n + leaf) >> up for up in range(1, n.bit_length())]) - 1
#         path = path[there[0, path]]
#         turned, asked = turned + (before != after)[0, path].sum(), asked + len(path)
#     return turned / asked
# ```
#
# </details>

# %% [markdown]
# ## Summary
#
# - Each inner node answers one question: is the next leaf on the right? A linear probe reads the answer, at any depth tried.
# - A dozen coordinates say the same, and SEARCH can sort by a single one of them. The others hold the key.
# - A visit changes the nodes of its path and no others.
#
# **Next:** a probe that makes no error on some trees may make one on others. [Chapter 11](11_proof.ipynb), *Right for every
# input*, asks what no test can tell.
