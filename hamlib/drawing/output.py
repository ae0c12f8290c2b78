"""Pictures in a notebook, with their words."""

import base64
import io

import matplotlib.pyplot as plt

from hamlib.drawing.player import Player


def show(figure, alt=None):
    """Show a Matplotlib ``figure`` in a notebook with ``alt``, what it shows in words, and close it.

    The words become the output's metadata, ``{"image/png": {"alt": alt}}``, and its plain text. They may
    be left out for the figures of this module. Of a `Player` two things are shown: itself, and a strip of its
    frames, which is left where scripts are stripped.
    """
    from IPython.display import display  # only a notebook needs it

    if isinstance(figure, Player):
        display({"text/html": figure.html, "text/plain": figure.alt}, raw=True)
        return show(figure.strip(), alt)
    alt = getattr(figure, "alt", None) if alt is None else alt
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt: got {alt!r}; expected words that say what the picture shows")
    data = {"image/png": base64.b64encode(png(figure)).decode(), "text/plain": alt}
    plt.close(figure)
    display(data, metadata={"image/png": {"alt": alt}}, raw=True)


def png(figure):
    """Return a Matplotlib Figure as the bytes of a PNG, opaque and white behind, 120 dots an inch."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120, facecolor="white", transparent=False, metadata={"Software": None})
    return file.getvalue()
