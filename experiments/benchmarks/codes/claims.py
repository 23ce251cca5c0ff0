"""What is wanted of the codes, and what the fifth paper leads to expect: held, violated or undecided."""

from collections.abc import Iterator, Sequence

from experiments.benchmarks.codes.figures import (
    DPQ,
    FOUND,
    FOUND_FLOATS,
    OPQN,
    OWN_FLOATS,
    PARTS,
    Figures,
    Row,
    on_floats,
    on_own,
)
from experiments.benchmarks.methods.claims import above
from experiments.benchmarks.methods.goals import span

NEAR_FLOATS = 2.0
"""Points of mAP that the longest codes may lose to the floats of their own network."""
BASELINES: dict[str, Row] = {
    "PQ": on_floats("pq"),
    "OPQ": on_floats("opq"),
    "PQ on its own network": on_own("pq"),
    "OPQ on its own network": on_own("opq"),
    "DPQ": DPQ,
}
FOUND_BASELINES: dict[str, Row] = {
    "PQ": on_floats("pq"),
    "OPQ": on_floats("opq"),
    "OPQ scored by distance": ("found", "opq-distance-{bits}"),
    "DPQ": DPQ,
}
CHAIN: Sequence[tuple[str, Row, Row]] = (
    ("OPQN above DPQ", OPQN, DPQ),
    ("DPQ above OPQ", DPQ, on_floats("opq")),
    ("OPQ at least PQ", on_floats("opq"), on_floats("pq")),
)
"""Row 11 of the replication sheet."""


def goals_table(figures: Figures, bits: Sequence[int]) -> Iterator[str]:
    """OPQN's lead at every length. Of unseen classes it is wanted from the second length on, and of found
    points, which are for them."""
    yield f"| OPQN's lead in mAP | {' | '.join(map(str, bits))} | wanted |"
    yield "|---" * (len(bits) + 2) + "|"
    for part, said in PARTS.items():
        wanted = bits if part == "seen" else bits[1:]
        for name, row in BASELINES.items():
            yield from _lead(figures, OPQN, row, f"over {name}, {said}", part, bits, wanted)
        yield from _loss(figures, (OPQN, OWN_FLOATS), f"over the floats of its network, {said}", part, bits)
    for name, row in FOUND_BASELINES.items():
        told = f"found points, over {name}, unseen classes"
        yield from _lead(figures, FOUND, row, told, "unseen", bits, bits[1:])
    told = "found points, over the floats of their network, unseen classes"
    yield from _loss(figures, (FOUND, FOUND_FLOATS), told, "unseen", bits)


def _lead(
    figures: Figures, one: Row, other: Row, told: str, part: str, bits: Sequence[int], wanted: Sequence[int]
) -> Iterator[str]:
    leads = {length: figures.lead(one, other, length, part) for length in bits}
    verdicts = [above(leads[length]) for length in wanted]
    if all(verdict == "not measured" for verdict in verdicts):
        return
    spans = " | ".join(span(lead) if lead else "" for lead in leads.values())
    yield f"| {told} | {spans} | above 0 at {wanted[0]} to {wanted[-1]}: {summary(verdicts)} |"


def _loss(
    figures: Figures, rows: tuple[Row, Row], told: str, part: str, bits: Sequence[int]
) -> Iterator[str]:
    longest = figures.lead(*rows, bits[-1], part)
    if longest is not None:
        blank = " | " * (len(bits) - 1)
        reached = "reached" if longest.mean >= -NEAR_FLOATS else "NOT reached"
        yield f"| {told} |{blank}| {span(longest)} | at least -{NEAR_FLOATS:g}: {reached} |"


def chain_table(figures: Figures, bits: Sequence[int]) -> Iterator[str]:
    """Row 11, by parts."""
    yield f"| inequality | {' | '.join(map(str, bits))} |"
    yield "|---" * (len(bits) + 1) + "|"
    for part, said in PARTS.items():
        for name, one, other in CHAIN:
            leads = [figures.lead(one, other, length, part) for length in bits]
            told = " | ".join(f"{above(lead)}: {span(lead)}" if lead else "" for lead in leads)
            yield f"| {name}, {said} | {told} |"


def summary(verdicts: Sequence[str]) -> str:
    """Whether a lead is certain at every length, or at how many."""
    held, wanted = verdicts.count("held"), len(verdicts)
    if "not measured" in verdicts:
        return f"not measured at all of them, {held} of {wanted}"
    return "reached" if held == wanted else f"NOT reached, {held} of {wanted}"
