"""The plot of mAP over the length of a code."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt

from experiments.benchmarks.codes.figures import DPQ, FLOATS, FOUND, OPQN, PARTS, Figures, on_floats
from experiments.benchmarks.harness.drawing import CONTROL, STRONG

COLORS = {
    "OPQN": STRONG,
    "OPQN, found points": "#d97706",
    "DPQ": "#7c3aed",
    "OPQ": "#2563eb",
    "PQ": "#0891b2",
    "scalar": "#65a30d",
}


def draw_lengths(figures: Figures, title: str, bits: Sequence[int]) -> Any:
    """mAP over the length of a code, seen classes beside unseen ones; None if there is nothing to draw."""
    rows = {
        "OPQN": OPQN,
        "OPQN, found points": FOUND,
        "DPQ": DPQ,
        "OPQ": on_floats("opq"),
        "PQ": on_floats("pq"),
        "scalar": on_floats("sq"),
    }
    figure, places = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    drawn = False
    for axes, (part, said) in zip(places, PARTS.items(), strict=True):
        for name, row in rows.items():
            points = [(length, figures.mean(row, length, part, "map")) for length in bits]
            points = [(length, mean) for length, mean in points if mean is not None]
            if points:
                width = 2.2 if name.startswith("OPQN") else 1.2
                axes.plot(*zip(*points, strict=True), "o-", color=COLORS[name], linewidth=width, label=name)
                drawn = True
        floats = figures.mean(FLOATS, bits[0], part, "map")
        if floats is not None:
            axes.axhline(floats, color=CONTROL, linestyle="--", linewidth=1, label="floats")
        axes.set(xlabel="bits of a code", xticks=list(bits), title=said)
    places[0].set_ylabel("mAP, %")
    places[1].legend(fontsize=7, frameon=False)
    figure.suptitle(f"{title}: PQ, OPQ and scalar on the network without codes", fontsize=9)
    if not drawn:
        plt.close(figure)
        return None
    return figure
