"""The section of docs/results.md on small encoders: every method's Recall@1, what a robust source is worth,
and curves."""

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from comparison.claims import above
from comparison.kept import Cells
from comparison.results import difference, two_way_interval
from drawing import CONTROL, OTHER, STRONG, draw_into

from holdfast.evaluation import Interval
from imitating.works import FINETUNE, NONE, SOURCES, Work

INTRODUCTION = """## Imitation of standard and robust sources

A source, the large network, is learned from all training images: from clean ones (*standard*), with attacked
copies as well (*robust*, FGSM, L-infinity, epsilon in units of the pixel range), or with noise of the same
norm (*noise*). Small networks, a tenth of its parameters, then see a share of the same images at half the
size, as they are or as edges or local binary patterns, and learn without transfer or imitate a source.
Recall@1 in percent over the gallery of the source (*source's gallery*: nothing is embedded again) and over
one of their own, with the 95 % interval over seeds and queries; differences are paired."""
GALLERIES = {"source": "source's gallery", "own": "own gallery"}
PerSeed = dict[int, np.ndarray]
Hits = Mapping[Work, Mapping[str, PerSeed]]
"""Work (of seed 0) -> gallery -> seed -> whether a query found its class."""
COLORS = {"robust": STRONG, "standard": OTHER, "noise": "#7c3aed", NONE: CONTROL, FINETUNE: "#65a30d"}


def read_hits(cells: Cells, works: Sequence[Work]) -> Hits:
    """Of the cells that are there."""
    hits: dict[Work, dict[str, PerSeed]] = {}
    for work in works:
        if cells.record(work.name) is not None:
            group = hits.setdefault(dataclasses.replace(work, seed=0), {})
            for name, each in cells.bits(work.name).items():
                group.setdefault(name, {})[work.seed] = 100.0 * each
    return hits


def render(hits: Hits, machine: Mapping[str, Any], images: Path, page: Path) -> str:
    """The Markdown. Plots go to `images`."""
    lines = [INTRODUCTION, "", "```sh\npython experiments/benchmarks/transfer.py\n```", ""]
    lines += [", ".join(f"{key} {value}" for key, value in machine.items() if value is not None) + ".", ""]
    for protocol in dict.fromkeys(work.protocol for work in hits):
        ours = {work: each for work, each in hits.items() if work.protocol == protocol}
        lines += [f"### {protocol.capitalize()}", ""]
        picture = images / f"transfer-{protocol}.svg"
        if draw_into(picture, partial(draw_curves, ours, protocol.capitalize())):
            link = Path(os.path.relpath(picture, page.parent)).as_posix()
            lines += [f"![{protocol}: Recall@1 over the share of images, and over epsilon]({link})", ""]
        lines += ["A robust source less another (row 10 of the replication sheet):", ""]
        lines += [*_against(ours), "", *_everything(ours), ""]
    return "\n".join(lines)


def _against(hits: Hits) -> Iterator[str]:
    yield "| input | share | epsilon | less | source's gallery | own gallery |"
    yield "|---|---|---|---|---|---|"
    for work in _ordered(hits):
        if work.method != "robust":
            continue
        for other, epsilon in (("standard", 0.0), ("noise", work.epsilon)):
            # The standard source knows no epsilon; it stands for all of them.
            baseline = hits.get(dataclasses.replace(work, method=other, epsilon=epsilon))
            if baseline is not None:
                found = [difference(hits[work][name], baseline[name]) for name in GALLERIES]
                told = " | ".join(f"{_span(each, '+.1f')}: {above(each)}" for each in found)
                yield f"| {work.input} | {work.share:g} | {work.epsilon:g} | {other} | {told} |"


def _everything(hits: Hits) -> Iterator[str]:
    yield f"| input | share | epsilon | method | seeds | {' | '.join(GALLERIES.values())} |"
    yield "|---|---|---|---|---|---|---|"
    for work in _ordered(hits):
        told = [_span(_mean(hits[work].get(name)), ".1f") for name in GALLERIES]
        place = [work.input, f"{work.share:g}", f"{work.epsilon:g}" if work.epsilon else "", work.method]
        yield f"| {' | '.join([*place, str(len(hits[work]['own'])), *told])} |"


def draw_curves(hits: Hits, title: str) -> Any:
    """Recall@1 over the share of images, in both galleries, and over epsilon at the smallest share."""
    input = next((work.input for work in _ordered(hits) if work.method in SOURCES), None)
    if input is None:
        return None
    figure, (theirs, own, attacked) = plt.subplots(1, 3, figsize=(11, 3.2))
    smallest = min(work.epsilon for work in hits if work.epsilon)
    for method in (*SOURCES, NONE, FINETUNE):
        of = [w for w in hits if w.method == method and w.input in (input, "the same")]
        by_share = [w for w in of if w.epsilon in (0, smallest)]
        for axes, gallery in ((theirs, "source"), (own, "own")):
            _plot(axes, hits, by_share, gallery, "share", method)
        if method in ("noise", "robust"):
            share = min((w.share for w in of), default=None)
            _plot(attacked, hits, [w for w in of if w.share == share], "source", "epsilon", method)
    theirs.set(xlabel="share of the images", ylabel="Recall@1, %", title="over the source's gallery")
    own.set(xlabel="share of the images", title="over a gallery of its own")
    attacked.set(xlabel="epsilon", title="over the source's gallery, fewest images")
    own.legend(fontsize=7, frameon=False)
    figure.suptitle(f"{title}, {input}; fine-tuning has the source's network and input", fontsize=9, y=1.02)
    return figure


def _plot(axes: Any, hits: Hits, works: Sequence[Work], gallery: str, over: str, label: str) -> None:
    points = []
    for work in sorted(works, key=lambda work: getattr(work, over)):
        found = _mean(hits[work].get(gallery))
        if found is not None:
            points.append((getattr(work, over), found.mean, found.low, found.high))
    if points:
        x, mean, low, high = zip(*points, strict=True)
        axes.plot(x, mean, "o-", color=COLORS[label], label=label, markersize=4)
        axes.fill_between(x, low, high, color=COLORS[label], alpha=0.15, linewidth=0)


def _ordered(hits: Hits) -> list[Work]:
    """Images as they are first, then what is made of them."""
    inputs = list(dict.fromkeys(work.input for work in hits))
    return sorted(hits, key=lambda w: (inputs.index(w.input), w.share, w.epsilon, w.method))


def _mean(seeds: PerSeed | None) -> Interval | None:
    return two_way_interval(list(seeds.values())) if seeds else None


def _span(found: Interval | None, form: str) -> str:
    return "" if found is None else f"{found.mean:{form}} ({found.low:{form}} to {found.high:{form}})"
