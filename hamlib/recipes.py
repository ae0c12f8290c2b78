"""Recipes: all that a training run depends on but its seed, one for every model of the book.

``python -m hamlib train TASK --recipe NAME`` makes each again.
"""

import ast
import dataclasses

from hamlib.memory import spell_out
from hamlib.tasks import get_task


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _is(kind, low):
    """Whether a value is a number of a kind, of at least (a whole number) or above (any number) a bound."""

    def good(value):
        if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else int):
            return False
        return value >= low if kind is int else low < value < float("inf")

    return good


def _is_tuple_of(good, length=None):
    return lambda value: isinstance(value, tuple) and len(value) == (length or len(value)) and all(map(good, value))


def _is_lesson(value):
    return _is_tuple_of(_is(int, 1), 3)(value) and not value[0] & (value[0] - 1) and not value[1] & (value[1] - 1)


MODELS = ("raw", "ham", "lstm", "lstm+a")
LOSSES = ("mean_squared_error", "binary_crossentropy", "reinforce")
# Which fields, what is good, and how it is said. The memory and the task check themselves.
CHECKS = (
    ("model", MODELS.__contains__, ", ".join(MODELS)),
    ("loss", LOSSES.__contains__, ", ".join(LOSSES)),
    ("start", lambda value: value is None or isinstance(value, str), "a recipe, the folder of a run, or None"),
    ("accesses samples epochs steps batch_size validation_steps", _is(int, 1), "an integer of at least 1"),
    ("first front", _is(int, 0), "an integer of at least 0"),
    ("numbered mixed tight noisy alike dense decoys placed", lambda value: isinstance(value, bool), "True or False"),
    ("discount", lambda value: value in (0, 1) or _is(float, 0)(value) and value < 1, "γ in [0, 1]"),
    ("threshold", lambda value: value == 0 or _is(float, 0)(value), "a number of at least 0"),
    ("clip", lambda value: value is None or _is(float, 0)(value), "a positive number or None"),
    ("learning_rate", _is_tuple_of(_is(float, 0), 2), "two positive numbers"),
    (
        "entropy",
        lambda value: value == (0, 0) or _is_tuple_of(_is(float, 0), 2)(value),
        "two positive numbers, or 0, 0",
    ),
    (
        "sizes",
        lambda value: value and _is_tuple_of(lambda n: _is(int, 1)(n) and not n & (n - 1))(value),
        "powers of two, as in (8, 16)",
    ),
    (
        "lessons",
        _is_tuple_of(_is_lesson),
        "triples (leaves, longest input, output symbols), the first two powers of two",
    ),
)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that a training run depends on but its seed.

    Attributes:
        task: name of the task.
        memory: the memory: a preset's name, or `TreeMemory` arguments. Either is spelled out, and kept as the mapping
            of all arguments that it stands for, so that a preset that changes does not change a run that goes on.
            None where there is none.
        start: what this one begins with: the best weights, of the same seed, of the recipe of that name, which is
            trained first; or those of the run in that folder. None for weights that are drawn.
        model: ``"raw"``, nobody asks the memory (`RawHAM`); ``"ham"``, an LSTM does (`HAM`); ``"lstm"`` and
            ``"lstm+a"``, no memory (`EncoderDecoder`).
        accesses: η of a ``"ham"``.
        numbered: as in `HAM`.
        loss: a Keras loss of the output bits: ``"mean_squared_error"`` on the read symbols (the 2016
            code) or ``"binary_crossentropy"``; or ``"reinforce"``, for paths that are drawn (Sec. 3.3).
        discount: γ of ``"reinforce"``.
        entropy: α of ``"reinforce"`` in the first epoch and in the last; it falls exponentially between.
        samples: of ``"reinforce"``, how many paths are drawn for each input of a batch.
        sizes: n of each stage of the curriculum; one for no curriculum.
        mixed: whether lengths are uniform on [1, k], k drawn from the sizes reached so far, in a
            tree of n leaves; otherwise every input fills its tree.
        lessons: triples (leaves, longest input, output symbols asked), in turn from epoch to epoch of the
            last stage, with half of the inputs at random leaves; of a data structure (leaves, operations, operations).
            Trees deeper than their input needs, and a few symbols of a long answer, wherever they stand in it, show
            what depth looks like at little cost. Empty: always n leaves, the input at the front, the whole answer.
        tight: whether, in the stages before the last, n operations get a tree of n/2 leaves, which they fill.
        first: how many lessons, at the beginning, ask only for the first symbol of an answer: the tree is
            learned before WRITE, at the cost of a single output symbol.
        front: how many lessons, at the beginning, ask for symbols at the front of an answer only: where a step is much
            like the one before, later ones can be learned only once these are right.
        noisy: whether the memory's noise stays as it is; otherwise it falls to zero over the first half of the run.
        alike: whether half of the training inputs have keys that agree in their first bits, or push first and then pop.
        dense: of a priority queue, whether priorities are near each other in half of the inputs that push first and in
            half of the others, and in half of these as near as can be; otherwise in all of the others alone.
        decoys: whether the tree, in training, is grown over the task's decoys: it can learn where to go only.
        placed: whether each PUSH of a data structure goes to a leaf of its own that is drawn, in validation too: all
            but where to PUSH to can then be learned with soft attention.
        threshold: validation error (fraction of wrong sequences) under which n doubles.
        learning_rate: Adam's, at the first and at the last step; it falls exponentially between.
        clip: the norm that gradients are clipped to, all together; None for no clipping.
        epochs, steps, batch_size: epochs of steps batches each (Sec. 4.1: 100 of 1,000 of 50).
        validation_steps: batches of fresh examples after each epoch (Sec. 4.1: 200).
    """

    task: str
    memory: dict | str | None
    start: str | None = None
    model: str = "raw"
    accesses: int = 1
    numbered: bool = False
    loss: str = "mean_squared_error"
    discount: float = 0.9
    entropy: tuple = (0.01, 0.0001)
    samples: int = 1
    sizes: tuple = (8,)
    mixed: bool = False
    lessons: tuple = ()
    tight: bool = False
    first: int = 0
    front: int = 0
    noisy: bool = False
    alike: bool = False
    dense: bool = False
    decoys: bool = False
    placed: bool = False
    threshold: float = 0.1
    learning_rate: tuple = (0.001, 0.001)
    clip: float | None = None
    epochs: int = 100
    steps: int = 1000
    batch_size: int = 50
    validation_steps: int = 200

    def __post_init__(self):
        task = get_task(self.task)
        if self.memory is not None:
            object.__setattr__(self, "memory", spell_out(self.memory))
        for fields, good, expected in CHECKS:
            for name in fields.split():
                if not good(getattr(self, name)):
                    raise ValueError(f"{name}: got {getattr(self, name)!r}; expected {expected}")
        if (self.memory is None) != (self.model in MODELS[2:]):
            raise ValueError(f"memory: got {self.memory!r} for the model {self.model!r}")
        if self.loss == "reinforce":
            self._check_reinforce(task)

    def _check_reinforce(self, task):
        """Raise a ValueError where REINFORCE would leave out what the recipe says."""
        if self.memory is None or self.decoys or self.placed:
            raise ValueError(
                "loss: got 'reinforce'; there are no paths to sample without a tree, with decoys or places"
            )
        noise = self.memory["noise"]
        without = ["embed", "search"] if task.writes else ["embed", "join", "search"]
        if any(noise[part] for part in without):
            raise ValueError(f"noise: got {noise}; with 'reinforce' and task {task.name}, none of {', '.join(without)}")

    @classmethod
    def from_json(cls, fields):
        """Return the recipe of ``fields`` read from JSON, where a tuple is a list.

        Raises:
            ValueError: a field is missing, or unknown; the message lists those.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for what, names in ("missing", set(known) - set(fields)), ("unknown", set(fields) - set(known)):
            if names:
                raise ValueError(f"recipe: {what} fields {', '.join(sorted(names))}; expected {', '.join(known)}")
        return cls(**{name: _tuples(fields[name]) for name in known})

    def at_rate(self, rate):
        """The same recipe with another first learning rate, which falls as far."""
        first, last = self.learning_rate
        last = float(f"{rate * last / first:.6g}")  # without a rounding error: the cards of runs are compared exactly
        return dataclasses.replace(self, learning_rate=(rate, last))

    def at_size(self, n):
        """The same recipe with nothing but inputs of trees of n leaves: a stage of the 2016 code's naive curriculum."""
        return dataclasses.replace(self, sizes=(n,), lessons=())

    def with_fields(self, texts):
        """The same recipe with other fields, for instance ``["epochs=5", "memory=book"]``.

        Args:
            texts: ``"field=value"`` each; the value as Python writes it, or a word.

        Raises:
            ValueError: no such field, or a value that it cannot have.
        """
        known, values = [field.name for field in dataclasses.fields(self)], {}
        for text in texts:
            name, equals, value = text.partition("=")
            if name not in known or not equals:
                raise ValueError(f"set: got {text!r}; expected FIELD=VALUE, FIELD one of {', '.join(known)}")
            try:
                value = ast.literal_eval(value)
            except (ValueError, SyntaxError):
                pass  # a word
            values[name] = _tuples(value)
        return dataclasses.replace(self, **values)

    def total_steps(self):
        """Training steps in all, with those of the recipe that this one starts from."""
        return self.epochs * self.steps + (RECIPES[self.start].total_steps() if self.start in RECIPES else 0)

    def lengths(self, n):
        """The lengths of the inputs at a tree of n leaves, as `Task.examples` takes them."""
        shortest = get_task(self.task).shortest
        return tuple((shortest, k) for k in sorted({*self.sizes, n}) if k <= n) if self.mixed else None

    def whole(self, n):
        """The (longest input, leaves, answers, skip) of validation in the stage of size n, as in `Task.examples`."""
        return n, n // 2 if self.tight and n != self.sizes[-1] else None, None, False

    def lesson(self, n, epoch):
        """The same of training, in an epoch of that stage."""
        if not self.lessons or n != self.sizes[-1]:
            return self.whole(n)
        leaves, longest, answers = self.lessons[epoch % len(self.lessons)]
        return longest, leaves, 1 if epoch < self.first else answers, epoch >= max(self.first, self.front)


