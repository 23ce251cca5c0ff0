"""Rows of a place that Holdfast did not fill: what is sound becomes a batch, the rest is refused by name."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.base import MAX_ID_BYTES, NORM_TOLERANCE, DataError, HoldfastError, flat_vectors
from holdfast.entries.arrow_columns import decoded, ids, stored, strings
from holdfast.entries.attribute_columns import RawAttributes
from holdfast.entries.batch import Batch
from holdfast.entries.entry import DOTS
from holdfast.entries.readers import Portion, Roles

NO_ID = "no id"
BAD_ID = f"an id that is '.' or '..', holds NUL, or is not of 1 to {MAX_ID_BYTES} bytes"
NO_VECTOR = "no vector"
OTHER_DIMENSION = "a vector of another dimension"
NOT_FINITE = "a vector with NaN or infinity"
ZERO = "a vector of zeros"
NOT_UNIT = "a vector whose norm is not 1"
UNSTORABLE = "attributes or a source that cannot be stored"


@dataclass(frozen=True)
class Refused:
    """A row that was not taken. `sentence` says more than the reason, where there is more to say."""

    reason: str
    id: str
    sentence: str = ""


@dataclass(frozen=True)
class Screened:
    """What became of consecutive rows: those that are sound, how many vectors were scaled, the others."""

    batch: Batch
    scaled: int
    refused: tuple[Refused, ...]


@dataclass(frozen=True)
class Screen:
    """What rows have to be.

    Args:
        place: where they come from.
        version, dimension: whose vectors they are.
        normalizes: whether vectors are brought to norm 1; else those of any other norm are refused.
        dimensions_of: as for `Batch.check`.
    """

    place: str
    version: str
    dimension: int
    normalizes: bool
    dimensions_of: Callable[[set[str]], Mapping[str, int]]

    def __call__(self, portion: Portion, roles: Roles, first: int) -> Screened:
        """Raises DataError for columns of a type that cannot be."""
        import pyarrow as pa

        columns = {name: stored(portion.columns[name]) for name in roles.read}
        names = ids(self.place, roles.id, columns[roles.id])
        numbers, offsets = flat_vectors(self.place, columns[roles.vector])
        faults = _id_faults(names)
        if first == 1:
            require_dimension(self.place, roles.vector, _only_size(offsets), self.version, self.dimension)
        sound, matrix, scaled = self._vectors(numbers, offsets, faults)
        refused = [Refused(faults[row], _shown_id(names, row, first)) for row in sorted(faults)]
        take = pa.array(sound)
        names = names.take(take)
        whole = portion.attributes if roles.whole is None else columns[roles.whole]
        batch = Batch(
            path=self.place,
            first=first,
            ids=names,
            versions=pa.repeat(pa.scalar(self.version), len(sound)),
            numbers=matrix.ravel(),
            offsets=np.arange(len(sound) + 1) * self.dimension,
            attributes=RawAttributes(
                len(sound),
                None if whole is None else decoded(whole).take(take),
                {name: decoded(columns[name]).take(take) for name in roles.attributes},
            ),
            sources=self._sources(columns, roles, take),
            mapped_from=pa.nulls(len(sound), pa.string()),
            mapped_by=pa.nulls(len(sound), pa.string()),
        )
        unsound = list(self._unstorable(batch))
        if unsound:
            bad = {each.id for each in unsound}
            keep = np.array([name not in bad for name in batch.ids.to_pylist()], bool)
            batch = batch.take(np.flatnonzero(keep))
            batch.check(self.dimensions_of)
        return Screened(batch, scaled, (*refused, *unsound))

    def _vectors(
        self, numbers: np.ndarray, offsets: np.ndarray, faults: dict[int, str]
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Rows that are sound, their vectors, and how many were scaled; adds to the faults of the others."""
        sizes = np.diff(offsets)
        for row in np.flatnonzero(sizes != self.dimension).tolist():
            faults.setdefault(row, OTHER_DIMENSION if sizes[row] else NO_VECTOR)
        whole = np.flatnonzero(sizes == self.dimension)
        if len(whole) == len(sizes):
            matrix = numbers.reshape(len(sizes), self.dimension)
        else:
            matrix = numbers[offsets[whole][:, None] + np.arange(self.dimension)]
        with np.errstate(invalid="ignore", over="ignore"):
            norms = np.sqrt(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64))
        finite, zero = np.isfinite(norms), norms == 0
        odd = ~(np.abs(norms - 1.0) <= NORM_TOLERANCE)
        for position in np.flatnonzero(odd).tolist():
            if not finite[position]:
                faults.setdefault(int(whole[position]), NOT_FINITE)
            elif zero[position]:
                faults.setdefault(int(whole[position]), ZERO)
            elif not self.normalizes:
                faults.setdefault(int(whole[position]), NOT_UNIT)
        sound = np.array([row not in faults for row in whole.tolist()], bool) if faults else slice(None)
        rows, matrix, odd, norms = whole[sound], matrix[sound], odd[sound], norms[sound]
        if odd.any():
            matrix = np.array(matrix, np.float32)
            matrix[odd] = matrix[odd] / norms[odd, None]
        return rows, np.ascontiguousarray(matrix, np.float32), int(odd.sum())

    def _sources(self, columns: Mapping[str, Any], roles: Roles, take: Any) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not roles.source:
            return pa.nulls(len(take), pa.string())
        if roles.source[::2] == ("", ""):
            return strings(self.place, roles.source[1], columns[roles.source[1]]).take(take)
        parts = [
            ids(self.place, part, columns[part]).take(take) if position % 2 else pa.scalar(part)
            for position, part in enumerate(roles.source)
        ]
        return pc.binary_join_element_wise(*parts, pa.scalar(""))

    def _unstorable(self, batch: Batch) -> Iterator[Refused]:
        """The rows that `Batch.check` refuses, found by halves: most often there are none."""
        try:
            batch.check(self.dimensions_of)
        except HoldfastError as error:
            if len(batch) == 1:
                yield Refused(UNSTORABLE, str(batch.ids[0].as_py()), _without_row(str(error)))
                return
            middle = len(batch) // 2
            yield from self._unstorable(batch.take(np.arange(middle)))
            yield from self._unstorable(batch.take(np.arange(middle, len(batch))))


