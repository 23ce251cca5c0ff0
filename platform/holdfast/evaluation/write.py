"""Writes a report: `report.json` for programs and `report.html`, one self-contained file, for people."""

import json
from pathlib import Path

from holdfast.base import whole_file
from holdfast.evaluation.page import render_page
from holdfast.evaluation.report import Report
from holdfast.evaluation.summary import verdict

REPORT, PAGE = "report.json", "report.html"


def draw_report(report: Report) -> dict[str, str]:
    """The texts of `report.json` and `report.html`, by these names.

    `report.json` has the page's first sentence too, as `verdict`.
    """
    report = report.plainly()
    sentence, _ = verdict(report)
    written = {**report.as_dict(), "verdict": sentence}
    return {
        REPORT: json.dumps(written, indent=1, allow_nan=False) + "\n",
        PAGE: render_page(report),
    }


def write_report(folder: Path, report: Report) -> Path:
    """Write `report.json` and `report.html` into `folder`, each replaced whole; returns the page's path.

    A reader never sees half a file, so a report can be redrawn while somebody looks at it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in draw_report(report).items():
        with whole_file(folder / name) as draft:
            draft.write_text(text, encoding="utf-8")
    return folder / PAGE
