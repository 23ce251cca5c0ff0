"""The figures of a report, or of a sweep, that a person looks for first."""

from collections.abc import Iterator
from typing import Any

from rich.markup import escape
from rich.table import Table

from holdfast.cli.printing.console import table
from holdfast.evaluation import standing_sentence


def summary(report: dict[str, Any]) -> Iterator[str | Table]:
    """A finished run: its matrix, its figures and its verdict."""
    places = range(len(report["versions"]))
    held = any(_cascade(report, i, j) for i in places for j in places)
    cascades = "; ⇊ better in a cascade of so many images" if held else ""
    yield (
        "Recall@1 in percent; a row is a query version, a column a gallery version; ✓ better than the older "
        f"of the two by itself, ✗ worse, ≈ within chance{cascades}:"
    )
    yield matrix_table(report)

    def shown(name: str, form: str) -> str:
        value = report.get(name)
        return "-" if value is None else format(value, form)

    mixed = report.get("mixed") or {}
    parts = [
        f"AC {shown('ac', '.2f')}",
        f"AM {shown('am', '.1f')}",
        f"forgetting {shown('forgetting', '.1f')} points",
    ]
    if mixed.get("recall_at_1"):
        parts.append(f"mixed gallery {mixed['recall_at_1'][-1]:.1f} %")
    parts.append(f"{shown('images_per_second', ',.0f')} images/s")
    yield "  ·  ".join(parts)
    validation = (report.get("validation") or [None])[-1]
    if validation is not None:
        yield standing_sentence(validation, report["versions"][-1])
    if report.get("verdict"):
        yield report["verdict"]


def matrix_table(report: dict[str, Any]) -> Table:
    """The compatibility matrix of a report: query versions down, gallery versions across."""
    versions = report["versions"]
    matrix = table("")
    for version in versions:
        matrix.add_column(version, justify="right")
    for i, version in enumerate(versions):
        cells = []
        for j, value in enumerate(report["recall_at_1"][i]):
            style, sign = _verdict_on(i == j, report["compatible"][i][j])
            cells.append("-" if value is None else f"[{style}]{value:.1f}{sign}[/]{_cascade(report, i, j)}")
        matrix.add_row(version, *cells)
    return matrix


def _cascade(report: dict[str, Any], i: int, j: int) -> str:
    """Of how many images the cascade is in which a pair holds by more than chance; "" for none."""
    found = report["cascades"][i][j] if report.get("cascades") else None
    return f" [green]⇊{found['candidates']}[/]" if found and found["compatible"] and found["decided"] else ""


def _verdict_on(own: bool, comparison: dict[str, Any] | None) -> tuple[str, str]:
    """Style and sign of a cell; without an interval, or with zero inside it, nothing is decided."""
    if own:
        return "bold", ""
    if comparison is None or not comparison["decided"]:
        return "yellow", " ≈"
    return ("green", " ✓") if comparison["compatible"] else ("red", " ✗")


def trials(outcome: dict[str, Any]) -> Iterator[str | Table]:
    """The trials of a sweep, best first, and what came of it."""
    shown = table()
    shown.title, shown.title_justify = "Trials, best first; validation images only", "left"
    for column in ("", "objective", "self", "cross", "tasks"):
        shown.add_column(column, justify="right")
    shown.add_column("values")
    measured = [row for row in outcome["trials"] if row["error"] is None]
    for row in measured[:10]:
        figures = [f"{row[name]:.2f}" for name in ("objective", "self", "cross")]
        shown.add_row("★" if row["pareto"] else "", *figures, str(row["tasks"]), _trial(row))
    failed = [row for row in outcome["trials"] if row["error"] is not None]
    for row in failed:
        shown.add_row("", *"---", str(row["tasks"]), f"{_trial(row)}\nfailed: {escape(row['error'])}")
    yield shown
    if failed:
        yield f"{len(failed)} of {len(outcome['trials'])} trials failed."
    start = outcome["start"]["objective"]
    reached = "the start failed" if start is None else f"from {start:.2f} at the start"
    yield (
        f"Highest on validation: {outcome['best']['objective']:.2f}, {reached}, one trial each without "
        f"an interval: a small difference is chance. ★ is on the Pareto front of self and cross. "
        f"Written: {outcome['file']}"
    )
    yield f"Report: {outcome['report']}"


def _trial(row: dict[str, Any]) -> str:
    from holdfast.tuning import named

    shown = (
        f"{key.split('.', 1)[-1]} {value:.4g}" if isinstance(value, float) else f"{key} {named(value)}"
        for key, value in row["values"].items()
    )
    return escape("\n".join(shown))