# The algorithms of Table 1. At the beginning only the first symbol is asked, and the tree is learned at the cost of one
# access. Then a few symbols from anywhere. Trees are deeper than their input needs, with at most 32 symbols. Epochs are
# short, so that no lesson is forgotten while the others have their turn.
ALGORITHM = Recipe(
    task="sort",
    memory="book-take",
    model="ham",
    loss="binary_crossentropy",
    sizes=(8, 32),
    mixed=True,
    lessons=((8, 8, 8), (16, 16, 8), (32, 32, 4), (64, 32, 2), (128, 32, 1)),
    first=30,
    alike=True,
    threshold=2.0,  # the smallest tree only for an epoch
    learning_rate=(0.004, 0.00004),
    clip=0.1,
    epochs=120,
    steps=250,
    validation_steps=20,
)

# The same where a comparison must be exact: the closest keys meet most often in the smallest tree.
COMPARING = dataclasses.replace(ALGORITHM, lessons=((4, 4, 4), *ALGORITHM.lessons), first=60, epochs=160)

# The data structures of Table 2, with REINFORCE, in trees that get full: with twice as many operations as leaves. Small
# trees come first: with two leaves one path in a few is right, with sixteen hardly any. The noise stays, so that a node
# says the same of a subtree however large it is.
STRUCTURE = Recipe(
    task="stack",
    memory="book-replace",
    loss="reinforce",
    discount=0.95,
    entropy=(0.02, 0.00001),
    samples=8,
    sizes=(4, 8, 16, 32),
    lessons=((16, 32, 32), (8, 16, 16), (128, 32, 32), (32, 32, 32)),
    tight=True,
    noisy=True,
    alike=True,
    threshold=0.02,
    learning_rate=(0.005, 0.0002),
    clip=1.0,
    epochs=40,
    steps=100,
    batch_size=25,
    validation_steps=20,
)

