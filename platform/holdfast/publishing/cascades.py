"""What a lineage's pairs find where the best entries are ranked by their images, as it was recorded."""

from collections.abc import Sequence
from typing import Any

from holdfast.store import Compatibility, Store

Cascades = list[list[dict[str, Any] | None]]


def found_in_cascades(store: Store, versions: Sequence[str], evaluation: str) -> Cascades:
    """Of every pair (query, gallery) the largest cascade that was measured on these data: larger ones are
    measured until one holds by more than chance. None where none was, as a cheaper way holds. Under the
    report's names."""
    rows = store.compatibility.ways()  # of fewer candidates first
    found = {(row.query, row.gallery): row for row in rows if row.candidates and row.evaluation == evaluation}
    return [[_told(found.get((query, gallery))) for gallery in versions] for query in versions]


def _told(row: Compatibility | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "candidates": row.candidates,
        "value": row.value,
        "difference": row.value - row.reference,
        "low": row.low,
        "high": row.high,
        "compatible": row.compatible,
        "decided": row.decided,
    }
