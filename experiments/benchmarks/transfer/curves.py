"""The plot of Recall@1 over the share of images and over epsilon."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt

from experiments.benchmarks.harness.drawing import CONTROL, OTHER, STRONG
from experiments.benchmarks.transfer.hits import Hits, mean_of, ordered
from experiments.benchmarks.transfer.works import NONE, SOURCES, Work

COLORS = {"robust": STRONG, "standard": OTHER, "noise": "#7c3aed", NONE: CONTROL}


def draw_curves(hits: Hits, title: str) -> Any:
    """Recall@1 over the share of images, in both galleries, and over epsilon at the smallest share.

    Without fine-tuning, which has a larger network and more pixels, and would flatten what is compared.
    """
    input = next((work.input for work in ordered(hits) if work.method in SOURCES), None)
    if input is None:
        return None
    figure, (theirs, own, attacked) = plt.subplots(1, 3, figsize=(11, 3.2))
    smallest = min((work.epsilon for work in hits if work.epsilon), default=0.0)
    for method in (*SOURCES, NONE):
        of = [w for w in hits if w.method == method and w.input == input]
        by_share = [w for w in of if w.epsilon in (0, smallest)]
        for axes, gallery in ((theirs, "source"), (own, "own")):
            _plot(axes, hits, by_share, gallery, "share", method)
        share = min((w.share for w in of), default=None)
        _plot(attacked, hits, [w for w in of if w.share == share], "source", "epsilon", method)
    shares = sorted({work.share for work in hits})
    for axes in (theirs, own):
        axes.set_xscale("log")
        axes.set_xticks(shares, [f"{share:.0%}" for share in shares])
        axes.minorticks_off()
        axes.set_xlabel("share of the images")
    theirs.set(ylabel="Recall@1, %", title="over the source's gallery")
    own.set(title="over a gallery of its own")
    attacked.set(xlabel="epsilon", title="over the source's gallery, fewest images")
    own.legend(fontsize=7, frameon=False)
    figure.suptitle(f"{title}, {input}; over the shares with epsilon {smallest:g}", fontsize=9, y=1.02)
    return figure


def _plot(axes: Any, hits: Hits, works: Sequence[Work], gallery: str, over: str, label: str) -> None:
    points = []
    for work in sorted(works, key=lambda work: getattr(work, over)):
        found = mean_of(hits[work].get(gallery))
        if found is not None:
            points.append((getattr(work, over), found.mean, found.low, found.high))
    if points:
        x, mean, low, high = zip(*points, strict=True)
        axes.plot(x, mean, "o-", color=COLORS[label], label=label, markersize=4)
        axes.fill_between(x, low, high, color=COLORS[label], alpha=0.15, linewidth=0)
