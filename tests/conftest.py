"""Let the tests import `book`, which is not installed; one site for all tests; and the memory that they take."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

try:
    import resource
except ImportError:  # Windows
    resource = None

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site, built once, whatever the number of workers; ``seconds`` in it says how long it took."""
    from book import pages

    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "site"
    with FileLock(base / "site.lock"):
        if not (folder / "seconds").exists():
            start = time.monotonic()
            pages.build(folder)
            (folder / "seconds").write_text(str(time.monotonic() - start))
    return folder


WORKER = 5e9  # bytes that a worker may need


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """``-n auto``: one a core, but no more than memory allows."""
    return max(1, min(os.cpu_count(), int(psutil.virtual_memory().available / WORKER)))


def pytest_collection_modifyitems(items):
    """The chapters with the most slow cells first: at the end no worker shall wait for another."""
    items.sort(key=lambda item: -item.path.read_text("utf-8").count('"slow"') if item.path.suffix == ".ipynb" else 0)


PEAKS = {}  # of each worker: its own peak memory, and that of its largest child, such as a chapter's kernel, in MB


def peaks():
    if not resource:
        return None
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return [resource.getrusage(who).ru_maxrss / unit for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["peaks"] = peaks()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    PEAKS[node.gateway.id] = getattr(node, "workeroutput", {}).get("peaks")


def pytest_terminal_summary(terminalreporter, config):
    for name, found in sorted((PEAKS or {"this process": peaks()}).items()):
        if found:
            terminalreporter.write_line(
                f"memory, peak of {name}: {found[0]:,.0f} MB; of its largest child {found[1]:,.0f}"
            )
