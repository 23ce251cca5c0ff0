"""The whole report of the benchmark: tables, claims, plots, what is missing."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks.harness.drawing import shown
from experiments.benchmarks.methods.claims import Finding, count, findings
from experiments.benchmarks.methods.figures import draw_all
from experiments.benchmarks.methods.goals import REACHED, SEEDS, Goal, goals, span
from experiments.benchmarks.methods.protocols import Protocol
from experiments.benchmarks.methods.recipes import FINETUNE, HOLDFAST, JOINT, METHODS, Method
from experiments.benchmarks.methods.results import Results, Row, common_mean
from experiments.benchmarks.methods.variants import VARIANTS
from holdfast.evaluation import Interval

INTRODUCTION = """# Every method on every benchmark

Recall@1 in percent, means over the seeds. *self*: the last version over its own gallery. *cross*: mean over
all pairs of a newer version's queries and an older version's gallery; *on first*: the last version's queries
over the first version's gallery. In brackets: the difference to fine-tuning with its 95 % interval, from a
paired bootstrap over seeds and queries. *AC*: the share of pairs in which the newer version beats the
gallery's own, ties failing; *AC = 1*: in how many seeds all pairs do. *mixed*: all versions wrote an equal
share of the entries, the last one asks. *forgetting*: points, closed set, on held-out images of earlier
tasks. *step*: the time of a step against fine-tuning's; cells ran side by side, so it is rough.

All methods of a benchmark share its images, tasks, network, epochs, batch and optimizer: on Omniglot's
streams those of the shipped experiment files, but for a network of half the width, so that all methods with
all seeds fit in some hours; the recipe alone has the files' terms, adapter and averaged weights. At full
width, which is what ships, the recipe stands beside fine-tuning.
The upgrades have a network of a quarter of the width, 4 epochs in batches of 128, and no orientations as
classes, which did harm there on held-out images of the classes that were learned.
Weights were chosen on validation classes, held out of the training images: five-task stream, full width, one
seed of its own, {trials} trials for each method over factors on the paper's weights, by
the mean of the last self-test and the mean cross-test. Methods marked * have their default weights.

Rows with a bar (|) have an adapter on top, fitted as a publication fits the recipe's: on the new task's
training images; the map of entries also on what the parent's maps rest on. It costs no training. Queries are
mapped into the older version's space, but for *entries mapped forward*; in mixed galleries their scores are
calibrated as the index calibrates them.
"""

GOALS = (
    "### Where each goal stands",
    "",
    f"A goal is reached when each of its conditions is, on all of {SEEDS} seeds. *Above*: the whole 95 % "
    "interval of the paired difference is; *at least*, *at most*: by the means. What was found: the recipe's "
    "figure, then the difference with its interval, in points. A single method is every row but the recipe, "
    "joint training, independent initialization and adapters on top of anything but plain fine-tuning.",
)


def render(
    results: Results, protocols: Sequence[Protocol], images: Path, page: Path, context: Mapping[str, Any]
) -> str:
    """The Markdown. Plots go to `images`; whatever was not measured is named, not shown."""
    lines = [INTRODUCTION.format(trials=context["trials"]), *_origin(results, context)]
    lines += [*GOALS, ""]
    lines += goals_table(goals(results, context.get("bench")), protocols)
    for protocol in protocols:
        rows = rows_of(results, protocol.name)
        if not rows and not results.methods(protocol.name):
            continue
        lines += [f"### {protocol.title}", "", *table(results, protocol, rows), ""]
        for name in draw_all(results, protocol.name, protocol.title, rows, images).values():
            said = f"{protocol.title}: {name.split('.')[0].rsplit('-', 1)[1]}"
            lines.append(shown(images / name, page, said))
        lines.append("")
    lines += claims_table(findings(results), protocols)
    lines += _missing(results, protocols, int(context["seeds"]))
    return "\n".join(lines)


def rows_of(results: Results, benchmark: str) -> list[Row]:
    """The measured rows, methods in their order and each one's variants after it."""
    order = [variant.name for variant in VARIANTS]
    rows: list[Row] = []
    for method in METHODS:
        variants = results.variants(benchmark, method.name)
        known = sorted(variants, key=lambda name: order.index(name) if name in order else -1)
        rows += [
            (method.name, name) for name in ["", *known] if results.seeds(benchmark, (method.name, name))
        ]
    return rows


def table(results: Results, protocol: Protocol, rows: Sequence[Row]) -> list[str]:
    """One benchmark: a line a row, and under it why methods have none."""
    benchmark, base = protocol.name, (FINETUNE, "")
    header = [
        "method",
        "seeds",
        "self",
        "cross",
        "on first",
        "AC",
        "AC = 1",
        "AM",
        "mixed",
        "forgetting",
        "step",
    ]
    header += ["coarse self"] if protocol.coarse else []
    lines = [_line(header), "|---|" + "---:|" * (len(header) - 1)]
    step = results.step_seconds(benchmark, FINETUNE)
    for row in rows:
        seeds = results.seeds(benchmark, row)
        ac = results.figures(benchmark, row, "ac")
        cells = [_title(results, benchmark, row), str(len(seeds))]
        for key in ("self_last", "cross", "last_on_first"):
            # An adapter leaves the last version's own gallery alone.
            same = row == base or (row[1] and key == "self_last")
            gap = None if same else results.difference(benchmark, row, key, base, key)
            cells.append(_figure(common_mean(results.figures(benchmark, row, key)), gap))
        cells += [
            _figure(common_mean(ac), digits=2),
            f"{sum(value == 1 for value in ac.values())}/{len(ac)}" if ac else "",
            _figure(common_mean(results.figures(benchmark, row, "am"))),
            _figure(common_mean(results.figures(benchmark, row, "mixed")) if row[0] != JOINT else None),
            _figure(common_mean(results.figures(benchmark, row, "forgetting"))),
        ]
        own = results.step_seconds(benchmark, row[0])
        cells.append(f"{own / step:.2f}" if own and step and not row[1] and row[0] != JOINT else "")
        if protocol.coarse:
            matrix = results.matrix(benchmark, row, "coarse_recall_at_1") if not row[1] else None
            cells.append("" if matrix is None else f"{matrix[-1, -1]:.1f}")
        lines.append(_line(cells))
    for method in METHODS:
        problem = results.problem(benchmark, method.name)
        if problem is not None:
            lines += ["", f"{method.title}: {' '.join(problem.split())}"]
    return lines


