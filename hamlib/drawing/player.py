"""A step-by-step player: accesses to one tree, one after the other, as HTML with a small script of ours.

What a page shows is drawn by ``player.js`` from a few kilobytes of JSON: the frames, and in each only what has changed
since the one before. Nothing is fetched. Where scripts are stripped, `show` still leaves a strip of frames.
"""

import json
from pathlib import Path

import numpy as np

from hamlib.drawing.shapes import check_texts, check_tree, node_mass
from hamlib.drawing.trees import draw_frames

BYTES = 60_000  # a player is no larger
MAX_FRAMES = 64  # nobody steps through more
SCRIPT = Path(__file__).with_name("player.js")


class Player:
    """What `player` returns: shown by a notebook as HTML, by `show` with a strip of frames under it.

    Attributes:
        data: what ``player.js`` draws, as it stands in the HTML.
        alts: a text for each frame, what it shows in words.
        alt: one text for the whole.
        frames: the frames, dicts of arguments of `draw_tree`.
    """

    def __init__(self, frames, data):
        self.frames, self.data = frames, data
        self.alts = [frame["alt"] for frame in data["frames"]]
        self.alt = f"A player of {len(frames)} frames. " + " ".join(self.alts)

    @property
    def html(self):
        """The player as HTML: JSON and the script, under `BYTES`."""
        # `<` may begin a tag that ends the script.
        data = json.dumps(self.data, ensure_ascii=False, separators=(",", ":")).replace("<", r"\u003c")
        script = SCRIPT.read_text(encoding="utf-8")
        return (
            '<div class="ham-player" data-lm-suppress-shortcuts="true">'
            f'<script type="application/json">{data}</script></div>\n<script>\n{script}</script>'
        )

    def _repr_html_(self):
        return self.html

    def __repr__(self):
        return self.alt

    def strip(self, count=None):
        """Return some of the frames side by side, a Matplotlib Figure with its `alt`.

        Args:
            count: how many, from the first to the last, evenly; None for as many as can be read, 8 or 4.
        """
        count = min(len(self.frames), count or (8 if self.data["n"] <= 8 else 4))
        chosen = np.linspace(0, len(self.frames) - 1, count).round().astype(int)
        titles = [self.data["frames"][k]["title"] for k in chosen]
        return draw_frames([self.frames[k] | {"title": title} for k, title in zip(chosen, titles, strict=True)])


def player(frames, *, autoplay=False):
    """Make a player of one tree: play, pause, step, a slider, the keyboard.

    A reader who asked for reduced motion gets no transitions, and nothing plays by itself.

    Args:
        frames: up to 64 dicts, each with arguments of `draw_tree`: ``path`` (drawn thick), ``p`` (bars and the
            width of the edges), ``nodes`` (``[2n]``, a number from 0 to 1 each: how blue a node is), ``leaf_labels``,
            ``leaf_name``, ``node_labels``, ``title``, ``n``. All are of one tree of at most 64 leaves.
        autoplay: play once it is seen.

    Returns:
        a `Player`.

    Raises:
        ValueError: what cannot be played: which argument, what came, what was expected.
    """
    frames = list(frames)
    if not 1 <= len(frames) <= MAX_FRAMES:
        raise ValueError(f"frames: got {len(frames)}; expected 1 to {MAX_FRAMES} dicts of arguments of draw_tree")
    before, made, size = {}, [], None
    for number, frame in enumerate(frames, start=1):
        n, nodes, path, p = check_tree(*(frame.get(name) for name in ("nodes", "n", "path", "p")))
        check_texts(n, frame.get("leaf_labels"), frame.get("node_labels"))
        if n != (size := size or n):
            raise ValueError(f"frames: got trees of {size} and of {n} leaves; expected one tree")
        if nodes is not None and (nodes.shape[1] > 1 or not -1e-3 < nodes[1:].min() <= nodes[1:].max() < 1.001):
            got = f"{nodes.shape[1]} a node, from {nodes[1:].min():.3g} to {nodes[1:].max():.3g}"
            raise ValueError(f"nodes: got {got}; expected one number from 0 to 1 a node, for its shade")
        now = {
            "labels": _texts(frame.get("leaf_labels"), n),
            "nodes": _texts(frame.get("node_labels"), 2 * n)[1:],
            "mass": [0] * (2 * n - 1) if p is None else node_mass(p)[1:].round(2).tolist(),
            "shade": [0] * (2 * n - 1) if nodes is None else nodes[1:, 0].round(2).tolist(),
        }
        leaf = None if path is None else int(path[-1] - n)
        title = str(frame.get("title") or f"access {number}")
        alt = _words(title, n, path, p, now, before, frame.get("leaf_name", ""))
        one = {"title": title, "alt": alt} | ({} if leaf is None else {"leaf": leaf})
        for name, values in now.items():
            empty = "" if name in ("labels", "nodes") else 0
            old = before.get(name) or [empty] * len(values)
            if changed := [[k, value] for k, value in enumerate(values) if value != old[k]]:
                one[name] = changed
        before = now
        made.append(one)
    data = {"n": size, "name": str(frames[0].get("leaf_name", "")), "frames": made}
    result = Player(frames, data | ({"autoplay": True} if autoplay else {}))
    if (length := len(result.html.encode())) > BYTES:
        raise ValueError(
            f"frames: got {length:,} bytes of HTML; expected at most {BYTES:,}: fewer frames, or shorter texts"
        )
    return result


def _texts(labels, length):
    return [""] * length if labels is None else [" ".join(str(text).split()) for text in labels]


def _words(title, n, path, p, now, before, name):
    """What one frame shows, in words: all texts under the leaves in the first, later those that have changed."""
    words, labels, old = (
        [f"{title}: tree of {n} leaves." if not before else f"{title}."],
        now["labels"],
        before.get("labels"),
    )
    if old is None and any(labels):
        filled = n - next(k for k, label in enumerate(reversed(labels)) if label)
        texts = [label or "empty" for label in labels[:filled]] + ([f"then {n - filled} empty"] if filled < n else [])
        words.append(f"Under the leaves{f', {name}' if name else ''}: {', '.join(texts)}.")
    if path is not None:
        turns = ", ".join("right" if row % 2 else "left" for row in path[1:])
        leaf = path[-1] - n
        what = " ".join(filter(None, [name, labels[leaf]])) if labels[leaf] else ""
        words.append(f"Path {turns or 'of no turns'} to leaf {leaf}{what and f', {what}'}.")
    if p is not None:
        first = [k for k in np.argsort(-np.asarray(p), kind="stable")[:3] if p[k] >= 0.005]
        words.append(f"Attention: {', '.join(f'leaf {k} {p[k]:.2f}' for k in first)}.")
    if old is not None:
        changed = [
            f"leaf {k} {'empty' if labels[k] in ('', '·') else labels[k]}" for k in range(n) if labels[k] != old[k]
        ]
        words += [f"Changed: {', '.join(changed)}."] if changed else []
    return " ".join(words)
