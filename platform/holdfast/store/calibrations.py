"""Calibrations: what a score says beside those of the query version's own entries."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, and_, delete, insert, select

from holdfast.base import version_number
from holdfast.store.database import adapters, advance_counter, calibrations, reading, writing
from holdfast.store.versions import find_version


@dataclass(frozen=True)
class MeasuredCalibration:
    """score + shift is what queries by `query` rank entries by `gallery` by, among other entries.

    Args:
        adapter: digest of the adapter between the two, None if they met as they are. The calibration
            counts as long as the pair has this very adapter (or none).
        gain: by how much a fitted calibration raised Recall@1 on the images that it was measured on, in
            percentage points; `low` and `high` are its 95 % interval. None where that was not measured.
        config: how it was measured.
    """

    query: str
    gallery: str
    shift: float = 0.0
    adapter: str | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    config: dict[str, Any] = field(default_factory=dict)
    measured_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Calibrations:
    """The calibrations of a store, one a pair of versions at most."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self) -> list[MeasuredCalibration]:
        """Those that count, oldest versions first: measured with their pair's adapter in force, or without
        where it has none."""
        pair = and_(adapters.c.query == calibrations.c.query, adapters.c.gallery == calibrations.c.gallery)
        statement = (
            select(*calibrations.c)
            .select_from(calibrations.outerjoin(adapters, pair))
            .where(calibrations.c.adapter.is_not_distinct_from(adapters.c.digest))
        )
        with reading(self._engine) as connection:
            found = [MeasuredCalibration(**row._mapping) for row in connection.execute(statement)]
        return sorted(found, key=lambda row: (version_number(row.query), version_number(row.gallery)))

    def record(self, rows: Sequence[MeasuredCalibration]) -> None:
        """Keep calibrations, each in place of the one before of its pair.

        Raises NotFoundError for an unknown version, ValueError for NaN.
        """
        if not rows:
            return
        for row in rows:
            if not math.isfinite(row.shift):
                raise ValueError(f"score + {row.shift} cannot rank entries by {row.gallery}")
            if not all(number is None or math.isfinite(number) for number in (row.gain, row.low, row.high)):
                raise ValueError(f"the calibration of {row.query} with {row.gallery} is not a number: {row}")
        with writing(self._engine) as connection:
            for name in {name for row in rows for name in (row.query, row.gallery)}:
                find_version(connection, name)
            # Locks out another recorder of the pair, and tells caches to ask again.
            advance_counter(connection, "compatibility")
            for row in rows:
                pair = (calibrations.c.query == row.query) & (calibrations.c.gallery == row.gallery)
                connection.execute(delete(calibrations).where(pair))
            connection.execute(insert(calibrations), [asdict(row) for row in rows])
