"""Every method's Recall@1, and what a robust source is worth: all of it, and what sums it up in docs/."""

import dataclasses
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from experiments.benchmarks.harness.drawing import draw_into, shown
from experiments.benchmarks.harness.section import origin
from experiments.benchmarks.methods.claims import above
from experiments.benchmarks.methods.goals import span
from experiments.benchmarks.methods.results import difference
from experiments.benchmarks.transfer.curves import draw_curves
from experiments.benchmarks.transfer.hits import Hits, PerSeed, mean_of, ordered
from experiments.benchmarks.transfer.works import Work

INTRODUCTION = """## Imitation of standard and robust sources

A source, a network of half the shipped one's width, is learned from all training images: from clean ones
(*standard*), with attacked copies as well (*robust*, FGSM, L-infinity, epsilon in units of the pixel range),
or with noise of the same norm (*noise*). Small networks, less than a tenth of its parameters, then see a
share of the same images at half the size, as they are or as edges or local binary patterns, and learn
without transfer or imitate a source. Recall@1 in percent over the gallery of the source (*source's gallery*:
nothing is embedded again) and over one of their own, with the 95 % interval over seeds and queries;
differences are paired."""
GALLERIES = {"source": "source's gallery", "own": "own gallery"}
COLUMNS = {**GALLERIES, "source itself": "the source's queries over its gallery"}


COMMAND = "```sh\npython -m experiments.benchmarks.transfer\n```"


def render(hits: Hits, machine: Mapping[str, Any]) -> str:
    """Every table, as Markdown."""
    lines = [INTRODUCTION, "", COMMAND, "", origin(machine), ""]
    for protocol, ours in _by_protocol(hits):
        lines += [f"### {protocol.capitalize()}", ""]
        lines += ["A robust source less another (row 10 of the replication sheet):", ""]
        lines += [*_against(ours), "", *_everything(ours), ""]
    return "\n".join(lines)


def summarize(hits: Hits, images: Path, page: Path) -> str:
    """A plot of each benchmark, and what a robust source was worth in it. Plots go to `images`."""
    lines = [INTRODUCTION, "", COMMAND, ""]
    for protocol, ours in _by_protocol(hits):
        lines += [f"### {protocol.capitalize()}", ""]
        picture = images / f"transfer-{protocol}.svg"
        if draw_into(picture, partial(draw_curves, ours, protocol.capitalize())):
            said = f"{protocol}: Recall@1 over the share of images, and over epsilon"
            lines += [shown(picture, page, said), ""]
        lines += [*_verdicts(ours), ""]
    return "\n".join(lines)


def _by_protocol(hits: Hits) -> Iterator[tuple[str, Hits]]:
    for protocol in dict.fromkeys(work.protocol for work in hits):
        yield protocol, {work: each for work, each in hits.items() if work.protocol == protocol}


def _verdicts(hits: Hits) -> Iterator[str]:
    """How often a robust source was better than another, over all inputs, shares and epsilons."""
    yield "| a robust source against | gallery | better | undecided | worse | points, least to greatest |"
    yield "|---|---|---:|---:|---:|---|"
    pairs = list(_pairs(hits))
    for other in dict.fromkeys(name for _, name, _ in pairs):
        for gallery, said in GALLERIES.items():
            compared = [(hits[work][gallery], base[gallery]) for work, name, base in pairs if name == other]
            found = [gap for gap in (difference(*both) for both in compared) if gap is not None]
            verdicts = [above(gap) for gap in found]
            counts = " | ".join(str(verdicts.count(each)) for each in ("held", "undecided", "violated"))
            means = [gap.mean for gap in found]
            reach = f"{min(means):+.1f} to {max(means):+.1f}" if means else ""
            yield f"| {other} | {said} | {counts} | {reach} |"


def _pairs(hits: Hits) -> Iterator[tuple[Work, str, Mapping[str, PerSeed]]]:
    """A robust source's cell, and what it is compared with."""
    for work in ordered(hits):
        if work.method != "robust":
            continue
        for other, epsilon in (("standard", 0.0), ("noise", work.epsilon)):
            # The standard source knows no epsilon; it stands for all of them.
            baseline = hits.get(dataclasses.replace(work, method=other, epsilon=epsilon))
            if baseline is not None:
                yield work, other, baseline


def _against(hits: Hits) -> Iterator[str]:
    yield "| input | share | epsilon | less | source's gallery | own gallery |"
    yield "|---|---|---|---|---|---|"
    for work, other, baseline in _pairs(hits):
        found = [difference(hits[work][name], baseline[name]) for name in GALLERIES]
        told = " | ".join(f"{span(each) if each else ''}: {above(each)}" for each in found)
        yield f"| {work.input} | {work.share:g} | {work.epsilon:g} | {other} | {told} |"


def _everything(hits: Hits) -> Iterator[str]:
    yield f"| input | share | epsilon | method | seeds | {' | '.join(COLUMNS.values())} |"
    yield "|---|---|---|---|---|---|---|---|"
    for work in ordered(hits):
        means = [mean_of(hits[work].get(name)) for name in COLUMNS]
        told = [f"{each.mean:.1f} ({each.low:.1f} to {each.high:.1f})" if each else "" for each in means]
        place = [work.input, f"{work.share:g}", f"{work.epsilon:g}" if work.epsilon else "", work.method]
        yield f"| {' | '.join([*place, str(len(hits[work]['own'])), *told])} |"
