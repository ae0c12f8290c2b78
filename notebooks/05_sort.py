# %% [markdown]
# # 5. A controller that sorts
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ham-book/ham-book/blob/main/notebooks/05_sort.ipynb)
#
# Covers LSTM+HAM: Fig. 1, Sec. 3.1 to 3.3 and Appendix A, and the task Sort of Sec. 4.2.
#
# **You will learn**
# - how an LSTM asks a tree memory, reads, answers and writes, again and again;
# - how to train it to sort, and what it must learn for that;
# - how to watch a trained memory visit its leaves in sorted order.
#
# **Know before:** [chapter 4](04_generalise.ipynb).
#
# **Time:** about 100 seconds on a CPU with 2 cores.

# %%
# Installs hamlib where it is missing, as in Colab. HAMLIB_SOURCE can name a local checkout instead.
import importlib.util, os, subprocess, sys

if importlib.util.find_spec("hamlib") is None:
    source = os.environ.get("HAMLIB_SOURCE", "git+https://github.com/ham-book/ham-book")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)

# %%
# hamlib comes first: it keeps TensorFlow's start-up messages out of the notebook.
from hamlib import check
from hamlib.drawing import draw_frames, player, show
from hamlib.evaluation import ledger_rows, table_text, wrong_rate
from hamlib.memory import TreeMemory, preset
from hamlib.models import HAM
from hamlib.pretrained import load_pretrained
from hamlib.recipes import RECIPES, Stage
from hamlib.tasks import get_task
from hamlib.training import read_log, train

import dataclasses, tempfile

import keras
import matplotlib.pyplot as plt
import numpy as np

# %% [markdown]
# ## What does sorting ask of a memory?
#
# The input is m pairs *key ‖ value*, 5 bits each. The output is the same pairs, sorted by key. Keys are often equal, and
# then the pairs keep their order: the sort is **stable**.

# %%
task = get_task("sort")
inputs, targets = task.examples(n=8, batch_size=1, seed=3, step=4)
x, y = np.array(inputs["symbols"])[0], np.array(targets)[0]


def decimal(bits):
    return bits.astype(int) @ 2 ** np.arange(bits.shape[-1] - 1, -1, -1)


print("in: ", *(f"{key}‖{value}" for key, value in zip(decimal(x[:, :5]), decimal(x[:, 5:]))))
print("out:", *(f"{key}‖{value}" for key, value in zip(decimal(y[:, :5]), decimal(y[:, 5:]))))

# %% [markdown]
# One access found the smallest key in chapter 3. Now the memory is asked m times, and the same question must get
# **another answer** each time: the smallest key *not yet taken*. Two things can make the difference:
#
# - the question changes: an LSTM asks, and its state is the query;
# - the tree changes: WRITE marks the leaf that was read as taken, and JOIN lets the nodes above it know.

# %% [markdown]
# ## How does an LSTM ask a tree?
#
# One timestep of LSTM+HAM (Fig. 1), with the state $(h, c)$ of the LSTM:
#
# 1. **attend**: the query is $h$; $p = \mathrm{attend}(\text{nodes}, h)$;
# 2. **read**: $r = \sum_e p(e)\, h_e$ is the LSTM's *input*: $(h, c) := \mathrm{LSTM}(r, h, c)$;
# 3. **answer**: $\hat y = \sigma(W h + b)$, one number for each output bit;
# 4. **write**: every leaf by its p, then JOIN again.
#
# $h$ and $c$ begin as zeros. The LSTM never sees the input itself; all of it is in the leaves.

# %%
keras.utils.set_random_seed(0)
memory = TreeMemory(task.symbol_width, **preset("book-take"))
model = HAM(memory, task.answer_width)
controller, output_layer = model.controller, model.output_layer
print("numbers to learn:", model.count_params(), "  l, width of the LSTM:", memory.query_width)


# %%
def timestep(nodes, h, c):
    p = memory.attend(nodes, h, "soft")
    r = memory.read(nodes, p)
    h, (h, c) = controller(r, [h, c])
    answer = output_layer(h)
    return answer, memory.write(nodes, p, h), h, c


