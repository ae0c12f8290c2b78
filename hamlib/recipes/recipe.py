"""A recipe: all that a training run depends on but its seed; and the stages of its curriculum."""

import ast
import dataclasses

from hamlib.memory import spell_out
from hamlib.proof import LAWS
from hamlib.tasks import get_task

MODELS = ("raw", "ham", "ham+n", "lstm", "lstm+a")
LOSSES = ("mean_squared_error", "binary_crossentropy")
BEST_LEAF = "best-leaf"
REINFORCE = dict(discount=0.9, entropy=(0.01, 0.0001), samples=1)  # what "reinforce" stands for
MIXED = "mixed"


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


def _is_power_of_two(value):
    return _is(int, 1)(value) and not value & (value - 1)


def _is_lesson(value):
    return _is_tuple_of(_is(int, 1), 3)(value) and all(map(_is_power_of_two, value[:2]))


def _check(values, checks):
    """Raise a ValueError that names the first of ``checks``, ``(fields, good, expected)``, that does not hold."""
    for fields, good, expected in checks:
        for name in fields.split():
            if not good(values[name]):
                raise ValueError(f"{name}: got {values[name]!r}; expected {expected}")


def _check_fields(what, cls, found):
    """Raise a ValueError unless ``found`` are the names of all fields of a dataclass."""
    known = [field.name for field in dataclasses.fields(cls)]
    for kind, names in ("missing", set(known) - set(found)), ("unknown", set(found) - set(known)):
        if names:
            raise ValueError(f"{what}: {kind} fields {', '.join(sorted(names))}; expected {', '.join(known)}")


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of the curriculum: what its epochs show a model, and until when (Sec. 3.3).

    Attributes:
        n: the longest input of validation, and the leaves of its tree.
        lessons: triples (leaves, longest input, output symbols asked), in turn from epoch to epoch, with half of the
            inputs at random leaves; of a data structure (leaves, operations, operations). Trees deeper than their
            input needs, and a few symbols of a long answer, show what depth looks like at little cost. Empty: inputs
            of validation's size at the front, and the whole answer.
        anywhere: whether the output symbols of a lesson are from anywhere in an answer; otherwise they are its first:
            where a step is much like the one before, later ones can be learned only once these are right.
        leaves: of validation's tree, and of training's without lessons, where they are not n: a data structure's tree
            gets full when there are fewer than operations. None: n.
        until: when the next stage begins: before the epoch of that number, an integer; or once the validation error
            (fraction of wrong sequences) is under that, a number below 1. It has no meaning in the last stage.
    """

    n: int = 8
    lessons: tuple = ()
    anywhere: bool = False
    leaves: int | None = None
    until: float = 0.1

    def __post_init__(self):
        checks = (
            ("n", _is_power_of_two, "a power of two"),
            ("leaves", lambda value: value is None or _is_power_of_two(value), "a power of two, or None"),
            ("anywhere", lambda value: isinstance(value, bool), "True or False"),
            (
                "until",
                lambda value: _is(int, 0)(value) or isinstance(value, float) and 0 <= value < 1,
                "an epoch, or an error",
            ),
            (
                "lessons",
                _is_tuple_of(_is_lesson),
                "triples (leaves, longest input, output symbols), the first two powers of two",
            ),
        )
        _check(vars(self), checks)

    def ends(self, epoch, error):
        """Whether it ends with an epoch that had this validation error."""
        return epoch + 1 >= self.until if isinstance(self.until, int) else error < self.until

    def whole(self):
        """The (longest input, leaves, answers, skip) of validation, as in `Task.examples`."""
        return self.n, self.leaves, None, False

    def lesson(self, epoch):
        """The same of training, in the epoch of that number."""
        if not self.lessons:
            return self.whole()
        leaves, longest, answers = self.lessons[epoch % len(self.lessons)]
        return longest, leaves, answers, self.anywhere


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that a training run depends on but its seed.

    Attributes:
        task: name of the task.
        memory: the memory: a preset's name, or `TreeMemory` arguments. Either is spelled out, and kept as the mapping
            of all arguments that it stands for, so that a preset that changes does not change a run that goes on.
            None where there is none.
        model: ``"raw"``, nobody asks the memory (`RawHAM`); ``"ham"``, an LSTM does (`HAM`), and ``"ham+n"``, whose
            accesses are numbered; ``"lstm"`` and ``"lstm+a"``, no memory (`EncoderDecoder`).
        accesses: η of a ``"ham"``.
        start: what this one begins with: the best weights, of the same seed, of another `Recipe`, which is trained
            first; or those of the run in that folder. None for weights that are drawn.
        loss: a Keras loss of the output bits: ``"mean_squared_error"`` on the read symbols (the 2016 code) or
            ``"binary_crossentropy"``. Or ``"reinforce"``, hard attention along sampled paths (Sec. 3.3), spelled out
            as a mapping: ``discount``, γ; ``entropy``, α in the first epoch and in the last, between which it falls
            exponentially; ``samples``, how many paths are sampled for each input of a batch. Or ``"best-leaf"``, of a
            stack or queue on a tree in which things are already: every leaf is tried (`EveryLeaf`).
        stages: the curriculum, `Stage` after `Stage`; the last lasts to the end.
        inputs: what training inputs are like beside random ones: `Task.kinds`, and ``"mixed"`` for lengths uniform on
            [1, k], k each of the stages' n, in validation too; otherwise every input fills its tree.
        noise: ``"falls"``, the memory's noise falls to zero over the first half of the run, and a digital memory is
            rounded in the second; or ``"stays"``, and it is rounded from the first step.
        learning_rate: Adam's, at the first and at the last step; it falls exponentially between.
        clip: the norm that gradients are clipped to, all together; None for no clipping.
        epochs, steps, batch_size: epochs of steps batches each (Sec. 4.1: 100 of 1,000 of 50).
        validation_steps: batches of fresh examples after each epoch (Sec. 4.1: 200).
    """

    task: str
    memory: dict | str | None
    model: str = "raw"
    accesses: int = 1
    start: object = None
    loss: str | dict = "mean_squared_error"
    stages: tuple = (Stage(),)
    inputs: tuple = ()
    noise: str = "falls"
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
        if self.loss == "reinforce":
            object.__setattr__(self, "loss", dict(REINFORCE))
        kinds = (MIXED, *task.kinds)
        checks = (
            ("model", MODELS.__contains__, ", ".join(MODELS)),
            ("start", lambda value: isinstance(value, (str, Recipe, type(None))), "a recipe, a run's folder, or None"),
            ("accesses epochs steps batch_size validation_steps", _is(int, 1), "an integer of at least 1"),
            ("stages", lambda value: value and _is_tuple_of(lambda a: isinstance(a, Stage))(value), "a stage or more"),
            ("inputs", _is_tuple_of(kinds.__contains__), f"some of {', '.join(kinds)}"),
            ("noise", ("falls", "stays").__contains__, "falls or stays"),
            ("clip", lambda value: value is None or _is(float, 0)(value), "a positive number or None"),
            ("learning_rate", _is_tuple_of(_is(float, 0), 2), "two positive numbers"),
        )
        _check(vars(self), checks)
        if (self.memory is None) != self.model.startswith("lstm"):
            raise ValueError(f"memory: got {self.memory!r} for the model {self.model!r}")
        if self.reinforced:
            self._check_reinforce(task)
        elif self.tries:
            if task.name not in LAWS or self.memory["join"] != "digits":
                raise ValueError(f"loss: got {self.loss!r}; it is for {', '.join(LAWS)} with join='digits'")
        elif self.loss not in LOSSES:
            raise ValueError(f"loss: got {self.loss!r}; expected reinforce, {BEST_LEAF}, {', '.join(LOSSES)}")

    def _check_reinforce(self, task):
        """Raise a ValueError for a bad argument of REINFORCE, or where it would leave out what the recipe says."""
        if set(self.loss) != set(REINFORCE):
            raise ValueError(f"loss: got {self.loss!r}; expected {', '.join(REINFORCE)}")
        checks = (
            ("discount", lambda value: value in (0, 1) or _is(float, 0)(value) and value < 1, "γ in [0, 1]"),
            (
                "entropy",
                lambda value: value == (0, 0) or _is_tuple_of(_is(float, 0), 2)(value),
                "two positive numbers, or 0, 0",
            ),
            ("samples", _is(int, 1), "an integer of at least 1"),
        )
        _check(self.loss, checks)
        if soft := set(self.inputs) & {"decoys", "placed"}:
            raise ValueError(f"inputs: got {', '.join(soft)}, for soft attention only, with 'reinforce'")
        if self.memory is None:
            raise ValueError("loss: got 'reinforce'; there are no paths to sample without a tree")
        noise = self.memory["noise"]
        without = ["embed", "search"] if task.writes else ["embed", "join", "search"]
        if any(noise[part] for part in without):
            raise ValueError(f"noise: got {noise}; with 'reinforce' and task {task.name}, none of {', '.join(without)}")

    @property
    def reinforced(self):
        """Whether it trains with REINFORCE."""
        return isinstance(self.loss, dict)

    @property
    def tries(self):
        """Whether it trains by trying every leaf."""
        return self.loss == BEST_LEAF

    @property
    def kinds(self):
        """The kinds of training inputs that its task knows."""
        return tuple(kind for kind in self.inputs if kind != MIXED)

    @classmethod
    def from_json(cls, fields):
        """Return the recipe of ``fields`` read from JSON, where a tuple is a list, and a stage a mapping.

        Raises:
            ValueError: a field is missing, or unknown; the message lists those.
        """
        _check_fields("recipe", cls, fields)
        values = {name: _tuples(value) for name, value in fields.items()}
        for stage in values["stages"]:
            _check_fields("stages", Stage, stage)
        stages = tuple(Stage(**{name: _tuples(value) for name, value in stage.items()}) for stage in values["stages"])
        if isinstance(values["loss"], dict):
            values["loss"] = {name: _tuples(value) for name, value in values["loss"].items()}
        start = cls.from_json(values["start"]) if isinstance(values["start"], dict) else values["start"]
        return cls(**values | dict(stages=stages, start=start))

    def at_rate(self, rate):
        """The same recipe with another first learning rate, which falls as far."""
        first, last = self.learning_rate
        last = float(f"{rate * last / first:.6g}")  # without a rounding error: the cards of runs are compared exactly
        return dataclasses.replace(self, learning_rate=(rate, last))

    def at_sizes(self, *sizes, until=0.1):
        """The same recipe with inputs of trees of these sizes, in turn; one is the 2016 code's naive curriculum."""
        return dataclasses.replace(self, stages=grow(*sizes, until=until))

    def with_fields(self, texts):
        """The same recipe with other fields, for instance ``["epochs=5", "memory=book"]``.

        Args:
            texts: ``"field=value"`` each; the value as Python writes it, or a word. ``stages`` are sizes: ``(8, 32)``.

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
        sizes = values.pop("stages", None)
        changed = dataclasses.replace(self, **values)
        return changed if sizes is None else changed.at_sizes(*(sizes if isinstance(sizes, tuple) else (sizes,)))

    def total_steps(self):
        """Training steps in all, with those of the recipe that this one starts from."""
        return self.epochs * self.steps + (self.start.total_steps() if isinstance(self.start, Recipe) else 0)

    def lengths(self, n):
        """The lengths of the inputs at a tree of n leaves, as `Task.examples` takes them."""
        if MIXED not in self.inputs:
            return None
        shortest = get_task(self.task).shortest
        return tuple((shortest, k) for k in sorted({*(stage.n for stage in self.stages), n}) if k <= n)


def grow(*sizes, until=0.1, full=False):
    """Stages of trees that grow (Sec. 3.3).

    Args:
        sizes: n of each, powers of two.
        until: as in `Stage`.
        full: whether n operations get a tree of n/2 leaves.
    """
    return tuple(Stage(n, leaves=n // 2 if full else None, until=until) for n in sizes)
