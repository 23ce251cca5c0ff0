"""Writes a report: `report.json` for programs and `report.html`, one self-contained file, for people."""

import json
from pathlib import Path

from holdfast.evaluation.page import render_page
from holdfast.evaluation.report import Report
from holdfast.evaluation.summary import verdict
from holdfast.whole_files import whole_file


def write_report(folder: Path, report: Report) -> Path:
    """Write `report.json` and `report.html` into `folder`, each replaced whole; returns the page's path.

    `report.json` has the page's first sentence too, as `verdict`. A reader never sees half a file, so a
    report can be redrawn while somebody looks at it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report = report.plainly()
    sentence, _ = verdict(report)
    written = {**report.as_dict(), "verdict": sentence}
    _replace(folder / "report.json", json.dumps(written, indent=1, allow_nan=False) + "\n")
    page = folder / "report.html"
    _replace(page, render_page(report))
    return page


def _replace(path: Path, text: str) -> None:
    with whole_file(path) as draft:
        draft.write_text(text, encoding="utf-8")
