"""`book` is a folder of the repository, not an installed package: let the tests import it. One site for all tests."""

import fcntl
import os
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site, built once, whatever the number of workers; ``seconds`` in it says how long it took."""
    from book import pages

    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "site"
    with open(base / "site.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "seconds").exists():
            start = time.monotonic()
            pages.build(folder)
            (folder / "seconds").write_text(str(time.monotonic() - start))
    return folder
