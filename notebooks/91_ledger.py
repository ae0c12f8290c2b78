# %% [markdown]
# # The ledger
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/ham-book/ham-book/blob/main/notebooks/91_ledger.ipynb)
#
# The figures of the book's tables: what was published, and what was measured, by which command, with which seed, in how many
# minutes. The source is `hamlib/pretrained/ledger.json`; tests measure the shipped weights again.
#
# **Time:** a few seconds.

# %%
# Installs hamlib where it is missing, as in Colab. HAMLIB_SOURCE can name a local checkout instead.
import importlib.util, os, subprocess, sys

if importlib.util.find_spec("hamlib") is None:
    source = os.environ.get("HAMLIB_SOURCE", "git+https://github.com/ham-book/ham-book")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)

# %%
from hamlib.drawing import show
from hamlib.evaluation import TABLE1_TASKS, TABLE2_TASKS, ledger_rows, read_ledger, stream_rows, table_text, tasks_rows

import matplotlib.pyplot as plt
import numpy as np

# %% [markdown]
# ## Right sequences, in percent
#
# Median over the seeds (lowest–highest), rounded down. *Soft* reads the mean of all leaves under the attention, *hard*
# follows the most probable path; models without a tree have neither. *Odd* are inputs that somebody would think of, and random
# ones hardly ever are: all kinds together (worst kind–best kind), of the seed that ships, run hard where there is a tree.

# %%
for task in read_ledger()["tasks"]:
    print(f"{task}\n{table_text(ledger_rows(task, odd=True))}\n")

# %% [markdown]
# ## Table 1, in wrong sequences
#
# As the paper prints it: lengths up to 32 (n = 32), then 65 to 128 (n = 128); and 513 to 1,024 (n = 1,024).

# %%
for n in (32, 128, 1024):
    print(f"n = {n:,}\n{table_text(tasks_rows(TABLE1_TASKS, n), head='% wrong')}\n")

# %% [markdown]
# ## Table 2, in wrong sequences
#
# As many operations as leaves: 32, the test; 128; and 1,024.

# %%
for n in (32, 128, 1024):
    print(f"n = {n:,}\n{table_text(tasks_rows(TABLE2_TASKS, n), head='% wrong')}\n")

# %% [markdown]
# ## Odd inputs, kind by kind
#
# All kinds that a model answers wrongly, of those that `Task.odd` makes: wrong of how many. `python -m hamlib ledger all --odd`
# measures them anew, and the streams below.

# %%
for task, entry in read_ledger()["tasks"].items():
    for row in entry["measured"]:
        for n, kinds in row["seeds"][0].get("odd", {}).items():
            wrong = ", ".join(f"{kind} {k} of {count}" for kind, (k, count) in kinds.items() if k)
            print(f"{task}, {row['label']}, n = {n}: {wrong or 'none'}")

# %% [markdown]
# ## Long streams
#
# Data structures in use: 16 streams of 100 n operations of each kind, with never more inside than there is room for. Which
# operation is the first to be answered wrongly, the median (earliest–latest); 1600 and 12800 mean that none was.

# %%
for n in (16, 128):
    print(table_text(stream_rows(n), head=f"first wrong, n = {n:,}") + "\n")

# %% [markdown]
# ## Every run
#
# `best` is the validation error of the weights that were kept, at the largest n of the curriculum.

# %%
for task, entry in read_ledger()["tasks"].items():
    for row in entry["measured"]:
        print(f"{task}: {row['label']}\n  {row['command']}\n  {row['measure']}")
        for run in row["seeds"]:
            tried = f" in {run['attempts']} attempts" if run.get("attempts", 1) > 1 else ""
            print(f"  seed {run['seed']}: {run['steps']:,} steps, {run['minutes']} minutes{tried}, "
                  f"best {run['best_validation_error']:.3%}, weights {run['sha256'][:12]}")

# %% [markdown]
# ## How they learned
#
# Wrong sequences in validation after each epoch, in the last attempt. The ledger keeps these curves of the later runs only. A curve may rise where
# the tree grows, or where more of an answer is asked than before.


# %%
def draw_curve(ax, title, runs):
    for run, color in zip(runs, ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00")):
        epochs = range(1, len(run["curve"]) + 1)
        ax.plot(epochs, 100 * np.array(run["curve"]), color=color, label=f"seed {run['seed']}", lw=1)
    ax.set(title=title, xlabel="epoch", ylabel="wrong (%)", ylim=(0, 120))
    ax.set_yscale("symlog", linthresh=0.1)
    ax.set_yticks([0, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
    return f"{title}: " + ", ".join(f"{min(run['curve']):.2%}" for run in runs)


# %%
rows = []
for task, entry in read_ledger()["tasks"].items():
    for row in entry["measured"]:
        if runs := [run for run in row["seeds"] if "curve" in run]:
            rows.append((f"{task}, {row['label']}", runs))
height = -(-len(rows) // 2)
figure, axes = plt.subplots(height, 2, figsize=(9, 2.4 * height), sharey=True, layout="constrained")
axes.flat[-1].set_visible(len(rows) % 2 == 0)
words = "; ".join(draw_curve(ax, *row) for ax, row in zip(axes.flat, rows))
show(figure, f"Validation error by epoch on a log axis, a line for each seed. Lowest: {words}.")

# %%
print(*{run["machine"] for entry in read_ledger()["tasks"].values() for row in entry["measured"] for run in row["seeds"]}, sep="\n")