# %%
nodes = memory.grow(inputs["symbols"], inputs["lengths"])
h = c = np.zeros((1, memory.query_width), "float32")
answers = []
for _ in range(8):
    answer, nodes, h, c = timestep(nodes, h, c)
    answers.append(np.array(answer)[0])
print("answers [T, b]:", np.array(answers).shape)

# %% [markdown]
# hamlib keeps this as `HAM(memory, answer_width, accesses=η)`, with η accesses for each output symbol (the Greek eta; here
# 1). Its inputs hold `queries[batch, T, 0]`: they are empty, but T says how many symbols are wanted.

# %%
output = np.array(model(inputs))
print("output [batch, T, b]:", output.shape, "  same as ours:", np.allclose(output[0], answers, atol=1e-5))

# %% [markdown]
# **Why is nothing else fed in?** Many decoders are given their own last answer. This one sees only what it read. It knows
# the past from its state and from what was written into the tree, and it can look at any leaf again.

# %% [markdown]
# ## Which tree can sort?
#
# Chapter 4's memory (`memory="book"`) learns this slowly. In the run further down it ends with 35% of the sequences wrong,
# and asked at n = 16, where it was not trained, it sorts 1% of 1,000 inputs rightly (seed 0). Its JOIN makes every node anew,
# at every depth and after every write, and each time is a chance to err. Preset "book-take" changes two things, and in the
# same run ends with 0.4% wrong, and sorts 96% at n = 16:

# %% [markdown]
# - **JOIN may copy.** It has the form of WRITE: $T \cdot H + (1 - T) \cdot (g \cdot \text{right} + (1 - g) \cdot
#   \text{left})$. T and H are vectors. $g$ is one number for the node, between 0 and 1, and says which child is copied.
#   Where $g$ is 0 or 1 and $T$ is 0, a child goes up as it is. So at any depth JOIN can see what it saw at the leaves.
# - **WRITE starts by emptying.** Its biases are set so that an untrained WRITE empties the leaf just read. From the first
#   step of training on, what is left is again a tree in which to look for the smallest key.

# %%
full = memory.grow(inputs["symbols"], inputs["lengths"])
path = memory.attend(full, h, "hard")
written = memory.write(full, path, h)
before, after = (np.abs(np.array(nodes)[0, path[0, -1]]).mean() for nodes in (full, written))
print(f"mean size of the leaf's numbers, untrained: {before:.2f} before WRITE, {after:.2f} after")

# %% [markdown]
# ## Can it learn?
#
# In chapter 3 the answer was a symbol that was read. Here it is a probability for each bit. So the loss is the binary
# cross-entropy, $-y \log \hat y - (1 - y) \log(1 - \hat y)$, the mean over all bits that are asked.

# %% [markdown]
# We train a small one, n = 8 only, in two parts. In the first, only the **first** symbol is asked: the smallest key, one
# access, as in chapter 3. In the second, all eight are. What is shown and asked in an epoch is a **lesson**, written
# (leaves, longest input, symbols asked): here (8, 8, 1) for five epochs, then (8, 8, 8). A sequence counts as wrong if
# **any** of its 80 bits is wrong.

# %%
SMALL = dataclasses.replace(
    RECIPES["sort"],
    stages=(Stage(8, lessons=((8, 8, 1),), until=5), Stage(8, lessons=((8, 8, 8),))),  # first the first symbol alone
    epochs=12,
    learning_rate=(0.004, 0.0002),
)

# %% tags=["slow"]
with tempfile.TemporaryDirectory() as folder:
    small, _ = train(SMALL, folder, seed=0, verbose=0)
    log = read_log(folder)


# %% tags=["slow"]
def draw_training(log):
    figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
    epochs, change = np.arange(1, len(log["val_wrong"]) + 1), SMALL.stages[0].until + 0.5
    ax.plot(epochs, 100 * log["wrong"], "s--", color="#E69F00", label="training: what is asked; noise at first")
    ax.plot(epochs, 100 * log["val_wrong"], "o-", color="#0072B2", label="validation: all symbols")
    ax.axvline(change, color="0.6", linestyle=":")
    ax.text(change, 96, "first symbol only ", ha="right", va="top", color="0.3")
    ax.text(change, 96, " all symbols", va="top", color="0.3")
    ax.set(xlabel=f"epoch ({SMALL.steps} steps of {SMALL.batch_size})", ylabel="wrong sequences (%)", ylim=(0, 102))
    ax.set_title("An LSTM with a tree learns to sort, n = 8")
    ax.grid(alpha=0.3)
    ax.legend(loc="center right")
    return figure, f"Wrong sequences by epoch; validation falls to {log['val_wrong'][-1]:.1%} in the last."


