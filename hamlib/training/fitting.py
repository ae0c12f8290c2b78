"""`compile`, a stream of fresh batches, the curriculum, and `train`."""

import contextlib
import shutil
import warnings
from pathlib import Path

import keras
import tensorflow as tf
from keras import ops

from hamlib.memory import DIGITAL, TreeMemory
from hamlib.models import (
    HAM,
    BestLeaf,
    EncoderDecoder,
    EveryLeaf,
    PolicyGradient,
    RawHAM,
    Reinforce,
    chance_of_best,
    load_weights,
    locked,
    write_whole,
)
from hamlib.proof import PROVABLE, begun, is_proved, random_starts
from hamlib.recipes import Recipe
from hamlib.tasks import Structure, get_task, stream_seed
from hamlib.tasks.base import MAX_SEED
from hamlib.training import workers
from hamlib.training.callbacks import Curriculum, FallingEntropy, FallingNoise, OnlyNumbers, Rounding
from hamlib.training.runs import (
    Checkpoints,
    failed_attempts,
    forget_epochs,
    open_run,
    read_run,
    seconds_set_aside,
    set_aside,
)

# How often a run is tried whose memory can be proved: what is learned first can be a way from which no step leads on,
# and a proof says so. Attempt k begins as a run of seed + 1000·k does.
ATTEMPTS = 5


def build(recipe):
    """Return an untrained model for a recipe, its weights drawn from Keras's global seed."""
    task = get_task(recipe.task)
    if recipe.memory is None:
        attention = recipe.model == "lstm+a"  # the widths give both more weights than any HAM here
        return EncoderDecoder(task.symbol_width, task.answer_width, 32 if attention else 64, attention)
    if isinstance(task, Structure):  # the operation asks
        widths = dict(symbol_width=task.answer_width, query_width=task.symbol_width)
        memory = TreeMemory(**recipe.memory | widths)
        return RawHAM(memory, output="leaf" if memory.config["write"] == "put" else "mlp")
    arguments = recipe.memory | ({} if task.writes else {"write": None})
    memory = TreeMemory(task.symbol_width, **arguments)
    if recipe.model == "raw":
        return RawHAM(memory, query_bits=task.query_width)
    return HAM(memory, task.answer_width, recipe.accesses, numbered=recipe.model == "ham+n")


def compile_model(model, recipe, jit_compile=True):
    """Give ``model`` the recipe's loss, its optimiser, and the judge as the metric ``wrong``.

    Args:
        model: a model for the recipe's task.
        recipe: a `Recipe`.
        jit_compile: whether XLA compiles the training step; False to look into it step by step. The
            noise of JOIN is drawn differently then: a run repeats itself, but not across this switch.
    """
    task = get_task(recipe.task)

    def wrong(targets, outputs):
        if recipe.tries and outputs.shape[2] != targets.shape[2]:  # every leaf was tried
            return chance_of_best(targets, outputs) < 0.5
        return task.wrong(targets, outputs[..., : targets.shape[2]])

    def loss(targets, outputs):  # what is not judged costs nothing
        judged = targets >= 0
        bit_loss = keras.losses.get(recipe.loss)
        return bit_loss(ops.where(judged, targets, 0.0), ops.where(judged, outputs, 0.0))

    if recipe.reinforced:
        loss = Reinforce(recipe.loss["discount"], recipe.loss["entropy"][0], recipe.loss["samples"])
    elif recipe.tries:
        loss = BestLeaf()
    first, last = recipe.learning_rate
    falling = keras.optimizers.schedules.ExponentialDecay(first, recipe.epochs * recipe.steps, last / first)
    model.compile(
        keras.optimizers.Adam(falling, global_clipnorm=recipe.clip),
        loss,
        metrics=[wrong],
        jit_compile=jit_compile,
    )
    model.optimizer.build(model.trainable_variables)


