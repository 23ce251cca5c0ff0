"""The vectors of a FAISS index, as it can give them back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.base import DataError
from holdfast.entries.readers.companion import ID, VECTOR, Companion, as_lists, with_vectors
from holdfast.entries.readers.files import identity_of, require_file
from holdfast.entries.readers.layout import Layout, Roles
from holdfast.entries.readers.reader import Portion, Reader

_ID_ROWS = 100_000


def open_place(place: str, layout: Layout) -> Reader:
    """A file that `faiss.write_index` wrote; where FAISS can, it is mapped, not read into memory.

    Its ids are those of an IndexIDMap. Else its vectors are numbered, and the layout says what that means.
    """
    import faiss

    path = Path(place)
    require_file(path)
    try:
        index = faiss.read_index(place, faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    except (RuntimeError, MemoryError) as error:
        said = " ".join(str(error).split())
        if "binary" in said.lower() or _is_binary(path):
            raise DataError(
                f"{place} is a FAISS index of binary codes: vectors of floats are needed."
            ) from None
        raise DataError(f"{place} is no FAISS index of vectors, or is damaged.") from error
    return IndexReader(path, index, layout)


class IndexReader(Reader):
    """The vectors of an index by their order in it, and what stands beside them."""

    vector = VECTOR

    def __init__(self, path: Path, index: Any, layout: Layout) -> None:
        import faiss

        self.place, self.identity = str(path), identity_of([path])
        own: np.ndarray | None = None
        self._owner = index  # of all that it consists of
        if isinstance(index, faiss.IndexIDMap | faiss.IndexIDMap2):
            own = faiss.vector_to_array(index.id_map).astype(np.int64)
            index = faiss.downcast_index(index.index)
        self._parts: _Rows = _Lists(index) if isinstance(index, faiss.IndexIVF) else _Sequence(index)
        self._index = index
        self.dimension = int(index.d)
        if isinstance(self._parts, _Lists) and own is None:
            numbers = self._parts.numbers()
            if not np.array_equal(np.sort(numbers), np.arange(len(numbers))):
                own = numbers
        elif isinstance(self._parts, _Lists) and own is not None:
            own = own[self._parts.numbers()]
        self._own = own
        if own is not None:
            if layout.ids is not None or layout.row_numbers:
                raise DataError(f"{path} has ids of its own: leave --ids and --row-numbers out.")
            self._beside = Companion({}, ID, "own ids")
        else:
            self._beside = Companion.of(str(path), layout, len(self))
        self.identity = f"{self.identity} {self._beside.identity}"
        self.key = self._beside.key
        self.fields = with_vectors(self._beside, self.dimension)
        self._notes = self._try()

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def ids(self, roles: Roles) -> Iterator[Any]:
        for start in range(0, len(self), _ID_ROWS):
            yield self._rows((roles.id,), start, min(start + _ID_ROWS, len(self)))[roles.id]

    def portions(self, roles: Roles, after: str | None, rows: int) -> Iterator[Portion]:
        for start in range(int(after or 0), len(self), rows):
            stop = min(start + rows, len(self))
            columns = self._rows(roles.without_vectors(), start, stop)
            yield Portion({**columns, roles.vector: as_lists(self._parts.vectors(start, stop))}, str(stop))

    def _rows(self, names: tuple[str, ...], start: int, stop: int) -> dict[str, Any]:
        if self._own is not None:
            return self._beside.rows(names, self._own[start:stop])
        numbers = self._parts.numbers()[start:stop] if isinstance(self._parts, _Lists) else None
        return self._beside.rows(names, np.arange(start, stop) if numbers is None else numbers)

    def _try(self) -> tuple[str, ...]:
        """Raises DataError for an index that gives no vector back; says if it gives only something near."""
        import faiss

        name = type(self._index).__name__
        refusal = DataError(
            f"{self.place} is a FAISS {name}, which cannot give its vectors back: import them from where it "
            "was filled from."
        )
        if isinstance(self._index, faiss.IndexLSH):
            raise refusal
        try:
            if len(self):
                self._parts.vectors(0, 1)
        except (RuntimeError, NotImplementedError) as error:
            raise refusal from error
        if "Flat" in name:
            return ()
        return (f"A FAISS {name} keeps codes: what was imported are vectors near the original ones.",)


class _Sequence:
    """Of an index whose vectors are numbered as they came."""

    def __init__(self, index: Any) -> None:
        self._index = index

    def vectors(self, start: int, stop: int) -> np.ndarray:
        """float32 (stop - start, d)."""
        found: np.ndarray = self._index.reconstruct_n(start, stop - start)
        return found


class _Lists:
    """Of an inverted file: list by list, as `reconstruct_n` would look through all of them each time."""

    def __init__(self, index: Any) -> None:
        self._index = index
        sizes = [index.get_list_size(number) for number in range(index.nlist)]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._numbers: np.ndarray | None = None

    def numbers(self) -> np.ndarray:
        """The number of each vector, int64 (n,), list by list."""
        import faiss

        if self._numbers is None:
            lists = self._index.invlists
            found = [
                faiss.rev_swig_ptr(lists.get_ids(number), int(size)).copy()
                for number, size in enumerate(np.diff(self._starts))
                if size
            ]
            self._numbers = np.concatenate([np.zeros(0, np.int64), *found])
        return self._numbers

    def vectors(self, start: int, stop: int) -> np.ndarray:
        """float32 (stop - start, d)."""
        import faiss

        found = np.empty((stop - start, self._index.d), np.float32)
        lists = np.searchsorted(self._starts, np.arange(start, stop), side="right") - 1
        for row, (at, number) in enumerate(zip(lists.tolist(), range(start, stop), strict=True)):
            vector = faiss.swig_ptr(found[row])
            self._index.reconstruct_from_offset(at, int(number - self._starts[at]), vector)
        return found


_Rows = _Sequence | _Lists


def _is_binary(path: Path) -> bool:
    """By the four letters in front: those of binary indexes begin with IB."""
    with path.open("rb") as stream:
        return stream.read(2) == b"IB"
