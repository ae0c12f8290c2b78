# %% [markdown]
# # 0. What this memory is, and what it is not
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ham-book/ham-book/blob/main/notebooks/00_context.ipynb)
#
# Covers Sec. 1 and 2 of the paper, *Introduction* and *Related work*, and the whole model of its Fig. 1.
#
# **You will learn**
# - what Hierarchical Attentive Memory is, in one picture;
# - where it stands beside attention, the Neural Turing Machine and hierarchical softmax;
# - when it is of no use to you, and how to read this book.
#
# **Know before:** what a neural network and an LSTM are.
#
# **Time:** about 10 seconds on a CPU with 2 cores.

# %%
# Installs hamlib where it is missing, as in Colab. HAMLIB_SOURCE can name a local checkout instead.
import importlib.util, os, subprocess, sys

if importlib.util.find_spec("hamlib") is None:
    source = os.environ.get("HAMLIB_SOURCE", "git+https://github.com/ham-book/ham-book")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)

# %%
# hamlib comes first: it keeps TensorFlow's start-up messages out of the notebook.
from hamlib.drawing import draw_tree, path_to, show
from hamlib.evaluation import TABLE1_TASKS, table_text, tasks_rows

import matplotlib.pyplot as plt

# %% [markdown]
# ## What is it?
#
# A network that works on a long list must look things up in it. *Attention* compares a question, the **query**, with every
# one of the n things that are there: Θ(n) for each look.
#
# **Hierarchical Attentive Memory** (HAM) puts the n things into the leaves of a binary tree. Each inner node holds a
# vector that says something about what is below it. A look begins at the root and asks each node on its way: *left or
# right?* After $\log_2 n$ answers it has reached a leaf. What the nodes say, and how they are asked, is learned from
# examples.

# %% [markdown]
# ## The whole model
#
# Four small networks, the same at every node: **EMBED** fills the leaves, **JOIN** the inner nodes from the bottom up,
# **SEARCH** decides at a node, **WRITE** changes the leaf that was read. Beside them stands an **LSTM**: its state is the
# query, and what is read is its input.

# %%
BOX = dict(boxstyle="round,pad=0.5", facecolor="#eaf2fb", edgecolor="#222222")
BLUE, ORANGE = "#0072B2", "#D55E00"


def arrow(ax, start, end, words, at, color="#222222", bend=0.0):
    """An arrow from start to end, and words beside it."""
    style = dict(arrowstyle="-|>", color=color, lw=1.8, connectionstyle=f"arc3,rad={bend}")
    ax.annotate("", end, start, arrowprops=style)
    ax.text(*at, words, ha="center", va="center", fontsize=9)


# %%
figure, ax = plt.subplots(figsize=(9, 5), layout="constrained", facecolor="white")
draw_tree(n=8, path=path_to(7, 8), node_labels=[" "] * 16, ax=ax)
ax.set(xlim=(-1.6, 13.5), ylim=(-1.6, 4.2), xticks=[], yticks=[], xlabel="", ylabel="")
ax.text(11, 1.6, "LSTM", ha="center", va="center", fontsize=13, bbox=BOX)
arrow(ax, (10.2, 2.0), (4.1, 3.1), "1. the state asks:\nSEARCH, left or right?", (7.6, 3.35), ORANGE)
arrow(ax, (7.45, 0.15), (10.3, 1.3), "2. read a leaf", (8.2, 1.05), BLUE)
arrow(ax, (11, 1.95), (11, 3.2), "3. answer: the next\noutput symbol", (11, 3.65))
arrow(ax, (10.6, 1.15), (7.45, -0.1), "4. WRITE changes the leaf;\nJOIN renews the nodes above it", (11, -0.35), ORANGE, -0.3)
for leaf in range(8):
    ax.annotate("", (leaf, -0.28), (leaf, -0.85), arrowprops=dict(arrowstyle="-|>", color="#9a9a9a"))
ax.text(3.5, -1.15, "EMBED: one input symbol for each leaf", ha="center", fontsize=9)
ax.text(-0.1, 2.1, "JOIN:\neach node from\nits two children", ha="center", fontsize=9)
words = "A tree of eight leaves, filled by EMBED from the input and by JOIN from the bottom up; beside it an LSTM. "
words += "Its state asks SEARCH for a path, here right, right, right to leaf 7; the leaf is read into the LSTM, which answers; "
show(figure, words + "then WRITE changes the leaf, and JOIN renews the nodes above it.")

