"""Pictures of one tree: node values, a hard path, soft attention, several accesses side by side or in a player.

Everything takes NumPy arrays (or what `numpy.asarray` understands) of **one** tree in the heap layout
of `hamlib.memory`: the root is row 1, the children of row i are rows 2i and 2i + 1, leaf k is row
n + k. Nothing here knows a model. A picture carries its alternative text, and `show` puts both into
a notebook. What cannot be drawn raises a ValueError: which argument, what came, what was expected.

From white, blue grows with the amount above 0 and grey with that below; vermilion and green (Okabe
and Ito) mark paths and probability, and also differ by thickness and place, not by colour alone.
"""

from hamlib.drawing.output import png, show
from hamlib.drawing.player import Player, player
from hamlib.drawing.shapes import MAX_LEAVES, node_mass, path_to, positions
from hamlib.drawing.trees import describe_tree, draw_frames, draw_tree

__all__ = [
    "MAX_LEAVES",
    "Player",
    "describe_tree",
    "draw_frames",
    "draw_tree",
    "node_mass",
    "path_to",
    "player",
    "png",
    "positions",
    "show",
]
