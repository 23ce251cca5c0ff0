"""How plots look here, and how they are written."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

STYLE = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "holdfast",  # the same figures give the same file
    "svg.fonttype": "none",
}
STRONG, CONTROL, OTHER = "#c2410c", "#6b7280", "#2563eb"


def draw_into(file: Path, draw: Callable[[], Any]) -> bool:
    """Write what `draw` draws as the format of the file's ending; False if it returns None."""
    with matplotlib.rc_context(STYLE):
        figure = draw()
        if figure is None:
            return False
        file.parent.mkdir(parents=True, exist_ok=True)
        metadata = {"Date": None} if file.suffix == ".svg" else {"Software": None}
        figure.savefig(file, dpi=80, bbox_inches="tight", metadata=metadata)
        plt.close(figure)
    return True


def shown(file: Path, page: Path, said: str) -> str:
    """The plot in the Markdown of `page`."""
    return f"![{said}]({Path(os.path.relpath(file, page.parent)).as_posix()})"
