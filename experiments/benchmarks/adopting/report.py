"""The upgrades of all seeds in one table, beside what was asked of them."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.benchmarks.adopting.upgrades import Upgrade

Verdict = Mapping[str, Any]
WAYS = (
    ("status quo", 0, "old self"),
    ("re-embed", 0, "new self"),
    ("adapter", 0, "adapter"),
    ("cascade", 10, "cascade 10"),
    ("cascade", 50, "cascade 50"),
    ("cascade", 200, "cascade 200"),
)


def render(found: Mapping[Upgrade, Sequence[Verdict]], seconds: float) -> str:
    """Markdown: means over the seeds with their range, then each seed against the status quo."""
    lines = [
        "| old to new | " + " | ".join(title for _, _, title in WAYS) + " | advice |",
        "|---|" + "---|" * (len(WAYS) + 1),
    ]
    lines += [_row(upgrade, verdicts) for upgrade, verdicts in found.items()]
    lines += [
        "",
        "Recall@1 in percent, means of the seeds of the sample, with the least and the greatest.",
        "",
        "| old to new | seed | cascade 50 against the status quo | re-embedding against it | advice |",
        "|---|---|---|---|---|",
    ]
    for upgrade, verdicts in found.items():
        for verdict in verdicts:
            gains = [_gain(verdict, way, count) for way, count in (("cascade", 50), ("re-embed", 0))]
            told = [_name(upgrade), str(verdict["seed"]), *gains, verdict["decision"]]
            lines.append("| " + " | ".join(told) + " |")
    lines += ["", f"A verdict takes {seconds:.0f} seconds in the median, embedding included."]
    return "\n".join(lines) + "\n"


def values(verdicts: Sequence[Verdict], way: str, candidates: int) -> list[float]:
    """Of a way, one a verdict that measured it."""
    return [
        each["value"]
        for verdict in verdicts
        for each in verdict["ways"]
        if (each["way"], each["candidates"]) == (way, candidates)
    ]


def _row(upgrade: Upgrade, verdicts: Sequence[Verdict]) -> str:
    cells = [_name(upgrade)]
    for way, candidates, _ in WAYS:
        measured = values(verdicts, way, candidates)
        cells.append(
            f"{statistics.mean(measured):.1f} ({min(measured):.1f}..{max(measured):.1f})" if measured else "-"
        )
    decisions = [verdict["decision"] for verdict in verdicts]
    cells.append(", ".join(f"{decisions.count(each)} {each}" for each in sorted(set(decisions))))
    return "| " + " | ".join(cells) + " |"


def _gain(verdict: Verdict, way: str, candidates: int) -> str:
    for each in verdict["ways"]:
        if (each["way"], each["candidates"]) == (way, candidates):
            return f"{each['difference']:+.1f} ({each['low']:+.1f} to {each['high']:+.1f})"
    return "-"


def _name(upgrade: Upgrade) -> str:
    return f"{upgrade.data}, {upgrade.old} to {upgrade.new}"
