# %% [markdown]
# # 3. Train DHAM to pick the smallest
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ham-book/ham-book/blob/main/notebooks/03_train.ipynb)
#
# Covers the job of the 2016 code: *select the smallest*, with DHAM, the soft (differentiable) memory of the paper's
# Appendix A.
#
# **You will learn**
# - how EMBED, JOIN and SEARCH are trained together, from nothing but the error of the answer;
# - how to train with `compile` and `fit` on an endless stream of fresh examples;
# - why a run can be stopped at any moment and goes on as if nothing had happened.
#
# **Know before:** [chapter 1](01_tree.ipynb) and [chapter 2](02_attention.ipynb); what a loss and a gradient are.
#
# **Time:** about 35 seconds on a CPU with 2 cores.

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
from hamlib.evaluation import PUBLISHED, wrong_rate
from hamlib.memory import TreeMemory, preset
from hamlib.models import RawHAM
from hamlib.recipes import RECIPES
from hamlib.tasks import get_task, stream_seed
from hamlib.training import read_log, stream, train

import dataclasses, tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

# %% [markdown]
# ## What is the job?
#
# The memory gets n pairs **key ‖ value**, five bits each, the highest bit first. It must return the pair with the
# smallest key, all ten bits of it; among equal keys, the first. Let us draw a batch of four inputs of n = 8 pairs.

# %%
task = get_task("smallest")
inputs, targets = task.examples(n=8, batch_size=4, seed=5, step=0)
x, y = np.array(inputs["symbols"]), np.array(targets)
print("symbols [batch, n, b]:", x.shape, "  lengths:", inputs["lengths"].numpy(), "  targets [batch, T, b]:", y.shape)


# %%
def decimal(bits):
    """Five bits, the highest first, as a number."""
    return (bits @ 2 ** np.arange(4, -1, -1)).astype(int)


print("the keys of an input              the answer, key ‖ value")
for pairs, answer in zip(x, y[:, 0]):
    print(" ".join(f"{key:3}" for key in decimal(pairs[:, :5])), f"{decimal(answer[:5]):8} ‖ {decimal(answer[5:])}")

# %% [markdown]
# And this is what the network sees of the first input: bits.


