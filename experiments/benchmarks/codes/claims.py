"""What is wanted of the codes, and what the fifth paper leads to expect: held, violated or undecided."""

from collections.abc import Iterator, Sequence

from experiments.benchmarks.codes.figures import DPQ, OPQN, OWN_FLOATS, PARTS, Figures, Row, on_floats, on_own
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
CHAIN: Sequence[tuple[str, Row, Row]] = (
    ("OPQN above DPQ", OPQN, DPQ),
    ("DPQ above OPQ", DPQ, on_floats("opq")),
    ("OPQ at least PQ", on_floats("opq"), on_floats("pq")),
)
"""Row 11 of the replication sheet."""


def goals_table(figures: Figures, bits: Sequence[int]) -> Iterator[str]:
    """OPQN's lead at every length; on unseen classes it is wanted from the second length on."""
    yield f"| OPQN's lead in mAP | {' | '.join(map(str, bits))} | wanted |"
    yield "|---" * (len(bits) + 2) + "|"
    for part, said in PARTS.items():
        wanted = bits if part == "seen" else bits[1:]
        for name, row in BASELINES.items():
            leads = {length: figures.lead(OPQN, row, length, part) for length in bits}
            verdicts = [above(leads[length]) for length in wanted]
            if all(verdict == "not measured" for verdict in verdicts):
                continue
            told = " | ".join(span(lead) if lead else "" for lead in leads.values())
            where = f"above 0 at {wanted[0]} to {wanted[-1]}"
            yield f"| over {name}, {said} | {told} | {where}: {summary(verdicts)} |"
        longest = figures.lead(OPQN, OWN_FLOATS, bits[-1], part)
        if longest is not None:
            blank = " | " * (len(bits) - 1)
            reached = "reached" if longest.mean >= -NEAR_FLOATS else "NOT reached"
            yield (
                f"| over the floats of its network, {said} |{blank}| {span(longest)} "
                f"| at least -{NEAR_FLOATS:g}: {reached} |"
            )


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
