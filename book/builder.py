"""From a notebook's source to an executed notebook, one way, the same on every machine."""

import os
import tempfile

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError

from book import rules, source
from book.links import ROOT

# The kernel's surroundings: no chatter of TensorFlow's C++ side, no GPU, the same order of hashes and sums.
QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONHASHSEED": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


class BuildError(Exception):
    """A notebook that cannot be built; the message names the notebook and the cell."""


def execute(notebook, root=ROOT, timeout=180, **environment):
    """Run `notebook` in place from a fresh kernel of this Python, in the folder notebooks/.

    Args:
        timeout: seconds for each cell.
        environment: further environment variables of the kernel.

    Raises:
        BuildError: a cell raised, took too long or killed the kernel; the message begins with its id.
    """
    running = []
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=timeout,
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--log-level=ERROR"],
        on_cell_start=lambda cell, cell_index: running.append(cell.id),
    )
    with tempfile.TemporaryDirectory() as profile:  # the reader's own IPython settings stay out
        surroundings = {**os.environ, **QUIET, "IPYTHONDIR": profile, "HAMLIB_SOURCE": str(root), **environment}
        for unwanted in ("PYTHONWARNINGS", "MPLBACKEND"):
            surroundings.pop(unwanted, None)
        try:
            client.execute(cwd=str(root / "notebooks"), env=surroundings)
        except CellExecutionError as error:
            raise BuildError(f"{running[-1]}: {error.ename}: {error.evalue}") from error
        except (CellControlSignal, DeadKernelError) as error:  # a timeout is a CellControlSignal
            raise BuildError(f"{running[-1] if running else 'the kernel'}: {error}") from error
    for cell in source.code_cells(notebook):
        cell.outputs = merged(cell.outputs)


def merged(outputs):
    """Return `outputs` with neighbouring pieces of one stream joined: where they break is chance."""
    result = []
    for output in outputs:
        if result and output.output_type == "stream" and result[-1].get("name") == output.name:
            result[-1].text += output.text
        else:
            result.append(output)
    return result


def kept_outputs(notebook, root, path):
    """Give `notebook` the outputs of the one at `path` if its code is the same; return whether it was."""
    if not path.exists():
        return False
    old = nbformat.read(path, as_version=4)
    recorded = old.metadata.get("hamlib", {}).get("code_hash")
    if not source.code_hash(notebook) == source.code_hash(old) == recorded:
        return False
    if rules.order_problems(old) or rules.output_problems(old, root):
        return False
    for new, cell in zip(source.code_cells(notebook), source.code_cells(old), strict=True):
        new.update(outputs=cell.outputs, execution_count=cell.execution_count)
    return True


def build(wanted=(), root=ROOT, everything=False, report=print):
    """Bring the executed notebooks up to date.

    Args:
        wanted: names of notebooks to execute; when empty, those whose source has changed. Of these,
            one with the same code and other prose is rewritten around the outputs it has.
        everything: execute all notebooks.
        report: called with a line for each notebook.

    Returns:
        The names of the notebooks written.

    Raises:
        BuildError: no such notebook, a cell failed, or an output may not be published. The notebook
            on disk is then as it was before.
    """
    if unknown := set(wanted) - set(source.names(root)):
        raise BuildError(f"no notebook {', '.join(sorted(unknown))}; there are {', '.join(source.names(root))}")
    written = []
    for name in wanted or source.names(root):
        path, notebook = root / "notebooks" / f"{name}.ipynb", source.read(name, root)
        if wanted or everything or not kept_outputs(notebook, root, path):
            report(f"{name}: running {len(source.code_cells(notebook))} cells …")
            try:
                execute(notebook, root)
            except BuildError as error:
                raise BuildError(f"{name}: {error}") from error
            notebook.metadata = source.read(name, root).metadata  # without the version of this Python
        if problems := rules.output_problems(notebook, root):
            raise BuildError("\n".join(f"{name}: {problem}" for problem in problems))
        text = nbformat.writes(notebook) + "\n"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        temporary = path.with_name(f".{name}.ipynb.tmp")
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # on the disk before it has its name
        os.replace(temporary, path)
        written.append(name)
        report(f"{name}: written")
    return written
