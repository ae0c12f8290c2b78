"""hamlib: Hierarchical Attentive Memory (arXiv 1602.03218), the code behind the tutorial book.

memory -> models, tasks -> recipes -> training, evaluation, pretrained -> the command line; `drawing` knows
arrays only. Import what you need from the module that has it, for instance
``from hamlib.memory import TreeMemory``. Here is only `check`, for the book's exercises.
"""

import contextlib as _contextlib
import os as _os
import sys as _sys


@_contextlib.contextmanager
def _stderr_closed():
    """Send what is written to descriptor 2, where there is one, nowhere."""
    if _sys.stderr is not None:
        _sys.stderr.flush()
    try:
        stderr = _os.dup(2)
    except OSError:  # it is closed already
        yield
        return
    nowhere = _os.open(_os.devnull, _os.O_WRONLY)
    _os.dup2(nowhere, 2)
    try:
        yield
    finally:
        _os.dup2(stderr, 2)
        _os.close(stderr)
        _os.close(nowhere)


def _import_tensorflow_quietly():
    """Import TensorFlow and Keras without the lines that the C++ side prints before logging is set up.

    They name neither an error nor anything a reader can act on, and would stand in every notebook. What the
    environment already says about TensorFlow is left as it is.

    Raises:
        ImportError: Keras is set to another backend.
    """
    _os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # The same sums in the same order on every CPU, whatever its number of cores. The products here are too
    # small for a second thread to save time; training spends the second core on drawing the next examples.
    _os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    _os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    wanted = _os.environ.get("KERAS_BACKEND", "tensorflow")
    if wanted != "tensorflow":
        raise ImportError(f"KERAS_BACKEND: got {wanted!r}; expected 'tensorflow', whose loops hamlib compiles")
    try:
        with _stderr_closed():
            import tensorflow

            tensorflow.config.list_physical_devices()  # where a CPU build says that it has found no GPU driver
            # A GPU's TF32 keeps 10 bits of 23: too few for what a proof says of float32.
            tensorflow.config.experimental.enable_tensor_float_32_execution(False)
            import keras

        found = keras.backend.backend()
    except (ImportError, ValueError) as error:
        found = str(error)
    if found != "tensorflow":
        raise ImportError(f"keras.json: got the backend {found!r}; expected 'tensorflow', or KERAS_BACKEND=tensorflow")
    # One model is called at many n, each traced once: by design, so TensorFlow need not warn of it.
    tensorflow.get_logger().addFilter(lambda record: "tf.function retracing" not in record.getMessage())


_import_tensorflow_quietly()


@_contextlib.contextmanager
def check(exercise):
    """Run the assertions of an exercise and say whether it is solved; a notebook goes on either way.

    Args:
        exercise: its number, for instance ``"2.1"``.

    Example::

        with check("2.1"):
            assert parent(5) == 2, "the children of i are 2i and 2i + 1: which i has the child 5?"
    """
    try:
        yield
    except NotImplementedError as error:
        if str(error):  # not a stub's, but TensorFlow's
            print(f"✗ Exercise {exercise}: not yet. NotImplementedError: {error}")
            return
        print(f"✗ Exercise {exercise}: nothing here yet. Replace the stub above and run both cells.")
    except Exception as error:
        print(f"✗ Exercise {exercise}: not yet. {type(error).__name__}: {error}")
    else:
        print(f"✓ Exercise {exercise}: solved.")