def goals_table(found: Sequence[Goal], protocols: Iterable[Protocol]) -> list[str]:
    """What was asked of the default recipe, and what came of it."""
    titles = {protocol.name: protocol.title for protocol in protocols}
    reached = sum(goal.verdict == REACHED for goal in found)
    lines = [
        f"{reached} of {len(found)} goals are reached.",
        "",
        _line(["goal", "asked for", "found", "verdict"]),
        "|---|---|---|---|",
    ]
    for goal in found:
        lines.append(_line([f"**{goal.title}**", "", "", f"**{goal.verdict}**"]))
        for one in goal.conditions:
            lines.append(_line([titles.get(one.benchmark, one.benchmark), one.asked, one.found, one.verdict]))
    return [*lines, ""]


def claims_table(found: Sequence[Finding], protocols: Iterable[Protocol]) -> list[str]:
    """What the papers lead to expect."""
    titles = {protocol.name: protocol.title for protocol in protocols}
    summary = ", ".join(f"{number} {verdict}" for verdict, number in count(found).items() if number)
    lines = [
        "### What the papers lead to expect",
        "",
        f"{summary}. The interval is that of the difference that should be positive, in points; "
        "near chance, or without a gap, means within one point. Not part of this "
        "benchmark: inequalities 10 (robust teachers) and 11 (quantization). That the column-stochastic "
        "refinement equals the mean (6) is a test, in `tests/platform/regularizers`.",
        "",
        _line(["no.", "claim", "strength", "benchmark", "difference", "verdict"]),
        "|---:|---|---|---|---|---|",
    ]
    for one in found:
        if one.verdict == "not measured":
            continue
        difference = "" if one.interval is None else span(one.interval)
        shown = one.verdict if one.verdict == "held" else f"**{one.verdict}**"
        title = titles.get(one.benchmark, one.benchmark)
        lines.append(_line([one.number, one.claim, one.strength, title, difference, shown]))
    return [*lines, ""]


def _origin(results: Results, context: Mapping[str, Any]) -> list[str]:
    records = [record for _, record in results.records() if "total_seconds" in record]
    seconds = sum(record["total_seconds"] for record in records)
    machine = context["machine"]
    return [
        f"{len(records)} cells, {seconds / 3600:.1f} hours of a core, {context['cores']} at a time, on "
        f"{machine['processor']} ({machine['cores']} cores), Python {machine['python']}, torch "
        f"{machine['torch']}. The experiment files are in `experiments`, beside this file.",
        "",
        "```sh",
        "python -m experiments.benchmarks.methods --choose",
        "python -m experiments.benchmarks.methods",
        "```",
        "",
    ]


def _missing(results: Results, protocols: Iterable[Protocol], seeds: int) -> list[str]:
    """The cells that are neither measured nor known to have no figures."""
    lines = []
    for protocol in protocols:
        absent = []
        for method in METHODS:
            if not method.applies_to(protocol) or results.problem(protocol.name, method.name):
                continue
            there = results.seeds(protocol.name, (method.name, ""))
            lacking = [str(seed) for seed in range(seeds) if seed not in there]
            if lacking:
                absent.append(
                    method.name if len(lacking) == seeds else f"{method.name} ({', '.join(lacking)})"
                )
        if absent:
            every = len(absent) == sum(method.applies_to(protocol) for method in METHODS)
            lines.append(f"- {protocol.title}: {'everything' if every else ', '.join(absent)}")
    if not lines:
        return []
    return ["### Not measured", "", "Methods, with the seeds that lack where some are there:", "", *lines, ""]


def title_of(row: Row) -> str:
    """A method by its title; what is on top of it behind a bar."""
    method = next(method for method in METHODS if method.name == row[0])
    if not row[1]:
        return method.title
    return f"{method.name} \\| {_variant_title(row[1])}"


def _variant_title(name: str) -> str:
    titles = {variant.name: variant.title for variant in VARIANTS}
    return titles.get(name, name.replace("-", " "))


def _title(results: Results, benchmark: str, row: Row) -> str:
    method = next(method for method in METHODS if method.name == row[0])
    if row[1]:
        return title_of(row)
    return (
        f"**{method.title}**" if method.name == HOLDFAST else method.title + _star(results, benchmark, method)
    )


def _star(results: Results, benchmark: str, method: Method) -> str:
    seeds = results.seeds(benchmark, (method.name, ""))
    chosen = all(results.record(benchmark, method.name, seed).get("chosen") for seed in seeds)
    return "" if chosen or not method.terms else " *"


def _figure(value: float | None, gap: Interval | None = None, digits: int = 1) -> str:
    if value is None:
        return ""
    return f"{value:.{digits}f}" + (f" ({span(gap, digits)})" if gap is not None else "")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
