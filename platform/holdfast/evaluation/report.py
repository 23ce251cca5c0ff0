"""The report of a run: `report.json` for programs and `report.html`, one self-contained file, for people."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

Matrix = list[list[float | None]]


@dataclass(frozen=True)
class Report:
    """Everything that a report shows. Matrices are lists of rows: query version, gallery version, oldest
    first.

    Percent, except `ac` and `update_gain` (shares, 1 is all). `compatible[i][j]` is `Comparison.as_dict()`,
    or None where the pair was not measured. `negative_flips[i][j]`, for i > j, in percent of all queries.
    `update_gain` is a matrix like `compatible`, None where undefined. `per_task_recall_at_1` has a row for
    a version and a column for a task. `history` holds more curves: name to one value a version. An example
    is `{"query_png", "query_label", "hits": [{"png", "label", "score", "embedded_by", "right"}]}`, its
    pictures PNG bytes.
    """

    name: str
    versions: list[str]
    recall_at_1: Matrix
    map_at_r: Matrix
    experiment: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    recall_at_5: Matrix = field(default_factory=list)
    intervals: list[list[list[float] | None]] = field(default_factory=list)  # of recall_at_1, 95 %
    ac: float | None = None
    am: float | None = None
    forgetting: float | None = None
    per_task_recall_at_1: Matrix = field(default_factory=list)
    update_gain: Matrix | None = None
    control: str | None = None
    negative_flips: Matrix = field(default_factory=list)
    compatible: list[list[dict[str, Any] | None]] = field(default_factory=list)
    mixed: dict[str, Any] = field(default_factory=dict)
    images_per_second: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)
    history: dict[str, list[float | None]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """What `report.json` holds: plain values; NaN and infinity become None; no pictures."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


def write_report(folder: Path, report: Report) -> Path:
    """Write `report.json` and `report.html` into `folder`, each replaced whole; returns the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "report.json", json.dumps(report.as_dict(), indent=1, allow_nan=False) + "\n")
    page = folder / "report.html"
    _replace(page, f"<!doctype html><title>{report.name}</title><pre>{json.dumps(report.as_dict())}</pre>")
    return page


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items() if not isinstance(v, bytes)}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)
