"""The report: every row's figures, what was chosen, and the table of inequalities."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.benchmarks.harness.cells import Cells
from experiments.benchmarks.harness.section import origin
from experiments.benchmarks.papers.choosing import Chosen
from experiments.benchmarks.papers.claims import NOT_MEASURED, Finding, claims, judge, outcomes
from experiments.benchmarks.papers.protocols import PaperProtocol
from experiments.benchmarks.papers.robust import RobustProtocol

COLUMNS = {
    "old": "old classes", "first": "first task's", "new": "new classes", "forgotten": "forgotten",
    "old_self": "old self-test", "cross": "cross-test", "self": "self-test", "source": "source itself",
}  # fmt: skip
VERDICTS = ("held", "violated", "undecided", NOT_MEASURED)

Protocols = Mapping[str, PaperProtocol | RobustProtocol]


def render(cells: Cells, protocols: Protocols, chosen: Chosen, machine: Mapping[str, Any]) -> str:
    """All tables, as Markdown."""
    findings = [judge(cells, claim) for claim in claims(protocols)]
    parts = [
        "Recall@1 in percent, means over the seeds; `python -m experiments.benchmarks.papers`, "
        f"{hours(cells):.1f} hours of a core in cells. {origin(machine)}",
        inequalities(findings),
        *(figures(cells, protocol) for protocol in protocols.values()),
        choices(chosen),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def inequalities(findings: Sequence[Finding]) -> str:
    """The claims with what was found, and how many have which verdict."""
    lines = ["## What the papers claim", ""]
    counts = {verdict: sum(each.verdict == verdict for each in findings) for verdict in VERDICTS}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    lonely = sum(each.seeds == 1 for each in findings)
    alone = f" Of {lonely} there is one seed: their intervals are over queries alone." if lonely else ""
    lines += [f"{told}.{alone}", ""]
    lines += [
        "| paper | claim | benchmark | difference, points | seeds | verdict |",
        "|---|---|---|---:|---:|---|",
    ]
    for finding in findings:
        claim, interval = finding.claim, finding.interval
        if interval is None:
            continue
        shown = f"{interval.mean:+.1f} ({interval.low:+.1f} to {interval.high:+.1f})"
        cells = [claim.paper, claim.text, claim.benchmark, shown, str(finding.seeds), finding.verdict]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def figures(cells: Cells, protocol: PaperProtocol | RobustProtocol) -> str:
    """The rows of one benchmark; empty where nothing was measured."""
    rows = {}
    for method in protocol.rows:
        found = {key: outcomes(cells, protocol.name, (method.name, key)) for key in COLUMNS}
        if any(found.values()):
            rows[method.title] = found
    shown = [key for key in COLUMNS if any(row[key] for row in rows.values())]
    if not rows:
        return ""
    lines = [f"## {protocol.title}", "", f"| row | seeds | {' | '.join(COLUMNS[key] for key in shown)} |"]
    lines.append("|---|---:|" + "---:|" * len(shown))
    for title, row in rows.items():
        means = [
            f"{np.mean([each.mean() for each in row[key].values()]):.1f}" if row[key] else "" for key in shown
        ]
        lines.append(f"| {title} | {max(len(each) for each in row.values())} | {' | '.join(means)} |")
    return "\n".join(lines)


def choices(chosen: Chosen) -> str:
    """The weights that were chosen, and the scores of all that were tried."""
    if not chosen:
        return ""
    lines = [
        "## Weights, chosen on training images",
        "",
        "| benchmark | row | chosen | scores of all trials |",
    ]
    lines.append("|---|---|---|---|")
    for benchmark, rows in chosen.items():
        for name, found in rows.items():
            weights = ", ".join(f"{term['kind']} {term['weight']:g}" for term in found["terms"])
            scores = ", ".join("diverged" if each is None else f"{each:.1f}" for each in found["scores"])
            lines.append(f"| {benchmark} | {name} | {weights} | {scores} |")
    return "\n".join(lines)


def hours(cells: Cells) -> float:
    """Of one core, over all cells, choices included."""
    records = (cells.record(name) for name in cells.names())
    return sum(record.get("total_seconds", 0.0) for record in records if record is not None) / 3600
