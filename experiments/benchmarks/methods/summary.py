"""What sums the report up in docs/: goals, one table, a plot and a paragraph a benchmark."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.harness.drawing import draw_into, shown
from experiments.benchmarks.methods.claims import count, findings
from experiments.benchmarks.methods.figures import draw_plane
from experiments.benchmarks.methods.goals import REACHED, RECIPE, Goal, goals, span
from experiments.benchmarks.methods.protocols import SHIPPED, Protocol
from experiments.benchmarks.methods.recipes import FINETUNE, JOINT, METHODS
from experiments.benchmarks.methods.report import rows_of, title_of
from experiments.benchmarks.methods.results import Results, Row, common_mean

COMMANDS = """```sh
python -m experiments.benchmarks.methods --choose
python -m experiments.benchmarks.methods
```"""
LEGEND = """Recall@1 in percent, means over the seeds: *self*, the last version over its own gallery; *cross*,
mean over all pairs of a newer version's queries and an older version's gallery; *AC*, the share of pairs in
which the newer version beats the gallery's own, ties failing. The four upgrades share a column of means."""
UPGRADE = "omniglot-upgrade"


def render(
    results: Results, protocols: Sequence[Protocol], images: Path, page: Path, context: Mapping[str, Any]
) -> str:
    """The Markdown. Plots go to `images`; a benchmark without figures is left out."""
    measured = [protocol for protocol in protocols if rows_of(results, protocol.name)]
    lines = [COMMANDS, "", "## Where each goal stands", ""]
    lines += [*_goals(results, context.get("bench")), "", _claims(results), ""]
    lines += ["## Every method", "", LEGEND, "", *_table(results, measured), ""]
    for protocol in measured:
        if protocol.name.endswith(SHIPPED):
            continue
        lines += [f"## {protocol.title}", ""]
        picture = images / f"{protocol.name}-plane.svg"
        rows = rows_of(results, protocol.name)
        if draw_into(picture, partial(draw_plane, results, protocol.name, protocol.title, rows)):
            said = f"{protocol.title}: self-test over cross-test of every method"
            lines += [shown(picture, page, said), ""]
        lines += [" ".join(_paragraph(results, protocol, rows)), ""]
    return "\n".join(lines)


def _goals(results: Results, bench: Path | None) -> Iterator[str]:
    """A line a goal; of what is not reached the first condition that is not."""
    yield "| goal | verdict |"
    yield "|---|---|"
    for goal in goals(results, bench):
        yield f"| {goal.title} | {_verdict(goal)} |"


def _verdict(goal: Goal) -> str:
    if goal.verdict == REACHED:
        return REACHED
    first = next(one for one in goal.conditions if one.verdict == goal.verdict)
    return f"**{goal.verdict}**: {first.asked}" + (f"; {first.found}" if first.found else "")


def _claims(results: Results) -> str:
    verdicts = {verdict: number for verdict, number in count(findings(results)).items() if number}
    told = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())
    return f"Of the inequalities that the papers lead to expect, benchmark by benchmark: {told}."


def _table(results: Results, protocols: Sequence[Protocol]) -> Iterator[str]:
    """A line a method; the upgrades share a column."""
    groups: dict[str, list[str]] = {}
    for protocol in protocols:
        if not protocol.name.endswith(SHIPPED):
            upgrade = protocol.name.startswith(UPGRADE)
            groups.setdefault("upgrades" if upgrade else protocol.title, []).append(protocol.name)
    yield f"| self, cross, AC | {' | '.join(groups)} |"
    yield "|---" * (len(groups) + 1) + "|"
    for method in METHODS:
        cells = [_cell(results, names, (method.name, "")) for names in groups.values()]
        if any(cells):
            yield f"| {method.title} | {' | '.join(cells)} |"


def _cell(results: Results, benchmarks: Sequence[str], row: Row) -> str:
    """Means over the benchmarks that have the method."""
    told = []
    for key, digits in (("self_last", 1), ("cross", 1), ("ac", 2)):
        means = [common_mean(results.figures(benchmark, row, key)) for benchmark in benchmarks]
        found = [mean for mean in means if mean is not None]
        if found:
            told.append(f"{np.mean(found):.{digits}f}")
    return ", ".join(told)


def _paragraph(results: Results, protocol: Protocol, rows: Sequence[Row]) -> Iterator[str]:
    name = protocol.name
    if results.seeds(name, RECIPE):
        yield "The default recipe" + _recipe(results, name)
        if results.seeds(name + SHIPPED, RECIPE):
            yield "At full width, as it ships, it" + _recipe(results, name + SHIPPED)
    single = [row for row in rows if row[0] != JOINT]
    best = [
        f"{said} {_best(results, name, single, key)}"
        for key, said in (("self_last", "self-test:"), ("cross", "cross-test:"), ("mixed", "mixed gallery:"))
    ]
    yield f"The best of {len(single)} rows, adapters on top included, in the {'; '.join(best)}."


def _recipe(results: Results, benchmark: str) -> str:
    mixed = common_mean(results.figures(benchmark, RECIPE, "mixed"))
    own, cross = (_beside(results, benchmark, key) for key in ("self_last", "cross"))
    ac = list(results.figures(benchmark, RECIPE, "ac").values())
    return (
        f" finds {own} in its last version's own gallery, {cross} in older ones and {mixed:.1f} in one of "
        f"mixed entries; all pairs hold in {sum(value == 1 for value in ac)} of {len(ac)} seeds."
    )


def _beside(results: Results, benchmark: str, key: str) -> str:
    mean = common_mean(results.figures(benchmark, RECIPE, key))
    gap = results.difference(benchmark, RECIPE, key, (FINETUNE, ""), key)
    return f"{mean:.1f}" + (f" ({span(gap)} against fine-tuning)" if gap is not None else "")


def _best(results: Results, benchmark: str, rows: Sequence[Row], key: str) -> str:
    means = {row: common_mean(results.figures(benchmark, row, key)) for row in rows}
    found = {row: mean for row, mean in means.items() if mean is not None}
    best = max(found, key=lambda row: found[row])
    return f"{title_of(best)} ({found[best]:.1f})"
