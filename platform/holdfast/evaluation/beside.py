"""How a report shows versions beside doing nothing: their base and their parent, on validation images."""

from typing import Any

from holdfast.evaluation.report import Report
from holdfast.evaluation.summary import signed

OTHERS = {"base": "the trunk as it was", "parent": "its parent"}


def standing_rows(report: Report) -> list[list[str]]:
    """A row for each version that was measured so: version, Recall@1, and for base and parent their Recall@1
    and the difference with its interval."""
    rows = []
    for version, found in zip(report.versions, report.validation, strict=False):
        if found is None:
            continue
        row = [version, f"{found['queries']:,}", f"{found['recall_at_1']:.1f}"]
        for reference in OTHERS:
            standing = next((s for s in found["standings"] if s["reference"] == reference), None)
            row += (
                ["", ""] if standing is None else [f"{standing['reference_value']:.1f}", difference(standing)]
            )
        rows.append(row)
    return rows


def standing_sentence(found: dict[str, Any], version: str, where: str = "validation images") -> str:
    """Where the newest version stands, in words."""
    said = [
        f"{difference(standing)} beside {OTHERS[standing['reference']]}"
        + (f", of {found['held_out_classes']} classes that it does not know" * standing["held_out"])
        for standing in found["standings"]
    ]
    beside = f": {'; '.join(said)}" if said else ""
    return f"On {found['queries']:,} {where} {version} finds {found['recall_at_1']:.1f} % right{beside}."


def difference(standing: dict[str, Any]) -> str:
    """Points with their interval; marked where the version is surely worse."""
    low, high = (signed(standing[key], plus=True) for key in ("low", "high"))
    mark = " \N{BALLOT X}" if standing["surely_worse"] else ""
    return f"{signed(standing['difference'], plus=True)} ({low} to {high}){mark}"
