"""The forms that the parts of a memory can have, and the sets of them that have a name."""

# How EMBED and JOIN end: keyword arguments of their `MLP`.
NODES = {
    "relu-unbiased": dict(activation="relu", bias=False),  # the 2016 code
    "relu": dict(activation="relu"),  # the paper
    "relu-normalised": dict(activation="relu", normalise=True),
    "saturating": dict(activation="hard_tanh", normalise=True),  # this book
}
# What JOIN makes of two children, and the carry gate's bias: how much it copies before anything is learned.
JOINS = {"new": 0.0, "copy": 0.0, "copy-at-first": 1.0, "carry": 0.0, "digits": 0.0}
DIGITAL = "carry", "digits"
# How WRITE begins or ends. "emptying" is "highway" with first biases that empty a leaf. A WRITE that replaces is H of
# the query alone, in the digits of a sigmoid or of a saturating node.
WRITES = {
    "highway": dict(empties=0.0),
    "emptying": dict(empties=4.0),
    "replace": dict(activation="sigmoid"),
    "replace-saturating": dict(activation="hard_tanh"),
    "put": {},  # nothing is learned: a PUSH is put into the leaf, a POP empties it
}

PARTS = ("embed", "join", "search", "write")
# What `TreeMemory` takes where nothing is said.
DEFAULTS = dict(
    node_width=32,
    query_width=32,
    node="saturating",
    join="new",
    write="highway",
    hidden={"join": 64},
    noise={},
    marks=3,
)

PRESETS = {
    # The 2016 code: one layer each, EMBED and JOIN without bias; d = 20.
    "2016": dict(node_width=20, query_width=20, node="relu-unbiased", hidden={}),
    # The paper: d = l = 20, two-layer MLPs (Sec. 3.2 allows one or two), ReLU, no normalisation.
    "paper": dict(
        node_width=20, query_width=20, node="relu", hidden={"embed": 20, "join": 20, "search": 20, "write": 20}
    ),
    # This book: a wide two-layer JOIN, and nodes that are normalised, saturate at -1 and 1, and are
    # trained under noise, so that small errors do not add up from level to level.
    "book": dict(noise={"join": 0.5}),
    # A digital memory: one digit says which child goes up, exactly; the marks beside it are new digits. What was taken
    # leaves the same in every leaf.
    "digital": dict(
        node_width=11,
        query_width=1,
        join="carry",
        write="replace-saturating",
        noise={"embed": 0.5, "join": 0.5},
        marks=3,
    ),
}
# For algorithms that take their input one by one: JOIN can hand up one child as it is, and a leaf that was attended
# starts out as emptied.
PRESETS["book-take"] = PRESETS["book"] | dict(join="copy", write="emptying")
# The same with a SEARCH that can compare a node with the query, and must decide.
PRESETS["book-ask"] = PRESETS["book-take"] | dict(hidden={"join": 64, "search": 32}, noise={"join": 0.5, "search": 2.0})
# "book" with a SEARCH that can compare a node with the query.
PRESETS["book-search"] = PRESETS["book"] | dict(hidden={"join": 64, "search": 32})
# For the data structures: a leaf holds what the last operation left there, and nothing older.
PRESETS["book-replace"] = dict(
    node_width=20,
    query_width=20,
    join="copy",
    write="replace",
    hidden={"join": 32, "search": 20},
    noise={"join": 0.5},
)
# The same, wider, to compare priorities: a leaf is written as JOIN would make it, and JOIN copies at first.
PRESETS["book-compare"] = dict(
    node_width=24,
    query_width=24,
    join="copy-at-first",
    write="replace-saturating",
    hidden={"join": 64, "search": 24},
    noise={"join": 0.5},
)


def preset(name):
    """Return a copy of the `TreeMemory` arguments that are known as ``name``.

    Raises:
        ValueError: ``name`` is not in `PRESETS`.
    """
    if name not in PRESETS:
        raise ValueError(f"preset: unknown {name!r}; known: {', '.join(PRESETS)}")
    return {key: dict(value) if isinstance(value, dict) else value for key, value in PRESETS[name].items()}


def spell_out(memory):
    """Return all `TreeMemory` arguments but b, defaults too: what a run keeps, whatever a name will stand for later.

    Args:
        memory: the name of a preset, or some of the arguments.

    Raises:
        ValueError: an unknown name or argument, or forms that do not go together.
    """
    arguments = preset(memory) if isinstance(memory, str) else memory
    if not isinstance(arguments, dict) or set(arguments) - set(DEFAULTS):
        raise ValueError(f"memory: got {memory!r}; expected a preset, or a mapping with some of {', '.join(DEFAULTS)}")
    arguments = DEFAULTS | arguments
    check_forms(arguments["node"], arguments["join"], arguments["write"])
    hidden = check_parts("hidden", arguments["hidden"], PARTS, int)
    return arguments | dict(hidden=hidden, noise=check_parts("noise", arguments["noise"], PARTS[:3], float))


def check_forms(node, join, write):
    """Raise a ValueError unless the three are forms, and such as go together."""
    for name, value, known in (("node", node, NODES), ("join", join, JOINS), ("write", write, (*WRITES, None))):
        if value not in known:
            raise ValueError(f"{name}: unknown {value!r}; known: {', '.join(map(str, known))}")
    if join != "new" and node != "saturating":
        raise ValueError(f"node: got {node!r}; with join={join!r}, expected 'saturating'")
    if (join == "digits") != (write == "put"):
        raise ValueError(f"write: got {write!r} with join={join!r}; 'put' and 'digits' go together")


def check_parts(name, values, parts, known):
    """Return ``values``, a number for each part of a memory, as a whole mapping: 0 where nothing is said.

    Args:
        name: what the argument is called.
        values: ``{part: number}``.
        parts: those that have one.
        known: ``int`` or ``float``, what the numbers are.

    Raises:
        ValueError: no such mapping, an unknown part, a negative number or one of another kind.
    """
    if not isinstance(values, dict) or set(values) - set(parts):
        raise ValueError(f"{name}: got {values!r}; expected a mapping with some of the keys {', '.join(parts)}")
    kinds, what = ((int,), "an integer") if known is int else ((int, float), "a number")
    for part, value in values.items():
        if isinstance(value, bool) or not isinstance(value, kinds) or not 0 <= value < float("inf"):
            raise ValueError(f"{name}[{part!r}]: got {value!r}; expected {what} of at least 0")
    return {part: values.get(part, 0) for part in parts}
