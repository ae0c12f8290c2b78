"""Steps a second of one run on 1, 2 and 4 workers of this machine, and the share of them that their exchange takes."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

import keras
import tensorflow as tf

from hamlib.recipes import RECIPES, grow
from hamlib.training import train


class Pace(keras.callbacks.Callback):
    """The fastest epoch after the first, in which steps are compiled; with or without the workers' exchange."""

    def __init__(self, silent):
        super().__init__()
        self.silent, self.seconds = silent, float("inf")

    def on_train_begin(self, logs=None):
        self.all_reduce = tf.distribute.ReplicaContext.all_reduce
        if self.silent:
            tf.distribute.ReplicaContext.all_reduce = lambda context, op, value, options=None: value

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_test_begin(self, logs=None):  # validation is not timed
        self.took = time.perf_counter() - self.started

    def on_epoch_end(self, epoch, logs=None):
        if epoch:
            self.seconds = min(self.seconds, self.took)

    def on_train_end(self, logs=None):
        tf.distribute.ReplicaContext.all_reduce = self.all_reduce


def measure(batch_size):
    """Print, as JSON, the seconds of a step with the exchange and without, as one of the workers of ``TF_CONFIG``."""
    steps = 100 if batch_size < 100 else 20
    few = dict(epochs=6, steps=steps, batch_size=batch_size, validation_steps=1)
    recipe = dataclasses.replace(RECIPES["smallest"], stages=grow(32), **few)
    found = []
    for silent in (False, True):
        pace = Pace(silent)
        with tempfile.TemporaryDirectory() as folder:
            train(recipe, folder, verbose=0, callbacks=[pace])
        found.append(pace.seconds / steps)
    print(json.dumps(found))


def workers(count, batch_size):
    """Return what `measure` prints in the first of so many processes."""
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        first = some.getsockname()[1]
    hosts = [f"127.0.0.1:{first + k}" for k in range(count)]
    code = f"from benchmarks.distribute import measure; measure({batch_size})"
    started = []
    for k in range(count):
        config = json.dumps({"cluster": {"worker": hosts}, "task": {"type": "worker", "index": k}})
        environment = os.environ | {"TF_CONFIG": config}
        started.append(subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment))
    return json.loads([process.communicate()[0] for process in started][0].splitlines()[-1])


def compare_workers():
    """Print a line for each number of workers and batch."""
    for batch_size in (50, 800):
        alone, _ = workers(1, batch_size)
        print(f"select the smallest, n = 32, batch {batch_size}, 1 worker : {1 / alone:6.1f} steps/s", flush=True)
        for count in (2, 4):
            step, silent = workers(count, batch_size)
            print(
                f"select the smallest, n = 32, batch {batch_size}, {count} workers: {1 / step:6.1f} steps/s,"
                f" {alone / step:4.2f}x one | exchange {1 - silent / step:4.0%} of a step",
                flush=True,
            )
