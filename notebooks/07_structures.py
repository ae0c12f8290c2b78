# %% [markdown]
# # 7. A stack, a queue, a priority queue
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ham-book/ham-book/blob/main/notebooks/07_structures.ipynb)
#
# Covers raw HAM, Sec. 4.3 and Table 2 of the paper: a memory that is told one operation after the other.
#
# **You will learn**
# - how an empty tree becomes a data structure that nobody programmed;
# - where it puts what is pushed, and how it finds it again;
# - why soft training gets stuck here, and how drawn paths get out.
#
# **Know before:** [chapter 2](02_attention.ipynb), and what noise does in [chapter 4](04_generalise.ipynb).
#
# **Time:** about 90 seconds on a CPU with 2 cores.

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
from hamlib.evaluation import TABLE2_TASKS, draw_tasks, stream_rows, table_text, tasks_rows
from hamlib.pretrained import load_pretrained
from hamlib.recipes import RECIPES, grow
from hamlib.tasks import get_task
from hamlib.training import train

import dataclasses, tempfile, time

import matplotlib.pyplot as plt
import numpy as np

# %% [markdown]
# ## A memory that is told what to do
#
# So far the input stood in the leaves from the start. Now the leaves are empty, and the task says what to do, one **operation**
# after the other. The memory is raw HAM, without an LSTM: the operation itself is the query. It is a bit, 1 for POP, and five
# bits of the value that a PUSH brings. SEARCH sees it on the way down, WRITE at the leaf, and the answer is made of what
# stood in that leaf before. There is one access for each operation, and no look at what comes later.

# %%
task = get_task("stack")
print("push 19:", task.push(19).astype(int))
print("pop:    ", task.pop().astype(int))

# %% [markdown]
# ## A stack, live
#
# `start(8)` gives the learned memory a tree of eight empty leaves. Python only counts, to say when it is full or empty; what
# is pushed is kept in the leaves and nowhere else.

# %%
stack = load_pretrained("stack").start(8)
for value in (3, 14, 15):
    stack.push(value)
print("pop:", stack.pop(), " pop:", stack.pop())
stack.push(9)
print("pop:", stack.pop(), " pop:", stack.pop(), " left:", len(stack))

# %% [markdown]
# Now with pictures. In each leaf stands what we *know* to have been written there last, or × where a POP came last.


# %%
def play(name, operations, n=8):
    """Do operations, tuples to push or () to pop; draw the tree after each."""
    structure, labels, frames, words = load_pretrained(name).start(n), [" "] * 2 * n, [], []
    for operation in operations:
        pushed = ":".join(map(str, operation))
        if pushed:
            structure.push(*operation)
        said = f"push {pushed}" if pushed else f"pop → {structure.pop()}"
        labels[structure.path[-1]] = pushed or "×"
        frames.append(dict(path=structure.path, node_labels=list(labels), title=said))
        words.append(f"{said} at leaf {structure.path[-1] - n}")
    show(draw_frames(frames), f"A {name} of {n} leaves, {len(words)} trees: {', '.join(words)}.")


OPERATIONS = [(3,), (14,), (), (15,), (9,), (), (), ()]
play("stack", OPERATIONS)

# %% [markdown]
# The **queue** is told the same operations; only the right answer to a POP differs:

# %%
play("queue", OPERATIONS)

# %% [markdown]
# And a **priority queue**, which is told a priority of 7 bits with each value; a POP answers the value of the highest:

# %%
play("priority-queue", [(90, 3), (20, 14), (), (50, 15), (70, 9), (), (), ()])

# %% [markdown]
# **What to notice.** Nobody told them where to put things. A stack and a queue fill their leaves in some order, which each seed
# finds for itself. All find a free leaf by looking at log₂ n inner nodes. What differs is where a POP goes: to what came last,
# to what came first, or to the highest priority, wherever it stands.
#
# ## Where do the operations go?
#
# One mark for each operation of a longer run, n = 32, drawn by the paper's rule: the t-th of n operations is a POP with
# probability t/n. It is one run of the seed that ships; another seed orders its leaves in another way.


# %%
def visited(name, n=32, seed=3):
    """Return the leaf of each of n operations, and which of them are POPs."""
    inputs, _ = get_task(name).examples(n, 1, seed, 0)
    model = load_pretrained(name).model
    leaves = [int(path[0, -1]) - n for _, (path,), _ in model.trace(inputs)]
    return np.array(leaves), np.asarray(inputs["queries"])[0, :, 0] == 1


