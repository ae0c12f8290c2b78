"""`book` is a folder of the repository, not an installed package: let the tests import it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
