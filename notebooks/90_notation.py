# %% [markdown]
# # Appendix: notation
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ham-book/ham-book/blob/main/notebooks/90_notation.ipynb)
#
# Covers the symbols of the paper (Sec. 3.1 to 3.3, Sec. 4.3, Appendix A) and their names in hamlib.
#
# **You will learn** which name in the code stands for which symbol, with its shape, and where this book does
# something that the paper does not.
#
# **Know before:** nothing; keep this page open beside the paper. [Chapter 1](01_tree.ipynb) and
# [chapter 2](02_attention.ipynb) explain the ideas.
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
from hamlib.memory import PRESETS, TreeMemory, preset
from hamlib.models import RawHAM
from hamlib.tasks import get_task

import numpy as np
from IPython.display import Markdown, display

# %% [markdown]
# ## What do the letters mean?
#
# | symbol | meaning | in the code |
# | --- | --- | --- |
# | $n$ | leaves of the full binary tree, a power of two | `n`; `nodes.shape[1] // 2` |
# | $m$ | length of an input, $1 \le m \le n$ | `lengths[batch]` |
# | $b$ | width of an input or output symbol, in bits | `symbol_width` |
# | $d$ | width of the vector in a node | `node_width` |
# | $l$ | width of the query, or of the controller's state | `query_width` |
# | $\eta$ | accesses for each output symbol | 1 in *select the smallest* |
# | $x_1 \dots x_m$ | input symbols | `symbols[batch, n, b]`, 0/1, zeros past m |
# | $y_1 \dots y_T$ | right output symbols | `targets[batch, T, b]`, 0/1 |
# | $h_e$ | vector of node e | `nodes[batch, 2n, d]`, row e |
# | $h_{\text{LSTM}}$ | state of the controller, which asks | `query[batch, l]` |
# | $a$ | the attended leaf; its vector is $h_a$ | `path[:, -1] - n` |
# | $p(e)$ | probability that leaf e is attended | `p[batch, n]` |
#
# In our formulas $q$ stands for the query, whatever it comes from, and $s_c$ for SEARCH at inner node $c$.

# %% [markdown]
# ## Where is node e?
#
# In row e of `nodes`, the *heap layout*: the root is row 1, the children of row $i$ are rows $2i$ (left) and $2i +
# 1$ (right), its parent is row $\lfloor i/2 \rfloor$, leaf $k$ is row $n + k$ with $k = 0, \dots, n - 1$. Row 0 is
# unused. Levels are counted from the root, which is level 0; leaves are at level $\log_2 n$.

# %% [markdown]
# ## Where are the four transformations?
#
# | symbol | maps | in the code |
# | --- | --- | --- |
# | EMBED | $\mathbb{R}^b \to \mathbb{R}^d$ | `memory.embed` |
# | JOIN | $\mathbb{R}^d \times \mathbb{R}^d \to \mathbb{R}^d$ | `memory.join`, on left and right joined to 2d numbers |
# | SEARCH | $\mathbb{R}^d \times \mathbb{R}^l \to [0, 1]$, the probability of going **right** | `memory.search` |
# | WRITE | $\mathbb{R}^d \times \mathbb{R}^l \to \mathbb{R}^d$, $T \cdot H + (1 - T) \cdot h_a$ | T: `memory.write_gate`, H: `memory.write_value` |

# %% [markdown]
# ## And the three moves?
#
# | move | soft (DHAM) | hard (HAM) |
# | --- | --- | --- |
# | `where = memory.attend(nodes, query, attention)` | `p[batch, n]`, floats | `path[batch, log2 n + 1]`, ints |
# | `memory.read(nodes, where)` | $\sum_e p(e)\,h_e$ | $h_a$ |
# | `memory.write(nodes, where, query)` | all leaves by p, all inner nodes | leaf a and its ancestors |
#
# Read returns `[batch, d]`, write the new `nodes`.

# %% [markdown]
# ## Do the shapes hold?
#
# A table can go out of date; code that runs cannot. Here is every shape from above, on a real memory.

# %%
task = get_task("smallest")
memory = TreeMemory(task.symbol_width, **preset("paper"))
batch, n, b, d = 3, 8, task.symbol_width, memory.node_width
inputs, targets = task.examples(n, batch, seed=0, step=0, lengths=(1, n))
query = np.zeros((batch, memory.query_width), "float32")
nodes = memory.grow(inputs["symbols"], inputs["lengths"])
p, path = (memory.attend(nodes, query, attention) for attention in ("soft", "hard"))

