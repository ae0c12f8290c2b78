"""The forms of EMBED, JOIN, SEARCH and WRITE that have a name: keyword arguments of `TreeMemory`."""

PRESETS = {
    # The 2016 code: one layer each, EMBED and JOIN without bias; d = 20.
    "2016": dict(
        node_width=20, query_width=20, join_hidden=0, node_bias=False, node_activation="relu", normalise=False
    ),
    # The paper: d = l = 20, two-layer MLPs (Sec. 3.2 allows one or two), ReLU, no normalisation.
    "paper": dict(
        node_width=20,
        query_width=20,
        embed_hidden=20,
        join_hidden=20,
        search_hidden=20,
        write_hidden=20,
        node_activation="relu",
        normalise=False,
    ),
    # This book: a wide two-layer JOIN, and nodes that are normalised, saturate at -1 and 1, and are
    # trained under noise, so that small errors do not add up from level to level.
    "book": dict(node_width=32, query_width=32, join_hidden=64, join_noise=0.5),
}
# For algorithms that take their input one by one: JOIN can hand up one child as it is, and a leaf that was attended
# starts out as emptied.
PRESETS["book-take"] = PRESETS["book"] | dict(join_copies=True, forget=4.0)
# The same with a SEARCH that can compare a node with the query, and must decide.
PRESETS["book-ask"] = PRESETS["book-take"] | dict(search_hidden=32, search_noise=2.0)
# "book" with a SEARCH that can compare a node with the query.
PRESETS["book-search"] = PRESETS["book"] | dict(search_hidden=32)
# For the data structures: a leaf holds what the last operation left there, and nothing older.
PRESETS["book-replace"] = dict(
    node_width=20,
    query_width=20,
    join_hidden=32,
    search_hidden=20,
    join_copies=True,
    join_noise=0.5,
    replaces=True,
)
# The same, wider, to compare priorities: a leaf is written as JOIN would make it, and JOIN copies at first.
PRESETS["book-compare"] = PRESETS["book-replace"] | dict(
    node_width=24, query_width=24, join_hidden=64, search_hidden=24, join_carry=1.0, write_activation="hard_tanh"
)


def preset(name):
    """Return a copy of the `TreeMemory` arguments that are known as ``name``.

    Raises:
        ValueError: ``name`` is not in `PRESETS`.
    """
    if name not in PRESETS:
        raise ValueError(f"preset: unknown {name!r}; known: {', '.join(PRESETS)}")
    return dict(PRESETS[name])
