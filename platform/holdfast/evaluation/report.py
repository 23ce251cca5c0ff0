"""What a report holds: the figures of one run, as `report.json` has them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

Matrix = list[list[float | None]]


@dataclass(frozen=True)
class Report:
    """Everything that a report shows. Matrices are lists of rows: query version, gallery version, oldest
    first.

    `contracts` are those of the versions, whose names another store has as well.

    Percent, except `ac` and `update_gain` (shares, 1 is all). `compatible[i][j]` is `Comparison.as_dict()`,
    or None where the pair was not measured. `cascades[i][j]`, for i > j, is what a pair that does not hold
    finds in a cascade: its `candidates`, and the numbers of a comparison; None where a cheaper way holds, or
    none was measured. `negative_flips[i][j]`, for i > j, in percent of all queries.
    `adapters[i][j]` is the digest of the adapter through which queries by i met the gallery by j, None
    where the two met as they are; if there is any, `recall_at_1_raw`, `ac_raw` and `mixed_raw` (the newest
    version's Recall@1 in the mixed gallery) are without adapters. `mixed` is `summarize_mixed`'s, and
    `mixed["shifts"][j]` is what the scores of entries by `mixed["versions"][j]` are shifted by for the newest
    version's queries.
    `exact` says that the versions are projections over one base, which all meet its entries exactly.
    `codes` holds the figures on compact codes, without adapters: the `versions` that have codes, `bits` and
    `bytes` of one, and under the same names as here the metrics, `intervals`, `compatible`, `ac` and `am`.
    `validation` has for each version `Validation.as_dict()`, or None where it was not measured so.
    `distilled_from` is the version that the newest one imitates, if it does. `notes` are sentences about the
    data: what was passed over, and what is odd about it.
    `update_gain` is a matrix like `compatible`, None where undefined. `per_task_recall_at_1` has a row for
    a version and a column for a task. `history` holds more curves: name to one value a version. An example
    is `{"query_png", "query_label", "hits": [{"png", "label", "score", "embedded_by", "right"}]}`, its
    pictures PNG bytes.
    """

    name: str
    versions: list[str]
    recall_at_1: Matrix
    map_at_r: Matrix
    contracts: list[str] = field(default_factory=list)
    experiment: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    recall_at_5: Matrix = field(default_factory=list)
    intervals: list[list[list[float] | None]] = field(default_factory=list)  # of recall_at_1, 95 %
    ac: float | None = None
    am: float | None = None
    recall_at_1_raw: Matrix | None = None
    exact: bool = False
    ac_raw: float | None = None
    mixed_raw: float | None = None
    adapters: list[list[str | None]] = field(default_factory=list)
    forgetting: float | None = None
    per_task_recall_at_1: Matrix = field(default_factory=list)
    update_gain: Matrix | None = None
    control: str | None = None
    distilled_from: str | None = None
    negative_flips: Matrix = field(default_factory=list)
    compatible: list[list[dict[str, Any] | None]] = field(default_factory=list)
    cascades: list[list[dict[str, Any] | None]] = field(default_factory=list)
    mixed: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, Any] = field(default_factory=dict)
    validation: list[dict[str, Any] | None] = field(default_factory=list)
    images_per_second: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)
    history: dict[str, list[float | None]] = field(default_factory=dict)

    def plainly(self) -> "Report":
        """With the figures that `report.json` has: None for what is missing or not finite. Keeps pictures."""
        figures = {f.name: plain(getattr(self, f.name)) for f in fields(self) if f.name != "examples"}
        return replace(self, **figures)

    def as_dict(self) -> dict[str, Any]:
        """What `report.json` holds: plain values; NaN and infinity become None; no pictures."""
        return {f.name: plain(getattr(self, f.name)) for f in fields(self)}


def plain(value: Any) -> Any:
    """Values that JSON and YAML can hold; NaN and infinity become None; bytes are left out."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items() if not isinstance(v, bytes)}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)