# %%
def draw_visits(n=32):
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for ax, name in zip(axes, ("stack", "queue")):
        leaves, pops = visited(name, n)
        for these, mark, colour, label in ((~pops, "o", "#0072B2", "PUSH"), (pops, "x", "#D55E00", "POP")):
            ax.plot(np.flatnonzero(these), leaves[these], mark, color=colour, label=label, markersize=5)
        ax.set(xlabel="operation", title=name)
        ax.grid(alpha=0.3)
    axes[0].set(ylabel="leaf", yticks=range(0, n, 4))
    axes[0].legend()
    return figure, f"The leaf that each of {n} operations visits, of a stack and of a queue; pushes are dots, pops crosses."


show(*draw_visits())

# %% [markdown]
# ## Why soft training gets stuck
#
# The smallest case that needs a second leaf: a tree of two, four operations, push, push, pop, pop. We train it twice: with
# soft attention, and with **drawn paths**. There each decision is drawn, right with the probability that SEARCH says; the
# access goes that one way; and paths whose POPs answer rightly are made more probable. This is REINFORCE; chapter 8 says
# how it works and what tames it. Here we only look at what it finds.

# %% [markdown]
# Four things are not the paper's. WRITE **replaces** a leaf by a function of the operation: the paper's form can keep several
# old values in one leaf, and then never needs a second. Small trees get **full** (not the queue's): there are twice as many
# operations as leaves, and at most n of them push. For each input **eight paths** are drawn (four for the priority queue),
# and each is compared with the others. And JOIN is trained under **noise**, so that what it hands up is digital.
#
# The priority queue must compare as well. Its recipe took seven rounds of looking at what was still wrong; an
# [appendix](92_histories.ipynb) tells them.

# %%
TRIAL = dataclasses.replace(RECIPES["stack"], stages=grow(4, full=True), epochs=6)
SOFT = dataclasses.replace(TRIAL, loss="binary_crossentropy", batch_size=TRIAL.batch_size * TRIAL.loss["samples"])
fresh, answers = task.examples(4, 2000, seed=1, step=0, leaves=2, kinds=("alike",))


def train_two_leaves(recipe):
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        model, _ = train(recipe, folder, verbose=0)
    wrong = np.asarray(task.wrong(answers, model(fresh, attention="hard"))).mean()
    name = "reinforce" if recipe.reinforced else recipe.loss
    print(f"{name:20} {time.perf_counter() - started:3.0f} s   {wrong:6.2%} wrong of 2,000")
    return model


# %% tags=["slow"]
soft, reinforced = train_two_leaves(SOFT), train_two_leaves(TRIAL)

# %% [markdown]
# Where does the *second* push of push, push, pop, pop go?

# %% tags=["slow"]
two = np.stack([task.push(19), task.push(6), task.pop(), task.pop()])[None]
for name, model in (("soft", soft), ("with REINFORCE", reinforced)):
    inputs = task.examples(4, 1, 0, 0, leaves=2)[0] | {"queries": two}
    walked = list(model.trace(inputs))
    values = [int("".join(map(str, np.round(answer[0]).astype(int))), 2) for _, _, answer in walked]
    print(f"{name:9} leaves {[int(path[0, -1]) - 2 for _, (path,), _ in walked]}   pops answer {values[2:]}, right: [6, 19]")

# %% [markdown]
# **What to notice.** Soft training lets the second push overwrite the first: a *little* of it in the other leaf helps no
# answer yet, so there is no slope to follow. A drawn path puts *all* of it there once in a while, and is rewarded. (One
# seed each; the ledger's three of every structure were all trained with drawn paths.)
#
# Where to PUSH seems to be the only part that soft attention misses: recipe `QUEUE_PLACED` of `benchmarks/recipes.py` tells each PUSH a leaf
# of its own, trains the rest soft, and chapter 8 goes on from there.

# %% [markdown]
# `python -m hamlib train stack` goes on from there: a size is left as soon as it is mastered, up to 32 operations; then come
# trees of 8 to 128 leaves in turn. What was found in a small tree is nearly right in the next; in a large one, from nothing,
# hardly any drawn path is. The queue's trees go to 1,024 leaves, still with 32 operations.

# %% [markdown]
# ## Table 2, published beside ours
#
# Wrong sequences in percent; one wrong POP makes a sequence wrong. Ours, from the ledger, learned from at most 32 operations:
# the median of three seeds and, where they differ, their range. Seed 0 ships. The colours are logarithmic.

# %%
TITLES = {32: "The test: 32 operations", 128: "Longer: 128 operations", 1024: "Far beyond: 1,024 operations"}
for n, title in TITLES.items():
    rows = tasks_rows(TABLE2_TASKS, n)
    print(table_text(rows, head="% wrong"))
    words = "; ".join(f"{label}: " + ", ".join(f"{task} {v[0]:.2f}" for task, v in row.items()) for label, row in rows)
    show(draw_tasks(rows, title), f"Heat-map of wrong sequences in percent. {title}. {words}")

