"""The section of docs/results.md on codes: means over the seeds, where each goal stands, and plots."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from comparison.kept import Cells
from drawing import draw_into

from coding.claims import chain_table, goals_table, span
from coding.figures import DPQ, FLOATS, OPQN, OWN_FLOATS, PARTS, Figures, Row, draw_lengths, on_floats
from coding.networks import Network
from coding.scoring import METRICS
from coding.sets import RetrievalSet

INTRODUCTION = """## Codes of every length

mAP over the ranking of all entries, precision@5 and Recall@1 in percent, means over the seeds. *Lead*: the
mAP of one less that of the other, with the 95 % interval over seeds and queries, both drawn in pairs. Queries
are never coded. RaBitQ keeps 64 bits more beside every code. Networks of half the width; the defaults of the
head were chosen on Omniglot's validation classes."""
POST_HOC = {"pq": "PQ", "opq": "OPQ", "sq": "scalar", "rabitq": "RaBitQ"}
ROWS: Mapping[str, Row] = {
    "**OPQN**": OPQN,
    "OPQN, shares as scores, as published": ("opqn-{bits}", "share-{bits}"),
    "DPQ": DPQ,
    **{f"{title}, network without codes": on_floats(coder) for coder, title in POST_HOC.items()},
    **{f"{title}, OPQN's network": ("opqn-{bits}", coder + "-{bits}") for coder, title in POST_HOC.items()},
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
    images: Path,
    page: Path,
) -> str:
    """The Markdown, from whatever cells are there. Plots go to `images`."""
    lines = [INTRODUCTION, "", f"```sh\n{command}\n```", ""]
    lines += [", ".join(f"{key} {value}" for key, value in machine.items() if value is not None) + ".", ""]
    for where in sets:
        figures = Figures(cells, where.name)
        seeds = figures.of(FLOATS, 0, "seen", "map")
        if not seeds:
            continue
        lines += [f"### {where.title}", ""]
        if not where.lengths:
            picture = images / f"codes-{where.name}.svg"
            if draw_into(picture, partial(draw_lengths, figures, where.title, bits)):
                link = Path(os.path.relpath(picture, page.parent)).as_posix()
                lines += [f"![{where.title}: mAP over the bits of a code]({link})", ""]
            lines += [*goals_table(figures, bits), "", *chain_table(figures, bits), ""]
        for part, said in PARTS.items():
            floats = " / ".join(f"{figures.mean(FLOATS, 0, part, metric):.1f}" for metric in METRICS)
            lines += [
                f"{where.title}, {said}: {' / '.join(METRICS.values())} by bits, {len(seeds)} seeds; "
                f"floats of the network without codes: {floats}.",
                "",
                *_by_length(figures, part, where.lengths or bits),
                "",
            ]
        variants = [network for network in networks if network.variant]
        if where.variants and any(figures.of(_own(one), 0, "seen", "map") for one in variants):
            lines += [*_variants(figures, variants), ""]
    return "\n".join(lines)


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
    """OPQN as it ships beside OPQN with one other setting."""
    yield f"| OPQN, {variants[0].bits} bits | seen: mAP | its lead | unseen: mAP | its lead | seeds |"
    yield "|---|---|---|---|---|---|"
    ships = tuple(each.format(bits=variants[0].bits) for each in OPQN)
    for title, row in (("as it ships", ships), *((one.title, _own(one)) for one in variants)):
        seeds = figures.of((row[0], row[1]), 0, "seen", "map")
        if not seeds:
            continue
        told = []
        for part in PARTS:
            mean = figures.mean((row[0], row[1]), 0, part, "map")
            lead = None if row == ships else figures.lead((row[0], row[1]), (ships[0], ships[1]), 0, part)
            told += [f"{mean:.1f}", span(lead)]
        yield f"| {title.removeprefix('OPQN, ')} | {' | '.join(told)} | {len(seeds)} |"


def _own(network: Network) -> Row:
    return network.name, f"own-{network.bits}"