# %%
expected = {
    "symbols [batch, n, b]": (inputs["symbols"], (batch, n, b)),
    "lengths [batch]": (inputs["lengths"], (batch,)),
    "targets [batch, T, b]": (targets, (batch, 1, b)),
    "nodes [batch, 2n, d]": (nodes, (batch, 2 * n, d)),
    "p [batch, n]": (p, (batch, n)),
    "path [batch, log2 n + 1]": (path, (batch, 4)),
    "read [batch, d]": (memory.read(nodes, p), (batch, d)),
    "write [batch, 2n, d]": (memory.write(nodes, path, query), (batch, 2 * n, d)),
    "output of RawHAM [batch, T, b]": (RawHAM(memory)(inputs), (batch, 1, b)),
}
for name, (array, shape) in expected.items():
    assert tuple(array.shape) == shape, name
    print(f"{name:32}{tuple(array.shape)}")

# %% [markdown]
# ## Which forms of the memory have a name?
#
# The four transformations can be small or large. Some sets of choices have a name, a **preset**; this table is printed
# from the code. `hidden` is the number of ReLU units in the first of two layers; a part that is not named has a single
# layer.

# %%
configs = {name: TreeMemory(task.symbol_width, **preset(name)).get_config() for name in PRESETS}
fixed = ("name", "dtype", "trainable", "symbol_width")
choices = [key for key in configs["book"] if key not in fixed]
weights = {name: TreeMemory(task.symbol_width, **preset(name)).count_params() for name in PRESETS}

table = [["choice", *(f'"{name}"' for name in PRESETS)], ["---"] * (len(PRESETS) + 1)]


def cell(value):
    return ", ".join(f"{part} {x}" for part, x in value.items() if x) if isinstance(value, dict) else str(value)


table += [[f"`{key}`", *(cell(configs[name][key]) for name in PRESETS)] for key in choices]
table += [["weights, for b = 10, with WRITE", *(f"{weights[name]:,}" for name in PRESETS)]]
display(Markdown("\n".join("| " + " | ".join(row) + " |" for row in table)))

# %% [markdown]
# ## Where does the book do something else than the paper?
#
# - **Preset "book".** Node vectors are normalised (layer normalisation) and bounded, and JOIN is trained under noise.
#   The paper has plain ReLU nodes. Chapter 4 tries both.
# - **Preset "book-take".** JOIN may copy: $T \cdot H + (1 - T) \cdot (g \cdot \text{right} + (1 - g) \cdot
#   \text{left})$, all three from the same two layers. WRITE starts with biases that empty a leaf (chapter 5). In "book-ask",
#   SEARCH has a hidden layer and is trained under noise, too (chapter 6).
# - **Preset "digital".** JOIN copies exactly, and adds `marks` digits (chapter 11).
# - **Presets "book-replace" and "book-compare".** WRITE replaces a leaf by a function of the query alone (chapter 7).

# %% [markdown]
# - **Every leaf is tried.** The stack and the queue of chapter 7 that are proved learn where an operation goes by trying each leaf;
#   the paper samples paths. Their JOIN makes digits of digits, and their WRITE is fixed.

# %% [markdown]
# - **Query in WRITE.** Appendix A of the paper prints $h_{\text{ROOT}}$ as the second argument of the soft WRITE; its
#   Fig. 5 has $h_{\text{LSTM}}$. hamlib uses the query everywhere.
# - **Node and query.** They enter SEARCH and WRITE through two matrices whose products are added. It is the same layer as
#   on the joined vector, but the query's part is computed once for all nodes.
# - **Select the smallest.** The task comes from the 2016 code, not from the paper. Nothing is asked, so the query is a
#   zero vector, and the answer is the attended input *symbol*, $\sum_e p(e)\,x_e$.

# %% [markdown]
# ## Which names do the models have?
#
# | name | attention | who asks | in the paper |
# | --- | --- | --- | --- |
# | HAM | hard | | Sec. 3.3 |
# | DHAM | soft | | Appendix A |
# | LSTM+HAM | either | an LSTM | Sec. 4.2 |
# | raw HAM | either | no LSTM: the operation itself, or nobody (a zero query) | Sec. 4.3; `hamlib.models.RawHAM` |
#
# hamlib chooses soft or hard when a model is called, `model(inputs, attention="hard")`: it is the same set of
# weights.
#
# **Back to** [chapter 1, *A memory shaped like a tree*](01_tree.ipynb).