# %% tags=["slow"]
show(*draw_training(log))
print("validation, wrong (%):", (100 * log["val_wrong"]).round(1))
print("lengths 1 to 8, hard:", wrong_rate(small, task, 8, 2000, lengths=(1, 8)))

# %% [markdown]
# **What to notice.** While only the first symbol is asked, more than four of five whole sequences stay wrong. The first epoch
# that asks for all brings that to about one in nine, and it takes five more to come under 1%.
#
# Be careful with the drop at the dotted line. The noise on JOIN falls too, and is gone after epoch 6. Two things change
# within an epoch of each other, and this picture of one seed cannot tell them apart. To find out, change one of them: leave
# out the first stage of `SMALL` and run it again.

# %% [markdown]
# ## How was the shipped model trained?
#
# `python -m hamlib train sort` does the same with more: first the smallest key is asked, then a few symbols in a row, from
# anywhere in the answer. The accesses *before* these few only bring the tree to the state in which they are asked. They run
# hard, one path each, and no gradient goes back through them. So a lesson costs little more than its few symbols.
#
# The inputs have at most 32 pairs, and the trees 4 to 128 leaves, in turn. The deep trees show what depth looks like; the
# smallest ones often bring equal or neighbouring keys together.

# %% [markdown]
# ## What does a trained memory do?
#
# We load the shipped weights and run them **hard**: each access is one path. `model.trace` answers one symbol at a time
# and says which way each access went.

# %%
sorter = load_pretrained("sort")


def visits(model, inputs):
    """The leaf that each access visits, and the trees that it saw."""
    n = inputs["symbols"].shape[1]
    seen = [(np.array(nodes)[0], np.array(paths[0])[0]) for nodes, paths, _ in model.trace(inputs, "hard")]
    return [int(path[-1]) - n for _, path in seen], seen


leaves, seen = visits(sorter.model, inputs)
keys = decimal(x[:, :5])
print("keys, leaf by leaf:", keys.tolist())
print("leaves visited:    ", leaves)
print("their keys:        ", keys[leaves].tolist())


# %%
def frames_of(leaves, seen, keys):
    """One tree for each access: where SEARCH went, and the keys; a key disappears once its leaf was visited."""
    left = [str(key) for key in keys]
    for leaf, (_, path) in zip(leaves, seen):
        arrows = {c: "→" if child % 2 else "←" for c, child in zip(path, path[1:])}
        yield {"path": path, "node_labels": [arrows.get(c, " ") for c in range(len(keys))] + left}
        left[leaf] = "·"


show(player(frames_of(leaves, seen, keys)))

# %% [markdown]
# Press *Step*, or click on the player and use the arrow keys. Where a page cannot run scripts, there are only still frames.
#
# **What to notice.** The frames read like a tournament that is played again after each winner has left. How much of it was
# told? That the smallest key comes first, yes: the first lessons ask for nothing else. *Where* it stands and how to get
# there, no: only answers were shown. WRITE began as one that empties a leaf, but it was free to learn something else. (This
# is one input, and the seed that ships; the table below has all three.)

# %% [markdown]
# Now **your own keys**, from 1 to 64 of them, each from 0 to 31: change the list and run the cell again.


# %%
def watch(own):
    """A player of the shipped model as it sorts the keys `own`; a tree has a power of two of leaves, some empty."""
    bits = np.array([[[int(bit) for bit in f"{key:05b}00000"] for key in own]])
    own_inputs = sorter.task.inputs(*sorter.task.check_inputs(bits))
    empty = own_inputs["symbols"].shape[1] - len(own)
    return player(frames_of(*visits(sorter.model, own_inputs), own + [" "] * empty))


show(watch([13, 5, 30, 5, 2, 21, 9, 17, 31, 0, 5, 24]))