def require_dimension(place: str, column: str, found: int | None, version: str, dimension: int) -> None:
    """Raises DataError where it is known beforehand that no vector fits."""
    if found is not None and found != dimension:
        raise DataError(
            f"The vectors of {place} ({column}) have {found} dimensions, those of {version} have "
            f"{dimension}: they were made by another model. Nothing was imported."
        )


def _only_size(offsets: np.ndarray) -> int | None:
    """The dimension of all these vectors, None if they differ or are not there."""
    sizes = np.unique(np.diff(offsets))
    found = sizes[sizes > 0]
    return int(found[0]) if len(found) == 1 else None


def _id_faults(names: Any) -> dict[int, str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    faults: dict[int, str] = {}
    if names.null_count:
        for row in np.flatnonzero(pc.is_null(names).to_numpy(zero_copy_only=False)).tolist():
            faults[row] = NO_ID
        names = names.fill_null("x")
    sizes = pc.binary_length(names.cast(pa.binary())).to_numpy(zero_copy_only=False)
    never = pc.or_(pc.is_in(names, pa.array(DOTS, names.type)), pc.match_substring(names, "\0"))
    wrong = (sizes < 1) | (sizes > MAX_ID_BYTES) | never.to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(wrong).tolist():
        faults[row] = BAD_ID
    return faults


def _shown_id(names: Any, row: int, first: int) -> str:
    known = names[row].as_py()
    return f"row {first + row:,}" if known is None else str(known)[:80]


def _without_row(sentence: str) -> str:
    head, colon, rest = sentence.partition(": ")
    return rest if colon and head.startswith("Row ") else sentence
