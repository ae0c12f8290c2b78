# %% [markdown]
# # Appendix: histories
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ham-book/ham-book/blob/main/notebooks/92_histories.ipynb)
#
# Two stories that the chapters only mention: a run that is killed and goes on ([chapter 3](03_train.ipynb)), and how the
# recipe of the priority queue of [chapter 7](07_structures.ipynb) came to be (the paper's Sec. 4.3).
#
# **You will learn**
# - what must be on disk so that a killed run ends with the same numbers;
# - how a recipe grows: look at the errors that are left, find what they share, and show it in training.
#
# **Know before:** [chapter 3](03_train.ipynb) for the first story, [chapter 7](07_structures.ipynb) and
# [chapter 8](08_reinforce.ipynb) for the second.
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
from hamlib.drawing import show
from hamlib.evaluation import table_text, tasks_rows
from hamlib.recipes import RECIPES
from hamlib.training import read_log, train

import dataclasses, tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

# %% [markdown]
# ## A run that is not stopped
#
# The short run of chapter 3: *select the smallest*, 8 epochs of 500 steps. After each epoch the folder gets the weights,
# the optimiser's moments and the number of the epoch.

# %%
SHORT = dataclasses.replace(RECIPES["smallest-2016"], epochs=8, steps=500, validation_steps=40)
workshop = tempfile.TemporaryDirectory()
home = Path(workshop.name)
train(SHORT, home / "unbroken", seed=0, verbose=0)
unbroken = read_log(home / "unbroken")
print("files:", sorted(path.name for path in (home / "unbroken").iterdir()))

# %% [markdown]
# ## Kill it
#
# Now the same run as a program of its own. With a second argument it kills itself: SIGKILL, the signal that no
# program can catch, in the middle of an epoch. Nothing gets the chance to tidy up.

# %%
PROGRAM = '''
import dataclasses, psutil, sys
from hamlib.recipes import RECIPES
from hamlib.training import train
import keras

class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations >= int(sys.argv[2]):
            psutil.Process().kill()  # SIGKILL

short = dataclasses.replace(RECIPES["smallest-2016"], epochs=8, steps=500, validation_steps=40)
train(short, sys.argv[1], seed=0, verbose=0, callbacks=[Kill()] if len(sys.argv) > 2 else [])
'''


# %%
def run(*arguments):
    command = [sys.executable, "-c", PROGRAM, str(home / "broken"), *arguments]
    return subprocess.run(command, capture_output=True).returncode


