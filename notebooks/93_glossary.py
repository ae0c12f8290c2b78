# %% [markdown]
# # Appendix: glossary
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ham-book/ham-book/blob/main/notebooks/93_glossary.ipynb)
#
# Covers the words of this book, each with the chapter that explains it. Symbols are in the
# [notation](90_notation.ipynb).
#
# **Time:** a few seconds.

# %%
# Installs hamlib where it is missing, as in Colab. HAMLIB_SOURCE can name a local checkout instead.
import importlib.util, os, subprocess, sys

if importlib.util.find_spec("hamlib") is None:
    source = os.environ.get("HAMLIB_SOURCE", "git+https://github.com/ham-book/ham-book")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)

# %% [markdown]
# ## The memory
#
# | word | what it means here | chapter |
# | --- | --- | --- |
# | access | attend, read, write: one visit to the memory; η of them for each output symbol | [2](02_attention.ipynb), [5](05_sort.ipynb) |
# | attend, attention | to find the place: soft, a probability for each leaf; hard, one path | [2](02_attention.ipynb) |
# | carried, marked | the two parts of a node of a digital memory: copied from one child; made anew | [11](11_proof.ipynb) |
# | DHAM | differentiable HAM: the memory with soft attention, Θ(n) an access | [2](02_attention.ipynb) |
# | digital | of a node: most of its values are one of two, −1 and 1; of a memory: all that JOIN makes anew is, exactly | [4](04_generalise.ipynb), [11](11_proof.ipynb) |
# | EMBED | the network that makes a leaf of an input symbol | [1](01_tree.ipynb) |
# | g | the number, from 0 to 1, that says which child a JOIN copies | [5](05_sort.ipynb) |
# | HAM | Hierarchical Attentive Memory; in the paper, with hard attention, Θ(log n) an access | [2](02_attention.ipynb) |
# | heap layout | the tree as one array: root in row 1, children of row i in rows 2i and 2i + 1 | [1](01_tree.ipynb) |
# | highway | a gate that chooses between a new value and the old one; the form of WRITE | [2](02_attention.ipynb) |
# | inner node | a node that is no leaf: it holds a vector that JOIN made | [1](01_tree.ipynb) |
# | JOIN | the network that makes an inner node of its two children | [1](01_tree.ipynb) |
# | LSTM+HAM | a memory with an LSTM, whose state asks and whose input is what was read | [5](05_sort.ipynb) |
# | path | the rows from the root to a leaf | [1](01_tree.ipynb) |
# | preset | the name of a set of choices for a memory's parts, such as "book-take" | [90](90_notation.ipynb) |
# | query | the vector that SEARCH and WRITE get beside the node: an LSTM's state, an operation, or zeros | [2](02_attention.ipynb) |
# | raw HAM | a memory without an LSTM, soft or hard; class `RawHAM` | [3](03_train.ipynb), [7](07_structures.ipynb) |
# | SEARCH | the network that says, at an inner node, how probable *right* is | [2](02_attention.ipynb) |
# | signpost | what a node says about the way: is the wanted leaf on the right? | [1](01_tree.ipynb), [10](10_inside.ipynb) |
# | WRITE | the network that makes a leaf's new value | [2](02_attention.ipynb) |

# %% [markdown]
# ## Training
#
# | word | what it means here | chapter |
# | --- | --- | --- |
# | α | the weight of the term that keeps decisions open | [8](08_reinforce.ipynb) |
# | alike, mixed | kinds of training inputs: with keys that nearly agree; of all lengths | [4](04_generalise.ipynb), [12](12_yours.ipynb) |
# | baseline | what is subtracted from a reward, so that the estimate is less noisy | [8](08_reinforce.ipynb) |
# | curriculum | small trees first: n grows when the error falls under a threshold | [4](04_generalise.ipynb) |
# | decoys | other digits over which the tree is grown in training, so that it cannot solve the task itself | [6](06_algorithms.ipynb) |
# | drawn path | a path whose decisions are drawn at random in training, right with the probability that SEARCH gives | [7](07_structures.ipynb) |
# | epoch | so many steps of training, then validation; there is no data set to go through | [3](03_train.ipynb) |
# | full | of a tree in training: as many things in it as leaves, so that a PUSH must find the last free one | [7](07_structures.ipynb) |
# | γ | how much less a later reward counts | [8](08_reinforce.ipynb) |
# | lesson | what is trained for an epoch: (leaves, longest input, symbols asked) | [5](05_sort.ipynb) |
# | loss | squared error of the symbol read, or cross-entropy of the output bits | [3](03_train.ipynb), [5](05_sort.ipynb) |
# | noise | random numbers ε that are added in training, so that only digital values get through | [4](04_generalise.ipynb) |
# | recipe | all that a run depends on but its seed | [3](03_train.ipynb) |
# | REINFORCE | the gradient of a mean over drawn paths, estimated from paths that are drawn | [8](08_reinforce.ipynb) |
# | return | the rewards from an access on, later ones discounted by γ | [8](08_reinforce.ipynb) |
# | reward | what a drawn path brings; in the paper, the output bits that are more probably right than wrong | [8](08_reinforce.ipynb) |
# | seed | what all random numbers of a run come from; seed 0 ships | [3](03_train.ipynb) |
# | stage | a part of the curriculum: a size, its lessons, and when it ends | [4](04_generalise.ipynb), [12](12_yours.ipynb) |
# | stream | the endless examples, a function of the step | [3](03_train.ipynb) |
# | window | a row of neighbouring priorities, from which a training input draws its own | [6](06_algorithms.ipynb) |

# %% [markdown]
# ## Measuring
#
# | word | what it means here | chapter |
# | --- | --- | --- |
# | chance | the errors of a model that guesses | [12](12_yours.ipynb) |
# | counterexample | an input that a memory answers wrongly, where a proof was looked for | [11](11_proof.ipynb) |
# | ε | in a proof: how near a sum may come to its threshold before both outcomes are followed | [11](11_proof.ipynb) |
# | first error | the first wrong decision of a wrong path | [4](04_generalise.ipynb) |
# | generalisation | to answer inputs longer than any in training | [4](04_generalise.ipynb) |
# | judge | what says whether a sequence is wrong: if any bit is | [3](03_train.ipynb) |
# | key‖value | a symbol of two parts; the key is compared, the value goes with it | [1](01_tree.ipynb) |
# | label | in a proof: what must be known of a subtree, such as its smallest key | [11](11_proof.ipynb) |
# | ledger | the figures of the tables, with their seeds, commands and machines | [91](91_ledger.ipynb) |
# | LSTM, LSTM+A | the two models without a tree: encoder and decoder; the same with attention | [6](06_algorithms.ipynb) |
# | machine | a memory with finitely many node values, and its tables of JOIN, SEARCH and WRITE | [11](11_proof.ipynb) |
# | probe | a linear reader, fitted to tell something from a node's vector | [10](10_inside.ipynb) |
# | stable | of a sort: what is equal keeps its order | [5](05_sort.ipynb) |
# | the 2016 code | tf-ham, a public program of 2016 for one task | [1](01_tree.ipynb) |
# | the paper | Andrychowicz and Kurach 2016, arXiv 1602.03218 | [0](00_context.ipynb) |
# | tie | equal smallest keys in both halves; the first one counts | [4](04_generalise.ipynb) |
# | wrong sequence | one with at least one wrong bit; tables give their share in percent | [6](06_algorithms.ipynb) |
#
# **Back to** [chapter 1, *A memory shaped like a tree*](01_tree.ipynb).
