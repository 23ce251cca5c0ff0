"""The commands at the end of a report."""

from dataclasses import replace
from typing import Any

import pytest

from holdfast.evaluation.next_steps import next_steps
from holdfast.evaluation.report import Report


def report(*outcomes: str, **changes: Any) -> Report:
    """v1 to vN, of which the newest met each older gallery with such an outcome."""
    figures = {"compatible": 60.0, "incompatible": 40.0, "undecided": 50.5, "unmeasured": None}
    count = len(outcomes)
    names = [f"v{number + 1}" for number in range(count + 1)]
    rows: list[list[float | None]] = [[50.0] * (count + 1) for _ in range(count)]
    matrix = [*rows, [*(figures[outcome] for outcome in outcomes), 50.0]]
    last = [
        {"decided": outcome != "undecided", "compatible": outcome == "compatible"}
        if outcome != "unmeasured"
        else None
        for outcome in outcomes
    ]
    made = Report(
        "r", names, matrix, matrix, compatible=[*([None] * (count + 1) for _ in range(count)), [*last, None]]
    )
    return replace(made, **changes)


def commands(found: Report) -> list[str]:
    return [step.command for step in next_steps(found)]


@pytest.mark.parametrize(
    ("outcomes", "first"),
    [
        ((), "holdfast promote v1"),
        (("compatible",), "holdfast promote v2 --canary 0.05"),
        (("undecided", "compatible"), "holdfast promote v3 --canary 0.05"),
        (("incompatible",), "holdfast bridge v1 v2"),
        (("compatible", "incompatible"), "holdfast bridge v2 v3"),
        (("unmeasured",), "holdfast bridge v1 v2"),
    ],
)
def test_the_first_command_follows_from_what_was_found(outcomes: tuple[str, ...], first: str) -> None:
    assert commands(report(*outcomes))[0] == first


def test_what_stands_in_the_way_is_not_promoted() -> None:
    assert not [each for each in commands(report("incompatible", "compatible")) if "promote" in each]
    assert "holdfast backfill plan v3 --kind re-embed --sources FOLDER" in commands(
        report("incompatible", "compatible")
    )
    assert "holdfast backfill plan" not in " ".join(commands(report("unmeasured")))


def test_a_projection_that_finds_less_stays_behind() -> None:
    assert commands(report("incompatible", exact=True)) == ["holdfast versions"]


def in_cascades(found: Report, *candidates: int) -> Report:
    """With a cascade of so many images in which an older version's entries hold, 0 for none."""
    last = [
        {"candidates": count, "compatible": True, "decided": True, "value": 55.0, "difference": 5.0}
        if count
        else None
        for count in candidates
    ]
    older = [[None] * len(found.versions) for _ in candidates]
    return replace(found, cascades=[*older, [*last, None]])


def test_what_holds_in_a_cascade_is_served_so_and_stands_in_no_way() -> None:
    found = commands(in_cascades(report("incompatible", "compatible"), 10, 0))
    assert found[0] == "holdfast serve --sources FOLDER"
    assert "holdfast promote v3" in found
    assert not [each for each in found if "bridge" in each]
    assert "holdfast backfill plan v3 --kind re-embed --sources FOLDER" in found
    # One that holds in no way still stands in it.
    found = commands(in_cascades(report("incompatible", "incompatible"), 10, 0))
    assert "holdfast bridge v2 v3" in found
    assert not [each for each in found if "promote" in each]
