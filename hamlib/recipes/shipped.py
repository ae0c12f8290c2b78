"""The recipes of the models of the book: ``ham train TASK --recipe NAME`` makes each again."""

import dataclasses

from hamlib.recipes.recipe import Recipe, Stage, grow


def asking(*lessons, first=0, front=0, small=1):
    """Stages for answers of many symbols: small trees; then lessons that ask for more and more of an answer.

    Args:
        lessons: as in `Stage`.
        first: until which epoch they ask for the first symbol only: the tree is learned before WRITE, at the cost of a
            single output symbol.
        front: until which epoch they ask for symbols at the front of an answer only.
        small: `Stage.until` of the small trees.
    """
    first_symbol = tuple((leaves, longest, 1) for leaves, longest, _ in lessons)
    stages = [Stage(8, until=small)]
    stages += [Stage(32, first_symbol, until=first)] if first else []
    stages += [Stage(32, lessons, until=front)] if front else []
    return *stages, Stage(32, lessons, anywhere=True)


def without_lessons(stages):
    """The first of ``stages`` at each n, without lessons."""
    firsts = {stage.n: stage for stage in stages[::-1]}
    return tuple(dataclasses.replace(firsts[n], lessons=(), anywhere=False) for n in sorted(firsts))


# The algorithms of Table 1. At the beginning only the first symbol is asked, and the tree is learned at the cost of one
# access. Then a few symbols from anywhere. Trees are deeper than their input needs, with at most 32 symbols. Epochs are
# short, so that no lesson is forgotten while the others have their turn.
LESSONS = ((8, 8, 8), (16, 16, 8), (32, 32, 4), (64, 32, 2), (128, 32, 1))
ALGORITHM = Recipe(
    task="sort",
    memory="book-take",
    model="ham",
    loss="binary_crossentropy",
    stages=asking(*LESSONS, first=30),
    inputs=("mixed", "alike"),
    learning_rate=(0.004, 0.00004),
    clip=0.1,
    epochs=120,
    steps=250,
    validation_steps=20,
)

# The same where a comparison must be exact: the closest keys meet most often in the smallest tree.
COMPARING = dataclasses.replace(ALGORITHM, stages=asking((4, 4, 4), *LESSONS, first=60), epochs=160)

# The data structures of Table 2, with REINFORCE, in trees that get full: with twice as many operations as leaves. Small
# trees come first: with two leaves one path in a few is right, with sixteen hardly any. The noise stays, so that a node
# says the same of a subtree however large it is.
STRUCTURE = Recipe(
    task="stack",
    memory="book-replace",
    loss=dict(discount=0.95, entropy=(0.02, 0.00001), samples=8),
    stages=(
        *grow(4, 8, 16, until=0.02, full=True),
        Stage(32, ((16, 32, 32), (8, 16, 16), (128, 32, 32), (32, 32, 32))),
    ),
    inputs=("alike",),
    noise="stays",
    learning_rate=(0.005, 0.0002),
    clip=1.0,
    epochs=40,
    steps=100,
    batch_size=25,
    validation_steps=20,
)

# A stack and a queue that are right in every stream, as `ham prove` finds out: JOIN makes digits of digits, and every
# leaf is tried. What is above a height shows whether the digits there are the right ones: so there are larger trees.
DIGITAL_STRUCTURE = dataclasses.replace(
    STRUCTURE,
    memory=dict(
        node_width=12,
        query_width=6,
        join="digits",
        write="put",
        marks=6,
        hidden={"join": 64, "search": 20},
        noise={"join": 0.5},
    ),
    loss="best-leaf",
    stages=(
        Stage(8, ((2, 4, 4),), leaves=8, until=2),
        Stage(8, ((4, 8, 8),), leaves=8, until=6),
        Stage(16, ((8, 16, 16), (16, 32, 32), (8, 16, 16), (32, 64, 64)), leaves=8),
    ),
    inputs=("reuse",),
    learning_rate=(0.003, 0.0003),
    epochs=100,
    batch_size=32,
)