# %% [markdown]
# Steps 1 to 4 are one **access**; they are repeated for each output symbol. An access stays on one path, so it costs
# Θ(log n). That is *hard* attention, HAM. But a choice between left and right has no gradient. To train by back-propagation,
# one can follow **all** paths at once and weight each by its probability: *soft* attention, **DHAM** (differentiable HAM),
# at Θ(n). Both use the same weights (chapter 2).
#
# Without the LSTM it is **raw HAM**: either the task itself says what to do (chapter 7), or there is nothing to ask
# (chapter 3).

# %% [markdown]
# ## Beside other memories
#
# | | what a look costs | is it written? | how a place is found |
# | --- | --- | --- | --- |
# | attention (Bahdanau et al. 2014) | Θ(n) | no | each place gets a score, then a softmax |
# | Neural Turing Machine (Graves et al. 2014), DNC (2016) | Θ(n) at least | yes, all places a little | by content, and by position or by order of writing |
# | hierarchical softmax (Morin & Bengio 2005) | Θ(log n) for one class | it is no memory | a fixed tree over output classes; each node's vector is a weight |
# | DHAM | Θ(n) | yes, all places a little | a tree over what is stored; nodes are computed from it |
# | HAM | Θ(log n) | yes, one leaf and its path | the same tree, one path |

# %% [markdown]
# The nearest relative is **hierarchical softmax**. There too a probability is a product of left/right decisions on the way
# down. But its tree stands over a fixed list of words, and a node's vector is a learned constant. In HAM the tree stands over
# the input at hand; its nodes are *made* from what is below, and change when a leaf is written.
#
# It differs from the **NTM** and the **DNC** in its price, and in how a place is found. They compare the query with all
# places, or move from one place to the next; here a summary on the way says where to go.

# %% [markdown]
# ## What does it reach?
#
# The paper's five tasks. The figures are wrong sequences in percent, on inputs two to four times as long as any in training
# (n = 128); one wrong bit makes a sequence wrong. Each model comes as published and, with DHAM, as measured here: the
# median of three seeds, and their range in brackets where they differ. *LSTM+A* has flat attention in place of a tree.
# [Chapter 6](06_algorithms.ipynb) has all rows, the [ledger](91_ledger.ipynb) every seed.

# %%
wanted = ("LSTM+A, published", "LSTM+HAM, published", "LSTM+DHAM, hard")
print(table_text([row for row in tasks_rows(TABLE1_TASKS, 128) if row[0] in wanted], head="% wrong"))

# %% [markdown]
# ## When not to use it
#
# - **You can write the algorithm down.** A learned sort is no rival to NumPy, which is far faster
#   ([chapter 9](09_log_n.ipynb) measures both).
# - **n is small.** At a thousand leaves, flat attention was faster on our CPU (chapter 9 again).
# - **One look must see many places at once**, for instance to add them up. A path sees one leaf, and what the nodes say
#   about the others.
# - **You need to be sure.** A trained memory is right on most inputs, and seeds differ. A *proof* for every input is
#   another matter; [chapter 11](11_proof.ipynb) has it for a special kind of memory.

# %% [markdown]
# It is for the other case: there is much to look through, each answer needs few looks, nobody has written the rule down,
# and there are examples.

# %% [markdown]
# ## How to read this book
#
# Best in order. Every chapter says how long it runs: seconds to a few minutes.
#
# - In a hurry: [1](01_tree.ipynb), [2](02_attention.ipynb), [3](03_train.ipynb) and [5](05_sort.ipynb).
# - For the figures of the paper: [6](06_algorithms.ipynb) and [7](07_structures.ipynb).
# - For what goes wrong, and why: [4](04_generalise.ipynb); for a proof that nothing does: [11](11_proof.ipynb).
# - For hard attention: its training in [8](08_reinforce.ipynb), its speed in [9](09_log_n.ipynb).
# - For what the nodes have learned: [10](10_inside.ipynb).
# - For a task of your own: [12](12_yours.ipynb).
#
# Words are explained where they first appear, and in the [glossary](93_glossary.ipynb); symbols in the
# [notation](90_notation.ipynb).

# %% [markdown]
# ## The paper
#
# ```
# @article{andrychowicz2016learning,
#   title   = {Learning Efficient Algorithms with Hierarchical Attentive Memory},
#   author  = {Marcin Andrychowicz and Karol Kurach},
#   journal = {arXiv preprint arXiv:1602.03218},
#   year    = {2016}
# }
# ```
#
# Later chapters also speak of *the 2016 code*. That is [tf-ham](https://github.com/Smerity/tf-ham), another work of that
# year: DHAM without an LSTM, for one task, *select the smallest*.
#
# **Next:** [chapter 1, *A memory shaped like a tree*](01_tree.ipynb).