# %% [markdown]
# ## Is it stable?
#
# Only three different keys now, so that each has equals. The values number the leaves from 0 to 7: in a stable sort they
# grow among equal keys.

# %%
equal = [9, 4, 9, 4, 2, 9, 4, 2]
bits = np.array([[[int(bit) for bit in f"{key:05b}{k:05b}"] for k, key in enumerate(equal)]])
answer = sorter.answer(bits)[0]
print("keys:  ", decimal(answer[:, :5]).tolist())
print("values:", decimal(answer[:, 5:]).tolist(), "  stable order:", np.argsort(equal, kind="stable").tolist())

# %% [markdown]
# ## What is written?
#
# WRITE changes the leaf that was just read, and JOIN carries the change up. We look at the whole tree before the first
# access, half-way, and before the last.

# %%
frames = [
    {"nodes": seen[t][0], "path": seen[t][1], "leaf_labels": [str(k) for k in keys], "leaf_name": "key",
     "title": f"before access {t + 1}"}
    for t in (0, 4, 7)
]
show(draw_frames(frames))

# %%
first, last = seen[0][0][8:], seen[7][0][8:]
change = np.abs(last - first).mean(axis=1)
print("mean change of each leaf before the last access:", change.round(2))
print("the leaf not yet visited:", leaves[-1])
print("mean size of inner nodes 1 to 7, then:", np.abs(seen[7][0][1:8]).mean(axis=1).round(2))

# %% [markdown]
# **What to notice.** Visited leaves have changed, the last one not at all. Nodes 2, 4, 5 and 6 (the left child of the root,
# its two children, and the left child of the root's right child) now stand above visited leaves only. They are fainter than
# nodes 1, 3 and 7, which lead to the leaf that is left: their numbers are some six tenths as large. Faint is not blank, but
# it is enough for SEARCH to go elsewhere.

# %% [markdown]
# ## Does it generalise?
#
# It was trained on at most 32 pairs. It is asked to sort up to 32, then 65 to 128 (n = 128), then 513 to 1,024 (n = 1,024).
# The figures, from the ledger, are right sequences in percent; the published ones are those of the paper's Table 1.
# *LSTM* and *LSTM+A* have no tree (chapter 6); the *digital* rows are a special memory (chapter 11).

# %%
print(table_text(ledger_rows("sort")))

# %% [markdown]
# ## What is the LSTM for?
#
# The rows *raw HAM, no LSTM* sort as well. Their query is zero each time, and attention moves on through WRITE alone. So
# what does the LSTM do? We blind SEARCH and WRITE to it, by setting the weights of the query to zero, and sort. Beside it
# stands the task **Search** of chapter 6: sorted pairs, then a key, whose value is wanted.


# %%
def blind(name):
    """A shipped model whose SEARCH and WRITE no longer see the query."""
    model = load_pretrained(name).model
    for part in (model.memory.search, model.memory.write_gate, model.memory.write_value):
        part.query.kernel.assign(0 * part.query.kernel)
    return model


for name in ("sort", "search"):
    some, right = get_task(name).examples(8, 250, seed=7, step=0)
    wrong = np.array(get_task(name).wrong(right, blind(name)(some, attention="hard")))
    print(f"{name:6} blind to the LSTM, n = 8: {wrong.sum()} of {len(wrong)} wrong")

# %% [markdown]
# **What to notice.** In Sort the LSTM asks for nothing. The question is the same each time, *what is the smallest that is
# left?*, and the tree knows that by itself; the LSTM only turns a leaf into ten bits. Search cannot do without it: the key
# must be read first, remembered, and asked for. Chapter 6 asks the same of the paper's other tasks.

# %% [markdown]
# ## Exercises
#
# **5.1 The price of sorting.** A hard access visits the rows from the root to a leaf; after the write, the inner nodes on
# that path are joined again. How many rows are visited in all, down and up, to sort n pairs in a tree of n leaves?

# %% tags=["exercise"]
def rows_visited(n):
    """Return how many rows n hard accesses visit: log2 n + 1 down, and log2 n inner nodes up, each."""
    raise NotImplementedError


