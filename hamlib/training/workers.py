"""One run on several workers, or on several GPUs: each takes its share of a batch, and all make the same step.

Keras's own `fit` cannot do it: its step under a strategy is one XLA program, in which workers cannot speak; it clips a
gradient before it is summed; and it takes no batch that is a mapping. So `share` replaces the two steps that it calls.
"""

import contextlib
import functools
import hashlib
import json
import os
import socket
import time

import keras
import numpy as np
import tensorflow as tf

PATIENCE = 60  # seconds in which the others must answer
SUM = tf.distribute.ReduceOp.SUM
LOST = [f"{kind}Error" for kind in ("Unavailable", "Aborted", "Cancelled", "DeadlineExceeded", "Internal")]


def cluster():
    """Return the addresses of all workers, and which of them this process is, as ``TF_CONFIG`` says; None for one.

    Raises:
        ValueError: ``TF_CONFIG`` is no JSON, or does not say what it should.
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        return None
    try:
        config = json.loads(text)
        hosts, task = config["cluster"]["worker"], config["task"]
        addresses = tuple((host.rpartition(":")[0], int(host.rpartition(":")[2])) for host in hosts)
        index = int(task["index"])
        good = list(config["cluster"]) == [task["type"]] and 0 <= index < len(hosts) == len(set(addresses))
    except (ValueError, KeyError, TypeError, AttributeError):
        good = False
    if not good:
        form = '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'
        raise ValueError(f"TF_CONFIG: got {text!r}; expected {form}, where index says which of the hosts this one is")
    return (addresses, index) if len(addresses) > 1 else None


def is_chief():
    """Whether this process prints and writes: it is the first worker, or the only one."""
    found = cluster()
    return not found or found[1] == 0


def check_alone(what):
    """Raise a ValueError under a ``TF_CONFIG`` of several workers: ``what`` does not divide its batches."""
    if cluster():
        raise ValueError(f"TF_CONFIG: got several workers; expected none: {what}")


def check_shared(recipe, replicas):
    """Raise a ValueError if so many replicas cannot train a recipe together."""
    if replicas > 1 and (recipe.reinforced or recipe.tries):
        loss = "reinforce" if recipe.reinforced else recipe.loss
        raise ValueError(f"loss: got {loss!r} for {replicas} workers; expected one: its paths are tried in one place")
    if replicas > recipe.batch_size:
        raise ValueError(f"batch_size: got {recipe.batch_size} for {replicas} workers; expected an example for each")


def strategy(recipe):
    """Return the `tf.distribute.Strategy` that trains a recipe: of ``TF_CONFIG``, of several GPUs, or the default.

    A GPU's memory is taken as it is needed, not all at once. What tries paths has one GPU, however many there are.

    Raises:
        ValueError: a bad ``TF_CONFIG``, or TensorFlow has begun its work before there was a cluster.
        ConnectionError: a worker does not answer.
    """
    found, gpus = cluster(), tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        with contextlib.suppress(RuntimeError):  # it is at work already
            tf.config.experimental.set_memory_growth(gpu, True)
    if found:
        return _of_cluster(*found)
    return _of_gpus() if len(gpus) > 1 and not (recipe.reinforced or recipe.tries) else tf.distribute.get_strategy()


_of_gpus = functools.cache(tf.distribute.MirroredStrategy)


@functools.cache
def _of_cluster(addresses, index):
    _meet(addresses, index)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise ValueError("TF_CONFIG: expected in a process in which TensorFlow has done nothing yet") from error


def _meet(addresses, index):
    """Wait for all workers: each tells the first that it is there, which then tells each. TensorFlow waits for ever."""
    until = time.monotonic() + PATIENCE

    def left():
        return max(0.01, until - time.monotonic())

    def gone(workers):
        names = ", ".join("{0} ({1[0]}:{1[1]})".format(worker, addresses[worker]) for worker in sorted(workers))
        return ConnectionError(f"TF_CONFIG: no answer from worker {names} in {PATIENCE} seconds")

    if index:
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(addresses[0], left()) as chief:
                chief.sendall(index.to_bytes(2, "big"))
                if chief.recv(1):
                    return
            time.sleep(0.2)
        raise gone([0])
    with socket.create_server(("", addresses[0][1])) as server, contextlib.ExitStack() as held:
        there = {}
        while missing := set(range(1, len(addresses))) - set(there):
            server.settimeout(left())
            try:
                other = held.enter_context(server.accept()[0])
                other.settimeout(left())
                there[int.from_bytes(other.recv(2), "big")] = other
            except TimeoutError as error:
                raise gone(missing) from error
        for other in there.values():
            other.sendall(b"!")


@contextlib.contextmanager
def lost_workers():
    """Raise a ConnectionError where TensorFlow says, in one of many ways, that a worker is lost."""
    try:
        yield
    except tf.errors.OpError as error:
        if type(error).__name__ not in LOST or not cluster():
            raise
        raise ConnectionError(
            f"TF_CONFIG: a worker is lost ({type(error).__name__}); started again, all go on from the last epoch"
        ) from error


def _sum(among, vector):
    """Sum a vector, float64, over the workers: once for each, however many GPUs it has."""
    options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=PATIENCE)

    @tf.function(autograph=False)
    def run():
        def one(value):
            replica = tf.distribute.get_replica_context()
            first = replica.replica_id_in_sync_group % (among.num_replicas_in_sync // len(cluster()[0])) == 0
            return replica.all_reduce(SUM, tf.where(first, value, tf.zeros_like(value)), options)

        return among.experimental_local_results(among.run(one, (tf.constant(vector, tf.float64),)))[0]

    return run().numpy()


def check_same(among, values):
    """Check that all workers are here for the same.

    Args:
        among: as `strategy` returns it.
        values: ``{name: value}``, what must be equal; compared by hash.

    Raises:
        ValueError: a worker has another one; the message says which, and what.
    """
    if not (found := cluster()):
        return
    said = np.zeros((len(found[0]), len(values)))
    said[found[1]] = [int(hashlib.sha256(repr(value).encode()).hexdigest()[:12], 16) for value in values.values()]
    said = _sum(among, said)
    for worker, row in enumerate(said):
        if differ := [name for name, here, first in zip(values, row, said[0], strict=True) if here != first]:
            raise ValueError(f"TF_CONFIG: worker {worker} has another {', '.join(differ)} than worker 0")


def from_chief(among, variables):
    """Give variables the values that the first worker has; where there is one only, nothing is done."""
    if not cluster():
        return
    values = [np.asarray(variable, "float64") for variable in variables]  # of at most 53 bits, all of them
    vector = _sum(among, np.concatenate([np.ravel(value) for value in values]) * is_chief())
    parts = np.split(vector, np.cumsum([value.size for value in values])[:-1])
    for variable, value, part in zip(variables, values, parts, strict=True):
        variable.assign(tf.cast(part.reshape(value.shape), variable.dtype))


def share(model, wrong, among, batch_size):
    """Let the replicas of a strategy make each step of ``fit`` together, as one alone would, but for rounding.

    Each replica draws the noise of the whole batch, takes its part of both, and computes the gradient there, compiled.
    The sum of all goes to every replica, in one exchange with the loss and what is wrong; all then do the same.

    Args:
        model: compiled, built in the scope of ``among``; its batches are stacked, as `ManySteps` says.
        wrong: the judge, as in `Task`.
        among: a strategy.
        batch_size: of the whole batch.
    """
    replicas, weights, jit_compile = among.num_replicas_in_sync, model.trainable_variables, model.jit_compile
    sizes = [int(np.prod(weight.shape)) for weight in weights]
    means = {name: keras.metrics.Mean(name) for name in ("loss", "wrong")}
    model._distribute_strategy, model.jit_compile = None, False  # what `fit` calls is here, and compiles its parts
    model.optimizer._all_reduce_sum_gradients = list  # they are summed, before they are clipped

    def part(value):
        """Of a whole batch, what is this replica's."""
        replica, whole = tf.distribute.get_replica_context().replica_id_in_sync_group, value.shape[0]
        return value[whole * replica // replicas : whole * (replica + 1) // replicas]

    memory = getattr(model, "memory", None)
    if memory:
        draw = memory.sample_noise
        memory.sample_noise = lambda _, n: [part(noise) for noise in draw(batch_size, n)]

    def judge(inputs, targets, training):
        """The loss and the share of wrong sequences, as parts of the mean over the whole batch."""
        outputs = model(inputs, training=training)
        share = targets.shape[0] / batch_size
        rate = tf.reduce_mean(tf.cast(wrong(targets, outputs), tf.float32))
        return tf.reduce_mean(model.loss(targets, outputs)) * share, rate * share

    def compiled(function):
        return tf.function(function, jit_compile=jit_compile, autograph=False)

    @compiled
    def gradients(inputs, targets):
        with tf.GradientTape() as tape:
            loss, rate = judge(inputs, targets, True)
        found = tape.gradient(loss, [weight.value for weight in weights], unconnected_gradients="zero")
        return tf.concat([*(tf.reshape(gradient, [-1]) for gradient in found), [loss, rate]], axis=0)

    judged = compiled(lambda inputs, targets: tf.stack(judge(inputs, targets, False)))

    def summed(function, batch):
        vector = function(*tf.nest.map_structure(part, batch))
        return tf.distribute.get_replica_context().all_reduce(SUM, vector)

    def train(batch):
        *found, both = tf.split(summed(gradients, batch), [*sizes, 2])
        shaped = (tf.reshape(gradient, weight.shape) for gradient, weight in zip(found, weights, strict=True))
        model.optimizer.apply_gradients(list(zip(shaped, weights, strict=True)))
        return both

    def results():
        return {name: mean.result() for name, mean in means.items()}

    def each(step):
        def steps(data):
            count = data[1].shape[0]

            def body(k):
                both = among.run(step, (tf.nest.map_structure(lambda value: value[k], data),))
                for mean, value in zip(
                    means.values(), tf.unstack(among.experimental_local_results(both)[0]), strict=True
                ):
                    mean.update_state(value)
                return (k + 1,)

            tf.while_loop(lambda k: k < count, body, (tf.constant(0),), maximum_iterations=count, parallel_iterations=1)
            return results()

        return steps

    model.train_step, model.test_step = each(train), each(lambda batch: summed(judged, batch))
    model.get_metrics_result = results
    model.reset_metrics = lambda: [mean.reset_state() for mean in means.values()]