# %% [markdown]
# **What to notice.** Run hard, the stack makes no error with any of three seeds, up to 32 times as many operations as it was
# trained on. Nor does the queue, except in one of 2,500 sequences of the test, with a seed that does not ship. The priority
# queue makes none in the test, and gets 0.08, 0.16 and 0.16% of the sequences of 128 operations wrong, published 0.2: there any
# two of 128 priorities can meet. Run soft, the weights are of little use: in training no access ever read a mixture of leaves.

# %% [markdown]
# ## A leaf that is used again
#
# All these sequences push at most as many things as the tree has leaves. A structure that *lives* goes on: here a tree of 16 is
# filled, emptied, filled again, with never more inside than it has room for. A queue of n leaves has room for n − 1: it is a ring,
# and a ring that is full does not show where it begins.

# %%
def first_error(name, n=16):
    """The first operation that is answered wrongly, of 100 n that fill and empty it in turn; None if there is none."""
    live, inside, push = load_pretrained(name).start(n), [], True
    for operation in range(100 * n):
        push = len(inside) == 0 or push and len(inside) < live.task.room(n)
        if push:
            inside.append(operation % 32)
            live.push(operation % 32)
        elif live.pop() != inside.pop(0 if live.task.name == "queue" else -1):
            return operation

for name in ("stack", "queue"):
    print(f"{name}: first wrong answer at operation {first_error(name)} of 1,600")

# %% [markdown]
# **What to notice.** The tables above say 0% wrong, and here the second emptying goes wrong. In training no sequence pushed more than
# there are leaves, so a leaf was hardly ever used twice, and no test of such sequences can show it.

# %% [markdown]
# The ledger has all three, of 16 and of 128 leaves, in four ways of use, 16 streams of 100 n operations each: which operation
# is the first to be answered wrongly, the median (earliest–latest). 1600 and 12800 mean that none was. The two *digital* ones are
# the subject of the next section.

# %%
for n in (16, 128):
    print(table_text(stream_rows(n), head=f"first wrong, n = {n}") + "\n")

# %% [markdown]
# **What to notice.** With at most one thing inside nothing goes wrong. All else ends badly for `stack` and `queue`, soon after
# the leaves have been used up. The priority queue of 16 leaves is right to the end in most streams; one of 128 that is full goes
# wrong as soon as it is emptied. `hamlib.proof` has the laws that a stack and a queue must keep to be right in *any* stream.
# `python -m hamlib ledger all --odd` measures anew what ships.

# %% [markdown]
# ## A stack and a queue that are right in every stream
#
# `stack-digital` and `queue-digital` learned the same jobs, again from operations and answers alone. Their memory is **digital**
# (chapter 11), and simple. A PUSH is put into its leaf as it is, and a POP empties its leaf. JOIN sees of a leaf only whether
# something is in it, and makes six digits, −1 or 1, of its children's digits. Only *where* is learned, by JOIN and SEARCH, not *what*.

# %% [markdown]
# Two things make it learn:
#
# - **Trees in use.** Training begins on trees in which things are already, drawn from all that a stream can leave there. From an
#   empty tree, only a memory that is nearly always right gets to most of them. These are *exploring starts* (Sutton and Barto,
#   *Reinforcement Learning*, Sec. 5.3). So it is told how things lie in a tree, but not where an operation goes.
# - **Every leaf is tried.** The first operation is sent to each leaf in turn, the following ones where the memory, run hard, sends
#   them. The leaf after which the most answers are right is learned, with soft attention and cross-entropy. This is *policy
#   iteration by rollouts* (Lagoudakis and Parr 2003).

# %%
from hamlib.models import EveryLeaf
from hamlib.proof import begun, examine

digital = load_pretrained("queue-digital")
leaves = 3 * [0] + [8, 9, 10] + 2 * [0]  # 0: nothing is in it; k: PUSH k - 1 was the last operation there
inputs, targets = begun(digital.task, [(leaves, [21, 0, 0, 0, 0])])  # a PUSH of 20, then four POPs
tried = np.asarray(EveryLeaf(digital.model)(inputs, training=True))[0, :, :-1]
right = (tried.reshape(8, 5, 5)[:, 1:] > 0.5) == (targets[:, 1:] > 0.5)
print("the PUSH goes to leaf", *range(8), sep="  ")
print("POPs that are right  ", *right.all(axis=2).sum(axis=1), sep="  ")

# %% [markdown]
# **What to notice.** The values 7, 8 and 9 are in leaves 3, 4 and 5, and only a PUSH to leaf 6, the next one, gets all four answers
# right. That is the lesson of this tree.