RECIPES = {
    # Select the smallest as the 2016 code trains it.
    "smallest-2016": Recipe(task="smallest", memory="2016"),
    # At most one error in 10,000 at any n: digital nodes, mixed lengths, grown to n = 32, a long fall of the learning
    # rate.
    "smallest": Recipe(
        task="smallest",
        memory="book",
        stages=grow(8, 16, 32),
        inputs=("mixed",),
        learning_rate=(0.003, 0.00006),
        epochs=80,
    ),
    # Right for every input, as `ham prove` finds out: a digital memory, in trees of two depths, rounded in the second
    # half of the run.
    "smallest-digital": dataclasses.replace(
        ALGORITHM,
        task="smallest",
        memory="digital",
        model="raw",
        stages=(Stage(4, until=1), Stage(32, ((8, 8, 1), (32, 32, 1)))),
        learning_rate=(0.004, 0.00005),
        epochs=60,
    ),
    # The same job with REINFORCE (Sec. 3.3), from small trees to larger ones.
    "smallest-reinforce": Recipe(
        task="smallest",
        memory={"noise": {}},
        loss=dict(discount=0.9, entropy=(0.01, 0.0001), samples=1),
        stages=grow(4, 8, 16, 32, until=0.02),
        inputs=("mixed",),
        learning_rate=(0.003, 0.0001),
        clip=1.0,
        epochs=60,
        steps=500,
        validation_steps=20,
    ),
    # Table 1, and Sort without a controller.
    "reverse": dataclasses.replace(ALGORITHM, task="reverse", epochs=60),
    "search": dataclasses.replace(  # with a memory as in "smallest"
        ALGORITHM,
        task="search",
        memory="book-search",
        accesses=2,
        stages=asking((8, 8, 1), (16, 16, 1), (32, 32, 1), (64, 32, 1), small=0.3),
        learning_rate=(0.004, 0.00008),
        epochs=80,
        steps=1000,
    ),
    "merge": dataclasses.replace(COMPARING, task="merge"),
    "sort": COMPARING,
    "add": dataclasses.replace(
        ALGORITHM,
        task="add",
        memory="book-ask",
        model="ham+n",
        accesses=2,
        stages=asking((8, 8, 8), (16, 16, 4), (32, 32, 4), (64, 32, 4), (128, 32, 2), first=10, front=25),
        inputs=("mixed", "decoys"),
        epochs=60,
    ),
    "raw-sort": dataclasses.replace(ALGORITHM, model="raw"),
    # Sort, right for every input, as `ham prove` finds out. WRITE leaves the same in every leaf that was taken.
    "sort-digital": dataclasses.replace(
        ALGORITHM,
        model="raw",
        memory="digital",
        stages=asking((4, 4, 4), (8, 8, 8), (16, 16, 8), (32, 32, 4), (64, 32, 2), first=25),
        learning_rate=(0.004, 0.00005),
        epochs=90,
    ),
    # Reverse with REINFORCE.
    "reverse-reinforce": dataclasses.replace(
        STRUCTURE,
        task="reverse",
        model="ham",
        stages=grow(2, 4, 8, 16, 32, until=0.05),
        inputs=("mixed",),
        epochs=20,
    ),
    # Table 2.
    "stack": STRUCTURE,
    "stack-digital": DIGITAL_STRUCTURE,
    # In full trees seed 0 stayed at 16% wrong for 8 operations. With 128 leaves at most, seed 1 failed on 512.
    "queue": dataclasses.replace(
        STRUCTURE,
        task="queue",
        stages=(
            *grow(2, 4, 8, 16, until=0.02),
            Stage(32, ((16, 32, 32), (8, 16, 16), (1024, 32, 32), (32, 32, 32))),
        ),
    ),
    "queue-digital": dataclasses.replace(DIGITAL_STRUCTURE, task="queue"),
    # It must compare: the noise blurs that, and small trees train it cheaply.
    "priority-queue-sixteen": dataclasses.replace(
        STRUCTURE,
        task="priority-queue",
        memory="book-compare",
        loss=dict(discount=0.95, entropy=(0.02, 0.00001), samples=4),
        stages=(
            *grow(4, 8, 16, until=0.02, full=True),
            Stage(32, ((2, 4, 4), (4, 8, 8), (8, 16, 16), (2, 4, 4), (4, 8, 8), (128, 16, 16))),
        ),
        noise="falls",
        batch_size=50,
        learning_rate=(0.005, 0.0001),
        epochs=160,
        steps=250,
    ),
}
# Then once more under noise, which falls, at a depth where many priorities are close to each other on their way up: a
# comparison must come out clearly, or what is handed up is a blend of two. And in trees that get full, or else it goes
# where nothing is free to push. With a larger α at the end, errors by chance drown the few between neighbours.
RECIPES["priority-queue"] = dataclasses.replace(
    RECIPES["priority-queue-sixteen"],
    start=RECIPES["priority-queue-sixteen"],
    loss=dict(discount=0.95, entropy=(0.0001, 0.0000001), samples=4),
    stages=(Stage(32, ((16, 32, 32), (128, 32, 32))),),
    inputs=("alike", "dense"),
    learning_rate=(0.001, 0.00003),
    epochs=120,
    steps=100,
)
# Without a tree, for as many steps: no lessons, which are about trees. Each has the best of `RATES`.
RATES = (0.01, 0.03, 0.1)
for name, rate in dict(reverse=0.03, search=0.01, merge=0.03, sort=0.03, add=0.03).items():
    for model in ("lstm", "lstm+a"):
        RECIPES[f"{name}-{model}"] = dataclasses.replace(
            RECIPES[name],
            model=model,
            memory=None,
            accesses=1,
            stages=without_lessons(RECIPES[name].stages),
            inputs=("mixed",) if name == "add" else RECIPES[name].inputs,
        ).at_rate(rate)


def get_recipe(name):
    """Return the recipe called ``name``.

    Raises:
        ValueError: no recipe has that name; the message lists those that exist.
    """
    if name not in RECIPES:
        raise ValueError(f"recipe: unknown {name!r}; known: {', '.join(RECIPES)}")
    return RECIPES[name]
