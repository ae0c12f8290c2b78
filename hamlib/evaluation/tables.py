"""The rows of the ledger as text and as pictures."""

import math
import textwrap

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np


def _two_decimals(value, rounded):
    slack = 1e-7 if rounded is math.floor else -1e-7  # 100 * (1 - 4 / 2500) is a little less than 99.84
    return f"{rounded(value * 100 + slack) / 100:g}"


def _cell(figure, rounded):
    if figure is None:
        return "–"
    middle, low, high = (_two_decimals(value, rounded) for value in figure)
    return middle if low == high else f"{middle} ({low}–{high})"


def table_text(rows, markdown=False, head="% right"):
    """Write a table in columns.

    Args:
        rows: as `ledger_rows` or `tasks_rows` returns them.
        markdown: whether to write it as Markdown rather than as plain text.
        head: what the figures are, ``"% right"`` or ``"% wrong"``.

    Returns:
        the table as a string: the median over the seeds (lowest–highest), rounded for the worse, so that only
        a model without an error shows 100% right or 0% wrong.
    """
    known = {key: None for _, figures in rows for key in figures}
    columns = sorted(known, key=lambda key: key if isinstance(key, int) else math.inf)
    rounded = math.ceil if "wrong" in head else math.floor
    lines = [[head, *(f"n = {key:,}" if isinstance(key, int) else key for key in columns)]]
    lines += [[label, *(_cell(figures.get(key), rounded) for key in columns)] for label, figures in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns) + 1)]
    edge, gap = ("| ", " | ") if markdown else ("", "  ")

    def write(line):
        first, *others = line
        cells = [first.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True))]
        return edge + gap.join(cells) + edge[::-1]

    dashes = ["-" * widths[0], *("-" * (w - 1) + (":" if markdown else "-") for w in widths[1:])]
    return "\n".join(map(write, [lines[0], dashes, *lines[1:]]))


def draw_table(rows, title=""):
    """Draw a generalisation table: right answers against n, a line a row, the range over seeds shaded.

    Args:
        rows: as `ledger_rows` returns them.
        title: what stands above.

    Returns:
        a matplotlib Figure.
    """
    figure, axes = plt.subplots(figsize=(7, 4), facecolor="white", layout="constrained")
    colours = ("#000000", "#E69F00", "#D55E00", "#56B4E9", "#0072B2", "#009E73", "#CC79A7")
    marks = "sovD^P*"
    for (label, figures), colour, mark in zip(rows, colours, marks, strict=False):
        sizes = sorted(figures)
        middle, low, high = np.array([figures[n] for n in sizes]).T
        line = "--" if mark == "s" else "-"
        axes.plot(sizes, middle, marker=mark, color=colour, linestyle=line, label=label, markersize=5)
        axes.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
    every = sorted({n for _, figures in rows for n in figures})
    axes.set_xscale("log", base=2)
    axes.set_xticks(every, [f"{n:,}" for n in every], rotation=30)
    axes.set(xlabel="leaves n", ylabel="sequences right (%)", ylim=(-3, 103), title=title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower left")
    return figure


def draw_tasks(rows, title=""):
    """Draw Table 1 or 2 as a heat-map: models down, tasks across, the darker the more sequences are wrong.

    The scale is logarithmic above 0.05%, so that 0.08 and 2.48 differ; under a median stands the range over the seeds.

    Args:
        rows: as `tasks_rows` returns them.
        title: what stands above.

    Returns:
        a matplotlib Figure.
    """
    columns = list({key: None for _, figures in rows for key in figures})
    wrong = np.array([[figures.get(key, (np.nan,))[0] for key in columns] for _, figures in rows])
    labels = [textwrap.fill(label, 36) for label, _ in rows]
    longest = max(map(len, "\n".join(labels).split("\n")))  # they stand beside the map and must not squeeze it
    size = (1.2 + 0.08 * longest + 1.1 * len(columns), 0.8 + 0.42 * max(3, len(rows)))
    figure, axes = plt.subplots(figsize=size, facecolor="white", layout="constrained")
    norm = mpl.colors.SymLogNorm(linthresh=0.05, linscale=0.3, vmin=0, vmax=100)
    image = axes.imshow(wrong, cmap="cividis_r", norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(wrong):
        text = _cell(rows[row][1].get(columns[column]), math.ceil).replace(" (", "\n").removesuffix(")")
        color = "white" if norm(np.nan_to_num(value)) > 0.5 else "black"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8, linespacing=0.95)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), labels)
    axes.set_title(title, fontsize=10)
    bar = figure.colorbar(image)
    bar.set_ticks([0, 0.1, 1, 10, 100], labels=["0", "0.1", "1", "10", "100"])
    bar.ax.minorticks_off()
    bar.set_label("wrong sequences (%)", fontsize=8)  # at 10 it is longer than two rows are high
    return figure
