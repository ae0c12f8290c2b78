"""Training: `compile`, a stream of fresh batches, the curriculum, and runs that survive a kill.

A run is a folder. After each epoch its whole state (weights, optimiser, epoch, size, best error) is
checkpointed, and the weights with the lowest validation error are kept in ``best.weights.h5``. The
examples are a pure function of the step, so a run that was stopped goes on as if it never had been.
"""

from hamlib.training.fitting import build, compile_model, stream, train
from hamlib.training.runs import Epochs, failed_attempts, open_run, read_log, read_run
from hamlib.training.tuning import try_rates, tune
from hamlib.training.workers import check_alone, is_chief

__all__ = [
    "Epochs",
    "build",
    "check_alone",
    "compile_model",
    "failed_attempts",
    "is_chief",
    "open_run",
    "read_log",
    "read_run",
    "stream",
    "train",
    "try_rates",
    "tune",
]
