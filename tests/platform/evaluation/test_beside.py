"""The report's row: a version beside its base and its parent."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from holdfast.evaluation import Report, standing_sentence, write_report


def standing(reference: str, difference: float, held_out: bool = False) -> dict[str, Any]:
    return {
        "reference": reference,
        "held_out": held_out,
        "value": 80.0,
        "reference_value": 80.0 - difference,
        "difference": difference,
        "low": difference - 1,
        "high": difference + 1,
        "surely_worse": difference < -1,
    }


def found(*standings: dict[str, Any]) -> dict[str, Any]:
    return {
        "recall_at_1": 80.0,
        "queries": 1234,
        "classes": 60,
        "held_out_classes": 12,
        "standings": list(standings),
    }


def test_the_page_has_a_row_for_each_version_that_was_measured(
    tmp_path: Path, make_report: Callable[..., Report]
) -> None:
    rows = [None, found(standing("base", 3.5)), found(standing("base", -2.5), standing("parent", 0.25))]
    text = write_report(tmp_path, replace(make_report(3), validation=rows)).read_text()
    assert "Beside doing nothing" in text
    assert "<th>v1</th>" not in text.split("Beside doing nothing")[1].split("</section>")[0]
    assert "+3.5 (+2.5 to +4.5)" in text
    assert "\N{MINUS SIGN}2.5 (\N{MINUS SIGN}3.5 to \N{MINUS SIGN}1.5) \N{BALLOT X}" in text
    assert "82.5" in text


def test_without_a_trunk_there_is_no_column_for_it(
    tmp_path: Path, make_report: Callable[..., Report]
) -> None:
    rows = [found(), found(standing("parent", 0.5))]
    text = write_report(tmp_path, replace(make_report(2), validation=rows)).read_text()
    section = text.split("Beside doing nothing")[1].split("</section>")[0]
    assert "trunk" not in section
    assert "+0.5 (\N{MINUS SIGN}0.5 to +1.5)" in section
    assert section.count("<td") == 2 * 4


def test_a_report_without_it_has_no_such_table(tmp_path: Path, make_report: Callable[..., Report]) -> None:
    assert "Beside doing nothing" not in write_report(tmp_path, make_report(2)).read_text()


def test_the_sentence() -> None:
    said = standing_sentence(found(standing("base", 3.5), standing("base", 1.5, held_out=True)), "v2")
    assert said == (
        "On 1,234 validation images v2 finds 80.0 % right: +3.5 (+2.5 to +4.5) beside the trunk as it was; "
        "+1.5 (+0.5 to +2.5) beside the trunk as it was, of 12 classes that it does not know."
    )
    assert standing_sentence(found(), "v1") == "On 1,234 validation images v1 finds 80.0 % right."