# %%
print("exit status:", run("1750"), "  (-9 is SIGKILL)")
killed = read_log(home / "broken")
print("whole epochs in the log:", len(killed["loss"]), "of 8; it died in epoch", 1750 // 500 + 1)

# %% [markdown]
# Steps 1,501 to 1,750 are lost: they were never saved. Start the **same command** again. It finds the folder, loads
# the last whole epoch, and asks the stream for the very batch that followed it in the first run.

# %%
print("exit status:", run())
resumed = read_log(home / "broken")
workshop.cleanup()
print("loss, unbroken:", unbroken["loss"].round(6))
print("loss, resumed: ", resumed["loss"].round(6))

# %%
for column in ("loss", "val_loss", "val_wrong"):
    print(f"{column:10} largest difference:", np.abs(unbroken[column] - resumed[column]).max())
    assert np.allclose(unbroken[column], resumed[column], rtol=1e-4, atol=1e-7)


# %%
def draw_overlay(at):
    figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
    epochs = np.arange(1, 9)
    ax.semilogy(epochs, unbroken["val_loss"], "-", color="#56B4E9", lw=7, label="never stopped")
    ax.semilogy(epochs, resumed["val_loss"], "o--", color="#222222", lw=1.5, label="killed, then started again")
    ax.axvline(at, color="#D55E00", ls=":", lw=2, label="SIGKILL")
    ax.set(xlabel="epoch (500 steps of 50 inputs)", ylabel="validation loss (squared error a bit)")
    ax.set_title("The run that was killed and the run that was not")
    ax.set_yticks((0.005, 0.01, 0.02, 0.04), ("0.005", "0.01", "0.02", "0.04"))
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend()
    return figure, "Two loss curves, of the killed and of the unbroken run, lie on each other over all 8 epochs."


# %%
show(*draw_overlay(at=1750 / 500))

# %% [markdown]
# **What to notice.** One curve lies on the other, to the last digit. This is more than convenient: a result that you report
# should not depend on whether a laptop went to sleep. Three things make it so: the state on disk is complete (Adam's
# moments too), it is written under another name and only then called the latest, and the examples depend on the step
# alone.

# %% [markdown]
# ## A priority queue, error by error
#
# Chapter 7's stack and queue need two leaves and a rule for which comes first. The **priority queue** must compare as
# well, and what it compares must come up the tree unharmed. Its recipe took seven rounds, each of the same kind: train,
# look at the *first* wrong decision of each wrong sequence, find what these share, and show more of it. The figures below
# are of the runs of those days, not of the ledger; most are of seed 0 alone.

# %% [markdown]
# **1. Digits.** Its WRITE ends as JOIN does, not in a sigmoid, so that a leaf is written in the digits of a node; its JOIN
# begins as one that copies; and some lessons are in trees of 128 leaves. With none of this, seed 0 got 3.64% of the
# sequences of 128 operations wrong: of 78 first errors that were looked at, all took the priority just below the highest,
# and 69 were made at the two uppermost levels, which its lessons, in trees of at most 16 leaves, had never shown. With it,
# 1.24%.

# %% [markdown]
# **2. The last priorities.** Of 34 first errors that were left, 12 were between two of the five highest priorities: half of
# the inputs draw theirs from a narrow *window*, and no window had reached past the last one, so that it was hardly ever
# among few.

# %% [markdown]
# **3. Blends.** Others came where many priorities on the way up are close to each other. There JOIN handed up a *blend* of two:
# nothing was wrong yet, but the next comparison was. So 6,000 more steps show 32 operations on 128 leaves, under noise once
# more, which falls. Under noise a comparison that is nearly even goes either way, so training makes it clear.
#
# **4. Full windows.** Inputs that push first, up to 32 in a row, draw from a window as often as others. Without this noise
# and these inputs 0.6, 0.12 and 0.6% were left.

# %% [markdown]
# **5. Chance that is blamed.** With these, of seed 0's 57 first errors in 8,000 sequences, 48 still took a lower priority,
# nearly always the next one. Such cases are rare, and were drowned by others. At the end of training 4% of the drawn
# sequences of 32 operations on 128 leaves were wrong, though run hard none of 1,000 was: a very improbable path had been
# drawn. So α, which keeps decisions open (chapter 8), now falls a hundred times as far, and only 0.7% were wrong.
#
# **6. The narrowest.** Half of the windows are as narrow as there can be.

# %% [markdown]
# **7. Trees that get full**, of 16 leaves, come in turn with these lessons, for 6,000 steps as well. With eight leaves in
# their place, seed 0 came to 3.8% in the end. Its PUSHes crowd: with 29 to 55 of 128 leaves held, 50 of 52 first errors in
# 1,500 sequences were a PUSH onto one of these, each in a subtree of eight leaves that was full. On eight leaves no PUSH
# ever has two such subtrees to choose from. Nor do 32 leaves help, which 32 operations hardly fill: 22 of seed 1's 27 first
# errors in 2,500 were a PUSH onto a leaf that was held.

# %% [markdown]
# Wrong ones of 5,000 sequences of 128 operations (`wrong_rate(…, seed=7)`). Runs differ much, and more steps alone are no
# help (–: not run to the end):
#
# | α at the end | windows | full trees | steps | seed 0 | 1 | 2 |
# | --- | --- | --- | --- | --- | --- | --- |
# | 10⁻⁵ | wider | 8 leaves | 6,000 | 44 | 13 | 4 |
# | 10⁻⁷ | narrow | 8 leaves | 6,000 | 16 | 7 | 8 |
# | 10⁻⁷ | wider | 8 leaves | 12,000 | 19 | 62 | – |
# | 10⁻⁷ | narrow | 8 leaves | 12,000 | 190 | – | – |
# | 10⁻⁷ | narrow | 16 leaves | 12,000 | 8 | 8 | 11 |

# %% [markdown]
# The last row's is the recipe that ships. What the ledger says of it, on its own 2,500 sequences:

# %%
for n in (32, 128):
    rows = [(label, {"priority-queue": row["priority-queue"]}) for label, row in tasks_rows(("priority-queue",), n)]
    print(f"{n} operations\n{table_text(rows, head='% wrong')}\n")

# %% [markdown]
# ## Two more, of the stack and the queue
#
# What was found in a small tree is nearly right in the next; in a large one, from nothing, hardly any drawn path is. So
# their lessons begin with two leaves. The queue's go to 1,024 leaves, still with 32 operations: with 128 at most, seed 1
# was wrong in every sequence on 512 leaves or more, however short, and right on 256. Depth was what it had not seen, not
# length.
#
# **Back to** [chapter 7, *A stack, a queue, a priority queue*](07_structures.ipynb).
