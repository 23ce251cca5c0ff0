"""What a person sees in the terminal: progress, tables, one-line errors."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table

if TYPE_CHECKING:
    from holdfast.learning import Progress

Matrix = Sequence[Sequence[float | None]]


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=1, default=str) + "\n")


class ProgressView:
    """Shows a running sequence: bars on a terminal, one line an epoch elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Bars(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._bar: TaskID | None = None
        self._place: tuple[Any, ...] = ()

    def __enter__(self) -> "ProgressView":
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def __call__(self, progress: "Progress") -> None:
        if self._console.is_terminal:
            self._draw(progress)
        else:
            self._print(progress)

    def _draw(self, progress: "Progress") -> None:
        if self._bar is None:
            self._bar = self._bars.add_task("", note="")
        self._bars.update(
            self._bar,
            description=_title(progress),
            completed=progress.step,
            total=progress.steps or None,
            note=_note(progress),
        )

    def _print(self, progress: "Progress") -> None:
        place = (progress.phase, progress.task, progress.epoch if progress.phase == "learning" else 0)
        if place != self._place:
            self._place = place
            self._console.print(
                f"{_title(progress)}  {_note(progress)}".rstrip(), highlight=False, soft_wrap=True
            )


class ImportView:
    """Shows how far an import is: a bar for each of its phases on a terminal, nothing elsewhere."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bar: dict[str, TaskID] = {}

    def __enter__(self) -> "ImportView":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, phase: str, done: int, count: int) -> None:
        if phase not in self._bar:
            self._bar[phase] = self._bars.add_task(phase, total=count)
        self._bars.update(self._bar[phase], completed=done)


def _title(progress: "Progress") -> str:
    if not progress.tasks:
        return progress.phase
    where = f"task {progress.task + 1}/{progress.tasks}"
    if progress.phase == "learning":
        return f"{where} {_short(progress.name)}  epoch {progress.epoch + 1}/{progress.epochs}"
    return f"{where} {_short(progress.name)}  {progress.phase}"


def _short(name: str) -> str:
    return name if len(name) <= 28 else name[:27] + "…"


def _note(progress: "Progress") -> str:
    if progress.phase != "learning":
        return ""
    terms = "  ".join(f"{name} {value:.3f}" for name, value in progress.terms.items())
    left = f"  {_clock(progress.seconds_left)} left" if progress.seconds_left is not None else ""
    return f"{terms}  {progress.images_per_second:,.0f} images/s{left}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def matrix_table(report: dict[str, Any]) -> Table:
    """The compatibility matrix of a report: query versions down, gallery versions across."""
    versions = report["versions"]
    table = Table("", box=SIMPLE_HEAD)
    for version in versions:
        table.add_column(version, justify="right")
    for i, version in enumerate(versions):
        cells = []
        for j, value in enumerate(report["recall_at_1"][i]):
            style, sign = _verdict_on(i == j, report["compatible"][i][j])
            cells.append("-" if value is None else f"[{style}]{value:.1f}{sign}[/]")
        table.add_row(version, *cells)
    return table


def _verdict_on(own: bool, comparison: dict[str, Any] | None) -> tuple[str, str]:
    """Style and sign of a cell; without an interval, or with zero inside it, nothing is decided."""
    if own:
        return "bold", ""
    if comparison is None or not comparison["decided"]:
        return "yellow", " ≈"
    return ("green", " ✓") if comparison["compatible"] else ("red", " ✗")


def print_summary(console: Console, report: dict[str, Any]) -> None:
    """The figures of a finished run that a person looks for first."""
    console.print(
        "Recall@1 in percent; a row is a query version, a column a gallery version; ✓ better than the older "
        "of the two by itself, ✗ worse, ≈ within chance:",
        soft_wrap=True,
    )
    console.print(matrix_table(report))

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
    console.print("  ·  ".join(parts), highlight=False, soft_wrap=True)
    if report.get("verdict"):
        console.print(report["verdict"], highlight=False, soft_wrap=True)


def print_trials(console: Console, outcome: dict[str, Any]) -> None:
    """The trials of a sweep, best first, and what came of it."""
    table = Table(box=SIMPLE_HEAD, title="Trials, best first; validation images only", title_justify="left")
    for column in ("", "objective", "self", "cross", "tasks"):
        table.add_column(column, justify="right")
    table.add_column("values")
    measured = [row for row in outcome["trials"] if row["error"] is None]
    for row in measured[:10]:
        figures = [f"{row[name]:.2f}" for name in ("objective", "self", "cross")]
        table.add_row("★" if row["pareto"] else "", *figures, str(row["tasks"]), _trial(row))
    failed = [row for row in outcome["trials"] if row["error"] is not None]
    for row in failed:
        table.add_row("", *"---", str(row["tasks"]), f"{_trial(row)}\nfailed: {escape(row['error'])}")
    console.print(table)
    if failed:
        console.print(f"{len(failed)} of {len(outcome['trials'])} trials failed.", soft_wrap=True)
    start = outcome["start"]["objective"]
    reached = "the start failed" if start is None else f"from {start:.2f} at the start"
    console.print(
        f"Highest on validation: {outcome['best']['objective']:.2f}, {reached}, one trial each without "
        f"an interval: a small difference is chance. ★ is on the Pareto front of self and cross. "
        f"Written: {outcome['file']}",
        soft_wrap=True,
    )


def _trial(row: dict[str, Any]) -> str:
    shown = (
        f"{key.split('.', 1)[-1]} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in row["values"].items()
    )
    return escape("\n".join(shown))