def stream(task, n, batch_size, seed, first_step=0, *lesson, samples=1, kinds=(), examples=None):
    """An endless ``tf.data`` stream of the batches ``first_step``, ``first_step + 1``, ... of a seed.

    Args:
        task: a `Task`.
        n, batch_size, seed, lesson, kinds: as in `Task.examples`.
        first_step: the step of the first batch.
        samples: how often each input of a batch stands in it, one after the other.
        examples: ``(inputs, targets)`` that the batches consist of, in turn; None for what the task draws.

    Returns:
        a ``tf.data.Dataset`` of ``(inputs, targets)``.
    """
    steps = tf.data.Dataset.range(first_step, tf.int64.max)

    def draw(step):
        if examples is None:
            batch = task.examples(n, batch_size, seed, step, *lesson, kinds=kinds)
        else:
            rows = (step * batch_size + tf.range(batch_size, dtype=tf.int64)) % len(examples[1])
            batch = tf.nest.map_structure(lambda value: tf.gather(value, rows), examples)
        return tf.nest.map_structure(lambda value: tf.repeat(value, samples, axis=0), batch)

    return steps.map(draw).prefetch(16)


def _most_together(steps):
    """How many of so many steps are made in one compiled loop (`ManySteps`): the most that divides them, up to 100."""
    return max(k for k in range(1, 101) if steps % k == 0)


def train(recipe, folder, seed=0, verbose="auto", jit_compile=True, callbacks=()):
    """Train a recipe in a folder, or go on with the run that is there.

    A digital memory that can be proved (`hamlib.proof`), and is not after all its epochs, is set aside, and another is
    trained, up to `ATTEMPTS` times in all.

    Under a ``TF_CONFIG`` of several workers all of them call it, and so do several GPUs of one machine: see `workers`.

    Args:
        recipe: a `Recipe`.
        folder: the run's home: ``run.json``, ``checkpoints``, ``best.weights.h5``, ``log.csv`` and
            TensorBoard's ``logs``; ``start``, the home of the run that this one starts from, or
            ``start.weights.h5``, a copy of the weights that it starts from; ``attempt1`` and so on, what was not
            proved.
        seed: of the first weights and of the examples.
        verbose: as in ``fit``.
        jit_compile: whether XLA compiles the training step.
        callbacks: more Keras callbacks.

    Returns:
        ``(model, checkpoints)``: the model with its best weights, and the run's `Checkpoints`.

    Raises:
        ValueError: the folder holds another run, or is in use; a bad seed; the run to start from has another model;
            the loss is no number any more; or, of several workers, ``TF_CONFIG`` is bad, one has another recipe or
            seed, or what the recipe asks for is not divided among them (REINFORCE).
        OSError: the folder cannot be written, or that of the run to start from is none.
        ConnectionError: a worker does not answer, or is lost.
    """
    stream_seed(seed, "train")  # a bad seed must leave no folder behind
    found, folder, chief = workers.cluster(), Path(folder), workers.is_chief()
    workers.check_shared(recipe, len(found[0]) if found else 1)
    with locked(folder / "run.json") if chief else contextlib.nullcontext(), workers.lost_workers():
        if chief:
            open_run(folder, recipe, seed)
        how = dict(verbose=verbose if chief else 0, jit_compile=jit_compile, callbacks=callbacks)
        if found or not _is_provable(recipe):
            return _train(recipe, folder, seed, **how)
        while True:
            failed = failed_attempts(folder)
            if (folder / f"attempt{len(failed) + 1}").exists():  # a kill came while it was set aside
                set_aside(folder)
                continue
            model, checkpoints = _train(recipe, folder, (seed + 1000 * len(failed)) % MAX_SEED, **how)
            if len(failed) + 1 == ATTEMPTS or is_proved(model, get_task(recipe.task)):
                return model, checkpoints
            set_aside(folder)
            if how["verbose"]:
                print(f"not proved after {int(checkpoints.epoch)} epochs: attempt {len(failed) + 2} of {ATTEMPTS}")


def _is_provable(recipe):
    return recipe.task in PROVABLE and (recipe.memory or {}).get("join") in DIGITAL


