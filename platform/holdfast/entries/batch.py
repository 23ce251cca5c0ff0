"""Entries as columns, as they come out of a file: checked by the column, not one by one."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from holdfast.base import MAX_ID_BYTES, DataError, HoldfastError, InvalidVectorError, bad_norms, explain_norm
from holdfast.entries.attribute_columns import Found, RawAttributes
from holdfast.entries.entry import DOTS, InvalidEntryError, check_attributes, check_id, check_source

Row = tuple[str, str, bytes, str, str | None, str | None, str | None]
"""id, version, vector (float32 little endian), attributes (JSON), source, mapped_from, mapped_by."""

MAX_DIGEST_BYTES = 64


@dataclass(frozen=True)
class Batch:
    """Consecutive rows of a file.

    Args:
        path, first: where they come from: row 0 here is row `first` of the file, counted from 1.
        ids, versions, sources, mapped_from, mapped_by: Arrow arrays of strings.
        attributes: what came as attributes, see there.
        numbers, offsets: float32 and int64; vector i is numbers[offsets[i] : offsets[i + 1]].
    """

    path: str
    first: int
    ids: Any
    versions: Any
    numbers: np.ndarray
    offsets: np.ndarray
    attributes: RawAttributes
    sources: Any
    mapped_from: Any
    mapped_by: Any

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> "Batch":
        """Some of the rows, int64 (m,), of a batch whose vectors are all of one dimension."""
        import pyarrow as pa

        wanted, size = pa.array(rows, pa.int64()), len(self)
        matrix = self.numbers.reshape(size, -1)[rows]
        return replace(
            self,
            ids=self.ids.take(wanted),
            versions=self.versions.take(wanted),
            numbers=matrix.ravel(),
            offsets=np.arange(len(rows) + 1) * (self.numbers.size // max(1, size)),
            attributes=self.attributes.take(wanted),
            sources=self.sources.take(wanted),
            mapped_from=self.mapped_from.take(wanted),
            mapped_by=self.mapped_by.take(wanted),
        )

    def check(self, dimensions_of: Callable[[set[str]], Mapping[str, int]]) -> None:
        """Raises what `Entries.upsert` raises, naming the row in front.

        Args:
            dimensions_of: gives the dimension of each version; raises NotFoundError for an unknown one.
        """
        self._check_ids()
        dimensions = self._check_versions(dimensions_of)
        self._check_vectors(dimensions)
        self._check_texts(self.sources, check_source)
        self._check_origins(dimensions_of)
        _ = self._read

    def rows(self) -> list[Row]:
        """The rows of a checked batch, as the database takes them."""
        columns = (
            self.ids.to_pylist(),
            self.versions.to_pylist(),
            self._vectors(),
            self._read[0],
            self.sources.to_pylist(),
            self.mapped_from.to_pylist(),
            self.mapped_by.to_pylist(),
        )
        return list(zip(*columns, strict=True))

    # ---- the checks

    def _check_ids(self) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.ids.null_count:
            self._refuse(InvalidEntryError, _first(pc.is_null(self.ids)), "it has no id.")
        sizes = pc.binary_length(self.ids.cast(pa.binary())).to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero((sizes < 1) | (sizes > MAX_ID_BYTES))
        if wrong.size:
            self._ask(int(wrong[0]), check_id, self.ids[int(wrong[0])].as_py())
        dots = pc.is_in(self.ids, pa.array(DOTS, self.ids.type))
        never = _first(pc.or_(dots, pc.match_substring(self.ids, "\0")))
        if never is not None:
            self._ask(never, check_id, self.ids[never].as_py())

    def _check_versions(self, dimensions_of: Callable[[set[str]], Mapping[str, int]]) -> np.ndarray:
        """The dimension of each row's version, int64 (n,)."""
        import pyarrow.compute as pc

        if self.versions.null_count:
            self._refuse(InvalidEntryError, _first(pc.is_null(self.versions)), "it has no version.")
        encoded = self.versions.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        known: dict[str, int] = {}
        for code, name in enumerate(names):
            # One at a time, so that the error is about this one.
            known[name] = self._ask(int(np.argmax(codes == code)), dimensions_of, {name})[name]
        return np.array([known[name] for name in names], np.int64)[codes]

    def _check_vectors(self, dimensions: np.ndarray) -> None:
        sizes = np.diff(self.offsets)
        wrong = np.flatnonzero(sizes != dimensions)
        if wrong.size:
            at = int(wrong[0])
            self._refuse(
                InvalidVectorError,
                at,
                f"the vector of {self._id(at)!r} has shape ({sizes[at]},): {self.versions[at].as_py()} makes "
                f"({dimensions[at]},).",
            )
        for dimension in np.unique(sizes):
            positions = np.flatnonzero(sizes == dimension)
            if len(positions) == len(self):
                matrix = self.numbers.reshape(len(self), -1)
            else:
                matrix = self.numbers[self.offsets[positions][:, None] + np.arange(dimension)]
            bad = bad_norms(matrix)
            if bad.size:
                at = int(positions[bad[0]])
                vector = self.numbers[self.offsets[at] : self.offsets[at + 1]]
                self._refuse(InvalidVectorError, at, explain_norm(f"of {self._id(at)!r}", vector))

    def _check_texts(self, column: Any, check: Callable[[str, object], object]) -> None:
        import pyarrow.compute as pc

        wrong = _first(pc.match_substring(column, "\0"))
        if wrong is not None:
            self._ask(wrong, check, self._id(wrong), column[wrong].as_py())

    def _check_origins(self, dimensions_of: Callable[[set[str]], Mapping[str, int]]) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.mapped_from.null_count == self.mapped_by.null_count == len(self):
            return
        alone = _first(pc.not_equal(pc.is_null(self.mapped_from), pc.is_null(self.mapped_by)))
        if alone is not None:
            self._refuse(InvalidEntryError, alone, "it has only one of mapped_from and mapped_by.")
        for name in self.mapped_from.drop_null().unique():
            self._ask(_first(pc.equal(self.mapped_from, name)), dimensions_of, {name.as_py()})
        sizes = pc.binary_length(self.mapped_by.cast(pa.binary()))
        long = _first(pc.greater(sizes, MAX_DIGEST_BYTES))
        if long is not None:
            self._refuse(InvalidEntryError, long, f"its mapped_by is over {MAX_DIGEST_BYTES} bytes.")
        self._check_texts(self.mapped_by, check_source)

    @cached_property
    def _read(self) -> tuple[list[str], Found]:
        """The attributes of each row in the one form in which they are stored."""

        def check(row: int, value: object, nulls: Counter[str]) -> str:
            try:
                return check_attributes("", value, nulls)
            except HoldfastError:
                # Once more with the name, which the good ones do without.
                return str(self._ask(row, check_attributes, self._id(row), value))

        def refuse(row: int, sentence: str) -> NoReturn:
            self._refuse(DataError, row, sentence)

        return self.attributes.texts(check, refuse)

    @property
    def found(self) -> Found:
        """What was met in the attributes of a checked batch."""
        return self._read[1]

    # ---- parts

    def _vectors(self) -> list[bytes]:
        sizes = np.diff(self.offsets)
        if len(self) and (sizes == sizes[0]).all():
            matrix = np.ascontiguousarray(self.numbers.reshape(len(self), -1), "<f4")
            blobs: list[bytes] = matrix.view(f"V{4 * matrix.shape[1]}").ravel().tolist()
            return blobs
        bounds = zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True)
        return [self.numbers[start:stop].astype("<f4", copy=False).tobytes() for start, stop in bounds]

    def _id(self, row: int) -> str:
        return str(self.ids[row].as_py())

    def _ask(self, row: int | None, check: Callable[..., Any], *arguments: object) -> Any:
        """Calls a check that knows nothing of rows."""
        try:
            return check(*arguments)
        except HoldfastError as error:
            raise type(error)(f"Row {self.first + (row or 0):,} of {self.path}: {error}") from None

    def _refuse(self, kind: type[HoldfastError], row: int | None, sentence: str) -> NoReturn:
        raise kind(f"Row {self.first + (row or 0):,} of {self.path}: {sentence}")


def _first(mask: Any) -> int | None:
    """The first row where a mask holds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.index(mask, pa.scalar(True)).as_py()
    return None if found < 0 else int(found)
