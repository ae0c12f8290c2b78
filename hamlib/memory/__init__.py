"""The tree memory of Hierarchical Attentive Memory (Sec. 3.2, Fig. 2-5, Appendix A).

One tree is one tensor in the classic heap layout, ``nodes[batch, 2n, d]``: the root is row 1, the
children of row i are rows 2i and 2i + 1, leaf k is row n + k, and row 0 is unused.

A memory access is three moves: **attend -> read -> write**. Each walks the same weights in two ways:

=======  ===================================  =====================  ================================
         ``attend`` returns                   ``read`` returns       ``write`` changes
=======  ===================================  =====================  ================================
soft     ``p[batch, n]``, floats: how         the mean leaf under p  every leaf by its p, then every
         probable each leaf is                                       inner node is joined again
hard     ``path[batch, log2 n + 1]``, ints:   one leaf               that leaf, then its ancestors
         the rows from the root to one leaf
=======  ===================================  =====================  ================================
"""

from hamlib.memory.forms import DIGITAL, PRESETS, preset, spell_out
from hamlib.memory.mlp import FLOAT32, MLP
from hamlib.memory.nodes import add_rows, put_rows, read_leaves, rows, siblings
from hamlib.memory.tree import ATTENTIONS, TreeMemory, check_attention, check_power_of_two

__all__ = [
    "ATTENTIONS",
    "DIGITAL",
    "FLOAT32",
    "MLP",
    "PRESETS",
    "TreeMemory",
    "add_rows",
    "check_attention",
    "check_power_of_two",
    "preset",
    "put_rows",
    "read_leaves",
    "rows",
    "siblings",
    "spell_out",
]