RECIPES = {
    # Select the smallest as the 2016 code trains it.
    "smallest-2016": Recipe(task="smallest", memory="2016"),
    # The same job in less time and with far fewer errors beyond n = 8: digital nodes, mixed lengths.
    "smallest-8": Recipe(task="smallest", memory="book", mixed=True, learning_rate=(0.003, 0.00006), epochs=40),
    # At most one error in 10,000 at any n: the same, grown to n = 32, with a longer fall of the learning rate.
    "smallest": Recipe(
        task="smallest",
        memory="book",
        sizes=(8, 16, 32),
        mixed=True,
        learning_rate=(0.003, 0.00006),
        epochs=80,
    ),
    # Right for every input, as `ham prove` finds out: a digital memory, in trees of two depths, rounded in the second
    # half of the run.
    "smallest-digital": Recipe(
        task="smallest",
        memory="digital",
        loss="binary_crossentropy",
        sizes=(4, 32),
        mixed=True,
        lessons=((8, 8, 1), (32, 32, 1)),
        alike=True,
        threshold=2.0,
        learning_rate=(0.004, 0.00005),
        clip=0.1,
        epochs=60,
        steps=250,
        validation_steps=20,
    ),
    # The same job with REINFORCE, with paths that are drawn (Sec. 3.3), from small trees to larger ones.
    "smallest-reinforce": Recipe(
        task="smallest",
        memory={"noise": {}},
        loss="reinforce",
        entropy=(0.01, 0.0001),
        sizes=(4, 8, 16, 32),
        mixed=True,
        threshold=0.02,
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
        lessons=((8, 8, 1), (16, 16, 1), (32, 32, 1), (64, 32, 1)),
        first=0,
        threshold=0.3,
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
        accesses=2,
        numbered=True,
        lessons=((8, 8, 8), (16, 16, 4), (32, 32, 4), (64, 32, 4), (128, 32, 2)),
        first=10,
        front=25,
        alike=False,
        decoys=True,
        epochs=60,
    ),
    "raw-sort": dataclasses.replace(ALGORITHM, model="raw"),
    # Reverse with REINFORCE.
    "reverse-reinforce": dataclasses.replace(
        STRUCTURE,
        task="reverse",
        model="ham",
        sizes=(2, 4, 8, 16, 32),
        mixed=True,
        lessons=(),
        tight=False,
        alike=False,
        threshold=0.05,
        epochs=20,
    ),
    # Table 2.
    "stack": STRUCTURE,
    # In tight trees seed 0 stayed at 16% wrong for 8 operations. With 128 leaves at most, seed 1 failed on 512.
    "queue": dataclasses.replace(
        STRUCTURE,
        task="queue",
        sizes=(2, 4, 8, 16, 32),
        lessons=((16, 32, 32), (8, 16, 16), (1024, 32, 32), (32, 32, 32)),
        tight=False,
    ),
    # It must compare: the noise blurs that, and small trees train it cheaply.
    "priority-queue-sixteen": dataclasses.replace(
        STRUCTURE,
        task="priority-queue",
        memory="book-compare",
        lessons=((2, 4, 4), (4, 8, 8), (8, 16, 16), (2, 4, 4), (4, 8, 8), (128, 16, 16)),
        noisy=False,
        samples=4,
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
    start="priority-queue-sixteen",
    sizes=(32,),
    lessons=((16, 32, 32), (128, 32, 32)),
    dense=True,
    entropy=(0.0001, 0.0000001),
    learning_rate=(0.001, 0.00003),
    epochs=120,
    steps=100,
)
# Reverse with soft attention, in trees of eight leaves; then with REINFORCE.
RECIPES["reverse-eight"] = dataclasses.replace(
    RECIPES["reverse-reinforce"], loss="binary_crossentropy", samples=1, batch_size=50, sizes=(8,), epochs=5
)
RECIPES["reverse-both"] = dataclasses.replace(RECIPES["reverse-reinforce"], start="reverse-eight", sizes=(8, 16, 32))
# Sort in the same way, and alone.
RECIPES["sort-eight"] = dataclasses.replace(
    RECIPES["sort"], sizes=(8,), lessons=((8, 8, 8),), first=5, epochs=12, learning_rate=(0.004, 0.0002)
)
RECIPES["sort-both"] = dataclasses.replace(
    RECIPES["sort-eight"],
    start="sort-eight",
    loss="reinforce",
    entropy=(0.0001, 0.00001),
    samples=4,
    sizes=(8, 16, 32),
    lessons=(),
    first=0,
    threshold=0.05,
    learning_rate=(0.001, 0.0001),
    epochs=20,
    steps=100,
)
RECIPES["sort-reinforce"] = dataclasses.replace(RECIPES["sort-both"], start=None, sizes=(2, 4, 8, 16, 32))
# The priority queue with soft attention, told where to PUSH to; then with REINFORCE, told nothing.
RECIPES["priority-queue-placed"] = dataclasses.replace(
    RECIPES["priority-queue-sixteen"],
    loss="binary_crossentropy",
    samples=1,
    placed=True,
    sizes=(4, 8, 16),
    lessons=((8, 16, 16), (16, 32, 32), (64, 16, 16)),
    threshold=2.0,
    learning_rate=(0.004, 0.0001),
    clip=0.1,
    epochs=60,
    steps=100,
)
RECIPES["priority-queue-both"] = dataclasses.replace(
    RECIPES["priority-queue-sixteen"],
    start="priority-queue-placed",
    lessons=((16, 32, 32), (32, 32, 32), (128, 32, 32)),
    entropy=(0.0005, 0.00001),
    learning_rate=(0.003, 0.0001),
    epochs=50,
    steps=100,
)
# Without a tree, for as many steps: no lessons, which are about trees. Each has the best of `RATES`.
RATES = (0.01, 0.03, 0.1)
for name, lstm, with_attention in [
    ("reverse", 0.03, 0.03),
    ("search", 0.01, 0.01),
    ("merge", 0.03, 0.03),
    ("sort", 0.03, 0.03),
    ("add", 0.03, 0.03),
]:
    for model, rate in (("lstm", lstm), ("lstm+a", with_attention)):
        RECIPES[f"{name}-{model}"] = dataclasses.replace(
            RECIPES[name],
            model=model,
            memory=None,
            accesses=1,
            numbered=False,
            lessons=(),
            first=0,
            decoys=False,
        ).at_rate(rate)


def get_recipe(name):
    """Return the recipe called ``name``.

    Raises:
        ValueError: no recipe has that name; the message lists those that exist.
    """
    if name not in RECIPES:
        raise ValueError(f"recipe: unknown {name!r}; known: {', '.join(RECIPES)}")
    return RECIPES[name]
