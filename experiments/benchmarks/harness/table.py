"""The table of all benchmarks: on the terminal, and as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from experiments.benchmarks.harness.rows import Row


def show_table(rows: Sequence[Row], notes: bool) -> Table:
    """The rows for a terminal; command and machine are left to the Markdown."""
    table = Table(title="Benchmarks", title_justify="left", show_lines=False)
    table.add_column("figure", no_wrap=True)
    for name, justify in (("median", "right"), ("min..max", "right"), ("unit", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name in ("bound", "held", *(["note"] if notes else [])):
        table.add_column(name)
    for row in rows:
        style = {True: "green", False: "red", None: ""}[row.held]
        held = f"[{style}]{_held(row)}[/]" if style else _held(row)
        shown = [row.name, show_figure(row.figure), _spread(row), row.unit, row.bound, held]
        table.add_row(*shown, *([row.note] if notes else []))
    return table


def markdown(measured: Sequence[tuple[str, Mapping[str, Any], Sequence[Row]]]) -> str:
    """All columns: (command, context, rows) of every benchmark."""
    machines = list(dict.fromkeys(describe(context) for _, context, _ in measured))
    lines = [
        "| figure | median | min..max | unit | bound | held | command | machine | note |",
        "|---|---:|---:|---|---|---|---|---|---|",
    ]
    for command, context, rows in measured:
        machine = f"[{machines.index(describe(context)) + 1}]"
        for row in rows:
            cells = [
                row.name,
                show_figure(row.figure),
                _spread(row),
                row.unit,
                row.bound,
                _held(row),
                f"`{command}`",
                machine,
                row.note,
            ]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += [""] + [f"[{number}] {machine}  " for number, machine in enumerate(machines, 1)]
    return "\n".join(lines) + "\n"


def describe(context: Mapping[str, Any]) -> str:
    """One line: machine, versions, code."""
    machine = context["machine"]
    parts = [
        machine["processor"],
        f"{machine['cores']} cores",
        f"{machine['memory_gib']} GiB",
        *([machine["accelerator"]] if machine["accelerator"] else []),
        machine["platform"],
        f"Python {machine['python']}",
        f"torch {machine['torch']}",
        f"OMP_WAIT_POLICY {context['omp_wait_policy']}",
        f"code {context['code']}",
        *([f"commit {context['commit']}"] if context.get("commit") else []),
    ]
    return ", ".join(parts) + ("; small sizes for tests (--quick)" if context["quick"] else "")


def show_figure(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _spread(row: Row) -> str:
    if row.low is None or row.high is None or row.low == row.high:
        return ""
    return f"{show_figure(row.low)}..{show_figure(row.high)}"


def _held(row: Row) -> str:
    return {True: "yes", False: "NO", None: ""}[row.held]