# %%
def draw_input(pairs, answer):
    figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    ax.imshow(pairs, cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
    for (k, i), bit in np.ndenumerate(pairs):
        ax.text(i, k, int(bit), ha="center", va="center", color="#222222")
    k = np.where((pairs == answer).all(axis=1))[0][0]
    ax.add_patch(plt.Rectangle((-0.5, k - 0.5), 10, 1, fill=False, color="#D55E00", lw=3))
    ax.axvline(4.5, color="#222222", lw=2)
    keys, values = decimal(pairs[:, :5]), decimal(pairs[:, 5:])
    ax.set_yticks(range(8), [f"leaf {e}:  {key:2} ‖ {value:2}" for e, (key, value) in enumerate(zip(keys, values))])
    ax.set(xticks=range(10), xlabel="bit of the symbol: 0–4 the key, 5–9 the value", ylabel="leaf:  key ‖ value")
    ax.set_title("One input: eight symbols of ten bits; the answer is framed")
    return figure, f"Eight rows of ten bits, one row a leaf. Framed, the answer: leaf {k} with key {keys[k]}."


# %%
show(*draw_input(x[0], y[0, 0]))

# %% [markdown]
# **What to notice.** `examples` is a pure function of its arguments: the same seed and step always give the same
# batch. There is no data set; every step of a training run draws a fresh batch. We will need this when a run is stopped
# and goes on.

# %%
again, _ = task.examples(n=8, batch_size=4, seed=5, step=0)
later, _ = task.examples(n=8, batch_size=4, seed=5, step=1)
print("same step, same batch:", np.array_equal(again["symbols"], x))
print("next step, same batch:", np.array_equal(later["symbols"], x))

# %% [markdown]
# ## How does the memory answer?
#
# The 2016 code makes one access with a zero query. Soft attention gives every leaf e a probability p(e), and the
# answer is the mean of the **input symbols** under p:
#
# $$\hat y = \sum_e p(e)\, x_e$$
#
# If p puts all its mass on one leaf, the answer is that leaf's symbol. In the 2016 code EMBED, JOIN and SEARCH have
# one layer each, with d = 20.

# %%
keras.utils.set_random_seed(0)
memory = TreeMemory(task.symbol_width, write=None, **preset("2016"))
query = np.zeros((4, memory.query_width), "float32")

nodes = memory.grow(inputs["symbols"], inputs["lengths"])  # EMBED, then JOIN from the bottom up
p = np.array(memory.attend(nodes, query, "soft"))  # SEARCH, from the top down
answer = np.einsum("be,bei->bi", p, x)
print("nodes", nodes.shape, "  p", p.shape, "  answer", answer.shape)

# %% [markdown]
# hamlib keeps this as `RawHAM(memory)`, a `keras.Model`: raw HAM, because no LSTM asks.

# %%
model = RawHAM(memory)
output = np.array(model(inputs))
print("output [batch, T, b]:", output.shape, "  same as ours:", np.allclose(output[:, 0], answer, atol=1e-6))
print("numbers to learn:", model.count_params())

# %% [markdown]
# **Why is there no WRITE?** WRITE changes the memory for the accesses that come *after* it. Here there is one access
# and then the job is done, so nothing would ever see what was written. `write=None` leaves WRITE out. Sorting,
# in chapter 5, needs n accesses, and then WRITE is what remembers which leaves were already visited.

# %% [markdown]
# ## How wrong is an answer?
#
# The loss is the squared error on the symbols that were read, the mean over the b = 10 bits:
#
# $$L = \frac{1}{b} \sum_i (\hat y_i - y_i)^2$$
#
# The **judge** is stricter, and not smooth: round every bit; if any of the ten differs, the whole answer is wrong.

# %%
loss = ((answer - y[:, 0]) ** 2).mean()
is_wrong = (answer.round() != y[:, 0]).any(axis=1)
print(f"loss {loss:.4f}", "  wrong:", is_wrong)

# %%
keras_loss = float(keras.losses.MeanSquaredError()(targets, output))
print("same loss:", np.isclose(loss, keras_loss), "  same judge:", np.array_equal(is_wrong, task.wrong(targets, output)))

# %% [markdown]
# ## How can SEARCH learn, if nobody tells it where to go?
#
# No one shows the memory the right leaf. But L is a smooth function of p:
#
# $$\frac{\partial L}{\partial p(e)} = \frac{2}{b} \sum_i (\hat y_i - y_i)\, x_{e,i}$$
#
# So each leaf hears whether more of it would make the answer better. p is a product of SEARCH's decisions; a decision
# depends on an inner node; that node is JOIN of JOIN of … EMBED of the symbols. The chain rule carries the error
# through p to all three at once: they are trained **jointly**.


# %%
def gradients(attention):
    with tf.GradientTape() as tape:
        loss = keras.losses.MeanSquaredError()(targets, model(inputs, attention=attention))
    return tape.gradient(loss, [w.value for w in model.trainable_weights])


names = ["EMBED", "JOIN", "SEARCH, node part", "SEARCH, bias", "SEARCH, query part"]
for name, weight, gradient in zip(names, model.trainable_weights, gradients("soft")):
    print(f"{name:18} {str(tuple(weight.shape)):9} norm of the gradient {np.linalg.norm(gradient):.4f}")

# %%
print("hard attention:", ["none" if g is None else "some" for g in gradients("hard")])

# %% [markdown]
# **What to notice.** With soft attention every part gets a gradient, but for one: the query is zero here, so the
# weights that multiply it cannot matter. With hard attention *nothing* gets a gradient: a choice between left and
# right is a step, and the slope of a step is zero or undefined. That is why we train with soft attention. The paper trains hard
# attention with REINFORCE and reward instead; that is chapter 8.

# %% [markdown]
# ## Does it learn?
#
# `compile` and `fit`, as with any Keras model. `stream` is `examples` for step 0, 1, 2, … as a `tf.data` pipeline.
# The 2016 code trains 100 epochs of 1,000 steps; 8 epochs of 500 are enough to watch.


# %%
def wrong(y, output):  # a Keras metric is named after its function
    return task.wrong(y, output)


model.compile(
    keras.optimizers.Adam(0.001),
    loss="mean_squared_error",
    metrics=[wrong],
    jit_compile=True,  # XLA: the whole step becomes one program
    steps_per_execution=50,  # and 50 steps run without going back to Python
)

# %%
before = np.array(memory.attend(nodes, query, "soft"))
fresh = stream(task, n=8, batch_size=50, seed=stream_seed(0, "train"))
history = model.fit(fresh, epochs=8, steps_per_epoch=500, shuffle=False, verbose=0).history
losses, errors = np.array(history["loss"]), np.array(history["wrong"])
print("loss of each epoch: ", losses.round(4))
print("wrong in each epoch:", errors.round(4))


# %%
def draw_curve(losses, errors, title):
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    epochs = range(1, len(losses) + 1)
    left.semilogy(epochs, losses, "o-", color="#0072B2")
    left.set(xlabel="epoch (500 steps of 50 inputs)", ylabel="loss L (squared error a bit)")
    right.semilogy(epochs, 100 * errors, "s-", color="#D55E00")
    right.set(xlabel="epoch (500 steps of 50 inputs)", ylabel="wrong answers (%)")
    for ax, ticks in ((left, (0.005, 0.01, 0.02, 0.05, 0.1)), (right, (1, 2, 5, 10, 20, 50))):
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    figure.suptitle(title)
    return figure, f"{title}. Loss from {losses[0]:.3f} to {losses[-1]:.4f}; wrong from {errors[0]:.1%} to {errors[-1]:.1%}."


# %%
show(*draw_curve(losses, errors, "Training at n = 8, measured on the inputs of each epoch"))

# %% [markdown]
# ## Where does it look now?
#
# The same input, the attention before training and after. Under the leaves stand their keys.

# %%
after = np.array(memory.attend(memory.grow(inputs["symbols"], inputs["lengths"]), query, "soft"))
keys = [str(key) for key in decimal(x[0, :, :5])]
show(draw_frames([
    dict(p=before[0], leaf_labels=keys, title="before training"),
    dict(p=after[0], leaf_labels=keys, title="after training"),
]))

# %% [markdown]
# **What to notice.** Before, the attention is spread over all leaves. After, almost all of it lies on the smallest key,
# though the loss never said which leaf that is. The inputs of the last epoch were as new as those of the first, and 98.5%
# of them were answered rightly. So it did not learn inputs by heart: it learned to *compare*. What nodes hold once they
# can, chapter 10 shows, for a memory that sorts.

# %% [markdown]
# ## What if the machine stops in the middle?
#
# A long run must survive a crash. hamlib keeps the training above as `train(recipe, folder, seed)`. A **recipe** is
# all that a run depends on; the folder holds its state. After each epoch it saves the weights, the optimiser's moments
# and the number of the epoch. Nothing else is needed, because the examples are a function of the step: started again,
# it loads the last whole epoch and asks the stream for the batch that would have come next.

# %% tags=["slow"]
SHORT = dataclasses.replace(RECIPES["smallest-2016"], epochs=8, steps=500, validation_steps=40)
workshop = tempfile.TemporaryDirectory()
home = Path(workshop.name)
trained, _ = train(SHORT, home / "unbroken", seed=0, verbose=0)


unbroken = read_log(home / "unbroken")
print("files:", sorted(path.name for path in (home / "unbroken").iterdir()))
print("same losses as `fit` above:", np.allclose(unbroken["loss"], losses, rtol=1e-4))

# %% [markdown]
# An [appendix](92_histories.ipynb) puts this to the test. It kills this very run in the middle of its fourth epoch, in a
# way that no program can catch, and starts it again: the two curves agree to the last digit. So a result does not depend
# on whether a laptop went to sleep.

# %% [markdown]
# ## Soft or hard?
#
# We trained with soft attention. But the same weights can also be walked hard: go right where SEARCH > 0.5, and read one leaf.
# A hard access needs $\log_2 n$ decisions instead of n − 1.

# %% tags=["slow"]
for attention in ("soft", "hard"):
    print(f"{attention}: {wrong_rate(trained, task, n=8, examples=10_000, attention=attention)}")
workshop.cleanup()

# %% [markdown]
# Nearly the same *number* of errors need not mean the same errors. On which inputs is each way wrong?

# %% tags=["slow"]
some, right = task.examples(n=8, batch_size=10_000, seed=7, step=0)
soft, hard = (np.array(task.wrong(right, trained(some, attention=attention))) for attention in ("soft", "hard"))
print(f"wrong both ways: {(soft & hard).sum()}   soft only: {(soft & ~hard).sum()}   hard only: {(hard & ~soft).sum()}")

# %% [markdown]
# **What to notice.** Most of them *are* the same. What goes wrong both ways is a **wrong decision**. Where only the soft
# answer is wrong, the path found the right leaf, but p was spread out: with more than half of p on the right leaf every bit
# would have been rounded rightly. That is rare by now, 10 of 10,000 inputs.

# %% [markdown]
# ## The whole run
#
# Here we trained 4,000 steps. The 2016 schedule is 100 epochs of 1,000 steps, 25 times as long. This command runs it,
# shows its progress, and prints the table of the next chapter. Stop it with Ctrl-C and start it again: it goes on.
#
# ```
# python -m hamlib train
# ```

# %%
print("published, n = 8, the whole schedule:", PUBLISHED["smallest"][0]["right"][8], "% right")

# %% [markdown]
# ## Exercises
#
# **3.1** Write $\partial L / \partial p(e)$, the formula above, for a batch, and see that it is what back-propagation
# finds.

# %% tags=["exercise"]
def gradient_of_p(p, x, y):
    """Return dL/dp[batch, n] for p[batch, n], symbols x[batch, n, b] and targets y[batch, b].

    L is the mean over the bits of one input; do not average over the batch.
    """
    raise NotImplementedError


# %% tags=["check"]
with check("3.1"), tf.GradientTape() as tape:
    p_ = tf.Variable(p)
    L = tf.reduce_sum(tf.reduce_mean((tf.einsum("be,bei->bi", p_, x) - y[:, 0]) ** 2, axis=1))
    found, wanted = gradient_of_p(p, x, y[:, 0]), tape.gradient(L, p_).numpy()
    assert np.shape(found) == (4, 8), f"the shape is {np.shape(found)}; there is one number for each leaf of each input"
    assert not np.allclose(found, wanted / 2), "half of it: the derivative of a square has a factor 2"
    assert not np.allclose(found, wanted * 10), "ten times too much: L is a mean over b = 10 bits"
    assert np.allclose(found, wanted, atol=1e-5), "not what the tape finds: use the error of the answer, times x[e]"

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def gradient_of_p(p, x, y):
#     """Return dL/dp[batch, n] for p[batch, n], symbols x[batch, n, b] and targets y[batch, b]."""
#     error = np.einsum("be,bei->bi", p, x) - y
#     return 2 / y.shape[1] * np.einsum("bi,bei->be", error, x)
# ```
#
# </details>

# %% [markdown]
# **3.2 How wide must a node be?** Here a node has d = 20 numbers. Train a memory with another d, for 2,000 steps of 50
# inputs at n = 8, as above (some 15 seconds). With d = 8 most answers must be right. Then try d = 4 and 2, and two seeds
# of each: is the wider one always ahead?

# %% tags=["exercise"]
def train_with_width(d):
    """Return a RawHAM whose nodes have d numbers, trained for 2,000 steps of 50 inputs of 8 pairs."""
    raise NotImplementedError


# %% tags=["check"]
with check("3.2"):
    narrow = train_with_width(8)
    assert isinstance(narrow, RawHAM), f"return the trained RawHAM, not a {type(narrow).__name__}"
    assert narrow.memory.node_width == 8, f'd is {narrow.memory.node_width}: preset("2016") | dict(node_width=d)'
    assert getattr(narrow, "optimizer", None) is not None, "not compiled: was it trained?"
    steps = int(narrow.optimizer.iterations)
    assert steps == 2000, f"it was trained for {steps} steps, not for 2,000"
    rate = wrong_rate(narrow, task, n=8, examples=2000)
    assert rate.right > 50, f"{rate}: is the learning rate 0.001, and are there 50 inputs in a batch?"
    print(f"d = 8, {narrow.count_params()} numbers to learn: {rate}")

# %% [markdown]
# <details><summary>Solution</summary>
#
# We got, with seeds 0 and 1 (of the weights and of the stream), so many right answers in 2,000:
#
# | d | seed 0 | seed 1 |
# | --- | --- | --- |
# | 2 | 81.7% | 61.1% |
# | 4 | 69.0% | 79.0% |
# | 8 | 91.8% | 91.4% |
# | 20 | 97.0% | 95.7% |
#
# Eight numbers beat four, and twenty beat eight, with both seeds. Between two and four, the seed decides: a table with one
# seed in each row would mislead.
#
# ```python
# def train_with_width(d):
#     """Return a RawHAM whose nodes have d numbers, trained for 2,000 steps of 50 inputs of 8 pairs."""
#     keras.utils.set_random_seed(0)
#     narrow = RawHAM(TreeMemory(task.symbol_width, write=None, **preset("2016") | dict(node_width=d)))
#     narrow.compile(keras.optimizers.Adam(0.001), "mean_squared_error", jit_compile=True, steps_per_execution=50)
#     fresh = stream(task, n=8, batch_size=50, seed=stream_seed(0, "train"))
#     narrow.fit(fresh, epochs=4, steps_per_epoch=500, shuffle=False, verbose=0)
#     return narrow
# ```
#
# </details>

# %% [markdown]
# **3.3** How good is a memory that has learned nothing? Suppose p is the same at every leaf. Write the answer it
# gives, and let the judge count. Then think: why is its loss not so bad, while nearly every answer is wrong?

# %% tags=["exercise"]
def flat_answer(x):
    """Return the answer [batch, b] of attention that is the same at all n leaves, for symbols x[batch, n, b]."""
    raise NotImplementedError


# %% tags=["check"]
with check("3.3"):
    many, right = task.examples(n=8, batch_size=2000, seed=6, step=0)
    flat = flat_answer(many["symbols"].numpy())
    assert np.shape(flat) == (2000, 10), f"the shape is {np.shape(flat)}; an answer has ten bits"
    assert np.allclose(flat[0], many["symbols"].numpy()[0].mean(axis=0)), "p(e) = 1/n at every leaf: what is Σ p(e) x_e?"
    bad = float(np.mean(task.wrong(right, flat[:, None])))
    print(f"flat attention: loss {np.mean((flat - right[:, 0]) ** 2):.3f}, wrong {bad:.1%}")

# %% [markdown]
# <details><summary>Solution</summary>
#
# The loss pays for each bit by itself, and a bit near one half is never far from the truth. The judge wants all ten.
#
# ```python
# def flat_answer(x):
#     """Return the answer [batch, b] of attention that is the same at all n leaves, for symbols x[batch, n, b]."""
#     return x.mean(axis=1)
# ```
#
# </details>

# %% [markdown]
# ## Summary
#
# - The answer is Σ p(e)·x_e, the loss its squared error. Both are smooth in p, so EMBED, JOIN and SEARCH learn
#   jointly from the answer alone.
# - One access needs no WRITE.
# - Training is `compile` and `fit` on a stream that is a function of the step. So a run that was killed goes on
#   exactly where it was.
# - Weights that were trained with soft attention can be run hard.
#
# **Next:** [chapter 4](04_generalise.ipynb), *Does it generalise?*, takes such a model to trees far larger than those
# it was trained on, and asks why it fails there.