# %% [markdown]
# After each epoch the memory is taken apart into tables. Once they keep the law of the structure, it is *proved*, and the training
# over.
#
# - The law of a stack: what is held lies at the front; a PUSH goes to the first free leaf, a POP to the last one held.
# - The law of a queue: what is held lies in a ring; a PUSH goes to the leaf after the last one pushed, a POP to the first one held.
#
# Each is checked for all pairs of subtrees that a tree can have. So it holds in a tree of any size, and in any stream with room for
# what it holds.

# %%
for name in ("stack", "queue"):
    shipped = load_pretrained(f"{name}-digital")
    print(examine(shipped.model, shipped.task))
    print("first wrong answer, fill and empty, n = 16:", first_error(f"{name}-digital"))
    print(f"the other {name}:", examine(load_pretrained(name).model, shipped.task), "", sep="\n")

# %% [markdown]
# **What to notice.** A proof takes a second, and speaks of streams that nobody tried. The same question refutes the two models above,
# by a short stream on a small tree. All three seeds of both are proved, after one to two and a half minutes of training, on one core each.

# %% [markdown]
# ## Exercises
#
# **7.1 Say what is right.** To judge a run one must know the right answers. Write what a stack answers; an operation is an int
# to push, or None for a POP.

# %% tags=["exercise"]
def answers_of_a_stack(operations):
    """Return the list of what the POPs answer."""
    raise NotImplementedError


# %% tags=["check"]
with check("7.1"):
    assert answers_of_a_stack([1, 2, None, None]) == [2, 1], "what was pushed last comes first"
    assert answers_of_a_stack([1, None, 2, None]) == [1, 2], "what was popped is gone"
    operations = [int(value) if value < 20 else None for value in np.random.default_rng(1).integers(0, 32, 30)]
    live, learned, judged = load_pretrained("stack").start(32), [], []
    for operation in operations:
        if operation is not None or len(live):
            live.push(operation) if operation is not None else learned.append(live.pop())
            judged.append(operation)
    assert answers_of_a_stack(judged) == learned, "the learned stack says something else"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def answers_of_a_stack(operations):
#     """Return the list of what the POPs answer."""
#     there, answers = [], []
#     for operation in operations:
#         if operation is None:
#             answers.append(there.pop())
#         else:
#             there.append(operation)
#     return answers
# ```
#
# </details>

# %% [markdown]
# **7.2 Blind to POP.** How does SEARCH know where to go? The first bit of an operation says POP, and row 0 of
# `model.memory.search.query.kernel` brings it into SEARCH. Alter the trained stack so that SEARCH no longer sees that bit.
# Where do you expect a POP to go?

# %% tags=["exercise"]
def blind_to_pop(model):
    """Alter the model so that its SEARCH does not see whether an operation is a POP, and return it."""
    raise NotImplementedError


# %% tags=["check"]
with check("7.2"):
    altered = blind_to_pop(load_pretrained("stack").model)
    kernel = altered.memory.search.query.kernel.numpy()
    assert not kernel[0].any(), "row 0 is not zero: change a copy of the kernel, then kernel.assign(copy)"
    assert kernel[1:].any(), "change row 0 only"
    three = [task.push(3), task.push(14), task.push(15), task.pop(), task.pop()]
    inputs = task.examples(8, 1, 0, 0)[0] | {"queries": np.stack(three)[None]}
    ways = [int(path[0, -1]) - 8 for _, (path,), _ in altered.trace(inputs)]
    print("leaves visited by push, push, push, pop, pop:", ways)

# %% [markdown]
# <details><summary>Solution</summary>
#
# A POP goes where the next PUSH would go, to a free leaf. The tree says where things are; the operation says which of them is
# wanted.
#
# ```python
# def blind_to_pop(model):
#     """Alter the model so that its SEARCH does not see whether an operation is a POP, and return it."""
#     kernel = model.memory.search.query.kernel
#     values = kernel.numpy()
#     values[0] = 0
#     kernel.assign(values)
#     return model
# ```
#
# </details>

# %% [markdown]
# ## Summary
#
# - Raw HAM is told one operation after the other; an access costs Θ(log n), however much it holds.
# - A stack, a queue, a priority queue: what differs is which answer to a POP is right.
# - The second leaf is the hard part. Drawn paths find it; soft attention did not.
# - A structure in use needs its leaves again. Trained on trees in use, where every leaf is tried, a digital stack and a digital queue
#   are proved.
#
# **Next:** [chapter 8, *Learning with REINFORCE*](08_reinforce.ipynb): how does one learn from drawn paths?
