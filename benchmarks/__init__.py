"""What measures speed. ``python -m benchmarks`` prints ratios taken within one run."""

import hamlib  # noqa: F401  before Keras, so that TensorFlow starts quietly