# %% tags=["check"]
with check("5.1"):
    assert rows_visited(2) == 6, "n = 2: two accesses, each 2 rows down and 1 inner node up"
    assert rows_visited(8) == 8 * 7, "n = 8: eight accesses of 4 rows down and 3 up"
    ratio = 1024 * 1024 / rows_visited(1024)
    print(f"n = 1,024: flat attention would look at {ratio:.0f} times as many leaves")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def rows_visited(n):
#     """Return how many rows n hard accesses visit: log2 n + 1 down, and log2 n inner nodes up, each."""
#     depth = n.bit_length() - 1
#     return n * (2 * depth + 1)
# ```
#
# </details>

# %% [markdown]
# **5.2 A tournament by hand.** Write the algorithm that the memory has to find. A node is *(smallest key left below, its
# leaf)*; a taken leaf is *(32, leaf)*, more than any key. Fill in one access: find the winner, mark it, join again.


# %%
def tournament(keys):
    """A tree as a list: row 1 the root, leaf k in row n + k, each row (key, leaf)."""
    n = len(keys)
    tree = [None] * n + [(int(key), k) for k, key in enumerate(keys)]
    for i in range(n - 1, 0, -1):
        tree[i] = min(tree[2 * i], tree[2 * i + 1])
    return tree


# %% tags=["exercise"]
def take_smallest(tree):
    """Mark the leaf of the smallest key as taken, join its ancestors again, and return the leaf."""
    raise NotImplementedError


# %% tags=["check"]
with check("5.2"):
    tree = tournament(keys)
    taken = [take_smallest(tree) for _ in keys]
    assert len(set(taken)) == 8, f"every leaf once; you took {taken}: is the winner marked with the key 32?"
    assert taken == np.argsort(keys, kind="stable").tolist(), f"you took {taken}: are all ancestors joined again?"
    print("your tournament and the learned memory visit the same leaves:", taken == leaves)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def take_smallest(tree):
#     """Mark the leaf of the smallest key as taken, join its ancestors again, and return the leaf."""
#     leaf = tree[1][1]
#     i = len(tree) // 2 + leaf
#     tree[i] = (32, leaf)
#     while i > 1:
#         i //= 2
#         tree[i] = min(tree[2 * i], tree[2 * i + 1])
#     return leaf
# ```
#
# </details>

# %% [markdown]
# **5.3 Take WRITE away.** Does the memory move on because the tree changes, or because the LSTM remembers? Alter the trained
# model: close WRITE's gate T, so that every leaf stays as it is. The bias of T is `model.memory.write_gate.first.bias`. Guess
# first where it will go.

# %% tags=["exercise"]
def without_write(model):
    """Alter the model so that WRITE leaves every leaf as it is, and return it."""
    raise NotImplementedError


# %% tags=["check"]
with check("5.3"):
    closed = without_write(load_pretrained("sort").model)
    stays, trees = visits(closed, inputs)
    change = np.abs(trees[-1][0][8:] - trees[0][0][8:]).max()
    assert change < 1e-3, f"a leaf still changes by {change:.2f}: T·H + (1 − T)·h is h only where T is 0"
    print("leaves visited without WRITE:", stays)

# %% [markdown]
# <details><summary>Solution</summary>
#
# It visits the smallest key eight times: the tree is what moves it on, as raw HAM shows too.
#
# ```python
# def without_write(model):
#     """Alter the model so that WRITE leaves every leaf as it is, and return it."""
#     bias = model.memory.write_gate.first.bias
#     bias.assign(bias - 1000.0)  # the sigmoid of T is 0 now
#     return model
# ```
#
# </details>

# %% [markdown]
# ## Summary
#
# - An LSTM and a tree: the state is the query, what is read is the input, and the tree is written after each access.
# - Sorting is a tournament: the smallest key that is left is found, its leaf is emptied, its ancestors are joined again.
# - Run hard, each access visits 2 log₂ n + 1 rows, so that n of them sort in Θ(n log n).
# - A sequence is wrong if any bit is; the longer the answer, the rarer an error must be.
#
# **Next:** [chapter 6, *Five algorithms, three models*](06_algorithms.ipynb): is sorting a special case, or can the same
# memory learn the paper's other tasks?
