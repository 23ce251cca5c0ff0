"""What a benchmark says in the end: figures, each beside what was asked of it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table.

    `bound` and `held` belong together: what the issue asks for, and whether the figure keeps to it. Figures
    for the record have neither. `low` and `high` are the least and the greatest of the repetitions.
    """

    name: str
    figure: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    bound: str = ""
    held: bool | None = None
    note: str = ""


def at_most(name: str, values: Sequence[float], unit: str, bound: float, note: str = "") -> Row:
    """A row whose median may not exceed `bound`."""
    middle = statistics.median(values)
    return Row(
        name, middle, unit, min(values), max(values), f"at most {_plain(bound)} {unit}", middle <= bound, note
    )


def at_least(name: str, values: Sequence[float], unit: str, bound: float, note: str = "") -> Row:
    """A row whose median has to reach `bound`."""
    middle = statistics.median(values)
    return Row(
        name,
        middle,
        unit,
        min(values),
        max(values),
        f"at least {_plain(bound)} {unit}",
        middle >= bound,
        note,
    )


def for_the_record(name: str, values: Sequence[float], unit: str, note: str = "") -> Row:
    """A row without a bound: the median."""
    return Row(name, statistics.median(values), unit, min(values), max(values), note=note)


def not_measured(name: str, unit: str, bound: str, why: str) -> Row:
    """A row without a figure."""
    return Row(name, None, unit, bound=bound, note=f"not measured: {why}")


def _plain(value: float) -> str:
    if value >= 10:
        return f"{value:,.0f}"
    text = f"{value:.2f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text