def _train(recipe, folder, seed, verbose, jit_compile, callbacks):
    task, chief, among = get_task(recipe.task), workers.is_chief(), workers.strategy(recipe)
    workers.check_shared(recipe, among.num_replicas_in_sync)
    versions = tf.__version__, keras.__version__
    workers.check_same(among, dict(recipe=recipe, seed=seed, jit_compile=jit_compile, TensorFlow=versions))
    before = source = None
    if isinstance(recipe.start, Recipe):
        source, before = train(recipe.start, folder / "start", seed, verbose, jit_compile)
    elif recipe.start and chief:
        source = _best_of(recipe, folder / "start.weights.h5")
    keras.utils.set_random_seed(seed)
    with among.scope():
        answering = build(recipe)
        if source:
            answering.set_weights(source.get_weights())
        model = PolicyGradient(answering) if recipe.reinforced else EveryLeaf(answering) if recipe.tries else answering
        compile_model(model, recipe, jit_compile)
    if among.num_replicas_in_sync > 1:
        workers.share(model, task.wrong, among, recipe.batch_size)
    curriculum = Curriculum(recipe.stages)
    checkpoints = Checkpoints(folder if chief else None, model, curriculum)
    checkpoints.seconds.assign(seconds_set_aside(folder))  # a run that goes on knows better
    if before:
        checkpoints.seconds.assign_add(before.seconds)
    if chief:
        forget_epochs(folder / "log.csv", checkpoints.restore())
    workers.from_chief(among, checkpoints.variables)

    def batches(purpose, n, *lesson, first_step=0):
        # Places are told in validation too: without them nothing is where it shall be found.
        kinds = [kind for kind in recipe.kinds if purpose == "train" or kind in ("placed", "reuse")]
        samples = recipe.loss["samples"] if purpose == "train" and recipe.reinforced else 1
        where = stream_seed(seed, purpose), first_step, recipe.lengths(n), *lesson
        shown = examples if purpose == "train" else None
        return stream(task, n, recipe.batch_size, *where, samples=samples, kinds=tuple(kinds), examples=shown)

    watching = [
        OnlyNumbers(),
        curriculum,
        *([FallingNoise(recipe.epochs)] if recipe.noise == "falls" else []),
        Rounding(recipe.epochs, recipe.noise),
        checkpoints,
        *([FallingEntropy(recipe.loss["entropy"], recipe.epochs)] if recipe.reinforced else []),
        *(_logs(folder) if chief else []),
        *callbacks,
    ]
    together, judged = map(_most_together, (recipe.steps, recipe.validation_steps))
    compiled = {}  # a new size is a new shape, for which the steps are compiled anew
    while (epoch := int(checkpoints.epoch)) < recipe.epochs:
        if recipe.tries and is_proved(answering, task):  # more training would spoil it
            break
        stage = curriculum.stage
        lesson, whole, examples = stage.lesson(epoch), ("whole", *stage.whole()), None
        if recipe.tries:
            longest, leaves = lesson[:2]
            starts = random_starts(task, leaves, longest, recipe.steps * recipe.batch_size, [seed, epoch])
            examples = begun(task, starts)
        model.train_function, model.test_function = compiled.get(lesson), compiled.get(whole)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Gradients do not exist")  # after the last symbol nothing is written
            model.fit(
                batches("train", *lesson, first_step=int(model.optimizer.iterations.numpy())).batch(together, True),
                epochs=epoch + 1 if stage.lessons or recipe.tries else recipe.epochs,
                initial_epoch=epoch,
                steps_per_epoch=recipe.steps // together,
                validation_data=batches("validation", *stage.whole()).batch(judged, True),
                validation_steps=recipe.validation_steps // judged,
                shuffle=False,
                verbose=verbose,
                callbacks=watching,
            )
        compiled[lesson], compiled[whole] = model.train_function, model.test_function
    if chief:
        load_weights(answering, checkpoints.best_weights)
    workers.from_chief(among, answering.variables)
    return answering, checkpoints


def _logs(folder):
    tensorboard = keras.callbacks.TensorBoard(folder / "logs", write_graph=False)
    return [keras.callbacks.CSVLogger(folder / "log.csv", append=True), tensorboard]


def _best_of(recipe, copy):
    """Return a model with the best weights of the run that a recipe starts from; ``copy`` is their file from now on."""
    other = read_run(recipe.start)
    differ = [name for name in ("task", "memory", "model", "accesses") if getattr(other, name) != getattr(recipe, name)]
    if differ:
        raise ValueError(f"start: the run in {recipe.start} has another {', '.join(differ)}; expected the same model")
    if not copy.exists():
        write_whole(copy, lambda path: shutil.copyfile(Path(recipe.start) / "best.weights.h5", path))
    model = build(recipe)
    load_weights(model, copy)
    return model
