"""Means over the seeds and where each goal stands: all of it, and what sums it up in docs/."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from experiments.benchmarks.codes.claims import chain_table, goals_table
from experiments.benchmarks.codes.figures import (
    DPQ,
    FLOATS,
    FOUND,
    OPQN,
    OWN_FLOATS,
    PARTS,
    Figures,
    Row,
    on_floats,
    on_own,
)
from experiments.benchmarks.codes.networks import Network
from experiments.benchmarks.codes.plots import draw_lengths
from experiments.benchmarks.codes.scoring import METRICS
from experiments.benchmarks.codes.sets import RetrievalSet
from experiments.benchmarks.harness.cells import Cells
from experiments.benchmarks.harness.drawing import draw_into, shown
from experiments.benchmarks.harness.section import origin
from experiments.benchmarks.methods.goals import span

INTRODUCTION = """## Codes of every length

mAP over the ranking of all entries, precision@5 and Recall@1 in percent, means over the seeds. *Lead*: the
mAP of one less that of the other, with the 95 % interval over seeds and queries, both drawn in pairs. Queries
are never coded. *Found points*: OPQN with `assignment: found`, on the network that knows of no codes. RaBitQ
keeps 64 bits more beside every code. Networks of half the width; the defaults of the head were chosen on
Omniglot's validation classes."""
REST = "Means of every coder, and the inequalities of the replication sheet: `--report` writes them."
POST_HOC = {"pq": "PQ", "opq": "OPQ", "sq": "scalar", "rabitq": "RaBitQ"}
ROWS: Mapping[str, Row] = {
    "**OPQN**": OPQN,
    "**OPQN, found points**": FOUND,
    "OPQ scored by distance, network without codes": ("found", "opq-distance-{bits}"),
    "OPQN, shares as scores, as published": ("opqn-{bits}", "share-{bits}"),
    "DPQ": DPQ,
    **{f"{title}, network without codes": on_floats(coder) for coder, title in POST_HOC.items()},
    **{f"{title}, OPQN's network": on_own(coder) for coder, title in POST_HOC.items()},
    "floats of OPQN's network": OWN_FLOATS,
    "floats of DPQ's network": ("dpq-{bits}", "float"),
}


def render(
    cells: Cells,
    sets: Sequence[RetrievalSet],
    networks: Sequence[Network],
    bits: Sequence[int],
    command: str,
    machine: Mapping[str, Any],
) -> str:
    """Every table, as Markdown, from whatever cells are there."""
    lines = [*_introduction(command), origin(machine), ""]
    for where, figures in _measured(cells, sets, bits):
        lines += [f"### {where.title}", ""]
        if not where.lengths:
            lines += [*goals_table(figures, bits), "", *chain_table(figures, bits), ""]
        seeds = figures.of(FLOATS, bits[0], "seen")
        for part, said in PARTS.items():
            floats = " / ".join(f"{figures.mean(FLOATS, bits[0], part, metric):.1f}" for metric in METRICS)
            lines += [
                f"{where.title}, {said}: {' / '.join(METRICS.values())} by bits, {len(seeds)} seeds; "
                f"floats of the network without codes: {floats}.",
                "",
                *_by_length(figures, part, where.lengths or bits),
                "",
            ]
        variants = [network for network in networks if network.variant]
        if where.variants and any(figures.of(_own(one), one.bits, "seen") for one in variants):
            lines += [*_variants(figures, variants), ""]
    return "\n".join(lines)


def summarize(
    cells: Cells,
    sets: Sequence[RetrievalSet],
    bits: Sequence[int],
    command: str,
    images: Path,
    page: Path,
) -> str:
    """A plot of each data set, and its goals. Plots go to `images`."""
    lines = [*_introduction(command), REST, ""]
    for where, figures in _measured(cells, sets, bits):
        picture = images / f"codes-{where.name}.svg"
        draw = partial(draw_lengths, figures, where.title, bits)
        if where.lengths or not draw_into(picture, draw):
            continue
        plot = shown(picture, page, f"{where.title}: mAP over the bits of a code")
        lines += [f"### {where.title}", "", plot, "", *goals_table(figures, bits), ""]
    return "\n".join(lines)


def _introduction(command: str) -> list[str]:
    return [INTRODUCTION, "", f"```sh\n{command}\n```", ""]


def _measured(
    cells: Cells, sets: Sequence[RetrievalSet], bits: Sequence[int]
) -> Iterator[tuple[RetrievalSet, Figures]]:
    for where in sets:
        figures = Figures(cells, where.name)
        if figures.of(FLOATS, bits[0], "seen"):
            yield where, figures


def _by_length(figures: Figures, part: str, bits: Sequence[int]) -> Iterator[str]:
    yield f"| coder | {' | '.join(map(str, bits))} |"
    yield "|---" * (len(bits) + 1) + "|"
    for title, row in ROWS.items():
        told = []
        for length in bits:
            means = [figures.mean(row, length, part, metric) for metric in METRICS]
            told.append(" / ".join(f"{mean:.1f}" for mean in means if mean is not None))
        if any(told):
            yield f"| {title} | {' | '.join(told)} |"


def _variants(figures: Figures, variants: Sequence[Network]) -> Iterator[str]:
    """OPQN as it ships beside OPQN with one other setting, all of one length."""
    bits = variants[0].bits
    yield f"| OPQN, {bits} bits | seen: mAP | its lead | unseen: mAP | its lead | seeds |"
    yield "|---|---|---|---|---|---|"
    for title, row in (("as it ships", OPQN), *((one.title, _own(one)) for one in variants)):
        seeds = figures.of(row, bits, "seen")
        if not seeds:
            continue
        told = []
        for part in PARTS:
            lead = None if row == OPQN else figures.lead(row, OPQN, bits, part)
            told += [f"{figures.mean(row, bits, part, 'map'):.1f}", span(lead) if lead else ""]
        yield f"| {title.removeprefix('OPQN, ')} | {' | '.join(told)} | {len(seeds)} |"


def _own(network: Network) -> Row:
    return network.name, f"own-{network.bits}"
