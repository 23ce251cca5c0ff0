"""The ids and the attribute texts of slots 0..n-1, in few bytes, and the way from an id to its slot."""

import hashlib
import struct
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Self

import numpy as np

from holdfast.index.local.rows import Rows
from holdfast.index.local.snapshot_files import Loading, Saving

_HEADER = np.dtype([("id", "<u2"), ("text", "<u4")])
_LENGTHS = struct.Struct("<HI")  # the same
_RECENT = 4096  # ids that wait in a dict before they are sorted in among the others, at least
_WASTE = 1 << 20  # bytes of replaced records that are not worth cleaning up
_CHUNK = 65_536  # records that are copied at a time


class Names:
    """Ids (no two alike) and JSON texts of n slots.

    Both lie one behind the other in records of bytes. An id's slot is found by the id's 64-bit hash among
    sorted hashes; two ids of one hash are told apart by their bytes. What was added last waits in a dict.

    Args:
        folder: see `Rows`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._records = Rows(np.uint8, None, folder)
        self._starts = Rows(np.int64, None, folder)  # of a slot's record
        self._hashes = Rows(np.uint64, None, folder)  # ascending
        self._slots = Rows(np.int32, None, folder)  # beside them; -1 where the id is gone
        self._recent: dict[str, int] = {}
        self._waste = 0
        self._prepared: list[Callable[[], None]] = []

    @classmethod
    def load(cls, files: Loading, folder: Path | None) -> Self:
        names = cls(folder)
        names._records = files.rows("records", np.uint8, None, folder)
        names._starts = files.rows("starts", np.int64, None, folder)
        names._hashes = files.rows("hashes", np.uint64, None, folder)
        names._slots = files.rows("slots", np.int32, None, folder)
        names._waste = files.noted("waste")
        recent = files.array("recent", np.int64)
        names._recent = {
            identifier: slot for slot, (identifier, _) in zip(recent.tolist(), names.of(recent), strict=True)
        }
        return names

    def save(self, files: Saving) -> None:
        files.array("records", self._records.array)
        files.array("starts", self._starts.array)
        files.array("hashes", self._hashes.array)
        files.array("slots", self._slots.array)
        files.array("recent", np.fromiter(self._recent.values(), np.int64, len(self._recent)))
        files.note("waste", self._waste)

    def __len__(self) -> int:
        return len(self._starts)

    def id(self, slot: int) -> str:
        return self.of([slot])[0][0]

    def text(self, slot: int) -> str:
        return self.of([slot])[0][1]

    def of(self, slots: Sequence[int] | np.ndarray) -> list[tuple[str, str]]:
        """Id and text of each of these slots."""
        records, unpack, head = self._records.bytes_in_place(), _LENGTHS.unpack_from, _LENGTHS.size
        found = []
        for start in self._starts.array[slots].tolist():
            id_length, text_length = unpack(records, start)
            middle = head + id_length
            # Taken out once and cut then: slices of a view of memory take twice as long.
            record = bytes(records[start : start + middle + text_length])
            found.append((record[head:middle].decode(), record[middle:].decode()))
        return found

    def all_ids(self) -> list[str]:
        return [identifier for identifier, _ in self.of(np.arange(len(self)))]

    def find(self, ids: Sequence[str]) -> np.ndarray:
        """int64 (m,): the slots of these ids, -1 for those that are not here."""
        places = self._places(ids)
        sorted_in = places >= 0
        found = np.full(len(ids), -1, np.int64)
        found[sorted_in] = self._slots.array[places[sorted_in]]
        if self._recent:
            for position, identifier in enumerate(ids):
                slot = self._recent.get(identifier)
                if slot is not None:
                    found[position] = slot
        return found

    def prepare(self, ids: Sequence[str], texts: Sequence[str]) -> None:
        """Do beside searches what `extend` of these may need; nothing may change the names until `settle`."""
        self._prepared = []
        size = sum(len(each.encode()) for each in chain(ids, texts)) + _HEADER.itemsize * len(ids)
        if self._waste >= max(_WASTE, len(self._records) // 2):
            self._prepared.append(self._clean(len(ids), size))
        else:
            self._starts.prepare(len(ids))
            self._records.prepare(size)
        if len(self._recent) > max(_RECENT, len(self._hashes) // 64):
            self._prepared.append(self._sort_in())

    def settle(self) -> None:
        """Take what `prepare` made."""
        self._starts.settle()
        self._records.settle()
        for take in self._prepared:
            take()
        self._prepared = []

    def extend(self, ids: Sequence[str], texts: Sequence[str]) -> None:
        """Add ids that are not here in new slots at the end."""
        first = len(self)
        self._starts.extend(self._write(ids, texts))
        self._recent.update(zip(ids, range(first, len(self)), strict=True))

    def rewrite(self, slots: np.ndarray, texts: Sequence[str]) -> None:
        """Give these slots other texts."""
        ids = [identifier for identifier, _ in self.of(slots)]
        self._waste += int(self._lengths(slots).sum())
        self._starts.array[slots] = self._write(ids, texts)

    def drop(self, ids: Sequence[str], source: np.ndarray, target: np.ndarray, length: int) -> None:
        """Remove these ids, which are here: what is in the slots `source` goes to `target`, and the first
        `length` slots are kept."""
        self._waste += int(self._lengths(self.find(ids)).sum())
        self._move(ids, np.full(len(ids), -1))
        self._move([identifier for identifier, _ in self.of(source)], target)
        self._starts.array[target] = self._starts.array[source]
        self._starts.resize(length)
        if not length:
            self._records.resize(0)
            self._waste = 0

    def bytes(self) -> int:
        """What is held in memory, without the dict."""
        return sum(rows.bytes() for rows in (self._records, self._starts, self._hashes, self._slots))

    def _lengths(self, slots: np.ndarray) -> np.ndarray:
        """int64 (m,): bytes of the records of these slots."""
        starts = self._starts.array[slots]
        raw = self._records.array[starts[:, None] + np.arange(_HEADER.itemsize)]
        header = np.ascontiguousarray(raw).view(_HEADER).ravel()
        return _HEADER.itemsize + header["id"].astype(np.int64) + header["text"]

    def _write(self, ids: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        """Write records; int64 (m,): where each begins."""
        encoded = [identifier.encode() for identifier in ids]
        bodies = [text.encode() for text in texts]
        header = np.empty(len(ids), _HEADER)
        header["id"] = list(map(len, encoded))
        header["text"] = list(map(len, bodies))
        heads = header.tobytes()
        size = _HEADER.itemsize
        parts = (
            heads[size * row : size * (row + 1)] + identifier + body
            for row, (identifier, body) in enumerate(zip(encoded, bodies, strict=True))
        )
        lengths = size + header["id"].astype(np.int64) + header["text"]
        starts = len(self._records) + np.cumsum(lengths) - lengths
        self._records.extend(np.frombuffer(b"".join(parts), np.uint8))
        return starts

    def _places(self, ids: Sequence[str]) -> np.ndarray:
        """int64 (m,): where these ids are among the sorted hashes, -1 for those that are not."""
        hashes, slots = self._hashes.array, self._slots.array
        wanted = _hashes(ids)
        places = np.searchsorted(hashes, wanted)
        found = np.full(len(ids), -1, np.int64)
        looking = np.flatnonzero(places < len(hashes))
        looking = looking[hashes[places[looking]] == wanted[looking]]
        while len(looking):  # more than once only where two ids have one hash, or an id went and came again
            at = places[looking]
            here = slots[at] >= 0
            names = self.of(slots[at[here]])
            right = [name == ids[position] for (name, _), position in zip(names, looking[here].tolist())]  # noqa: B905
            hit = np.zeros(len(looking), bool)
            hit[here] = right
            found[looking[hit]] = at[hit]
            looking = looking[~hit]
            places[looking] += 1
            looking = looking[places[looking] < len(hashes)]
            looking = looking[hashes[places[looking]] == wanted[looking]]
        return found

    def _move(self, ids: Sequence[str], slots: np.ndarray) -> None:
        places = self._places(ids)
        sorted_in = places >= 0
        self._slots.array[places[sorted_in]] = slots[sorted_in]
        for position in np.flatnonzero(~sorted_in).tolist():
            if slots[position] < 0:
                del self._recent[ids[position]]
            else:
                self._recent[ids[position]] = int(slots[position])

    def _sort_in(self) -> Callable[[], None]:
        fresh = _hashes(list(self._recent))
        order = np.argsort(fresh)
        living = self._slots.array >= 0
        hashes, slots = self._hashes.array[living], self._slots.array[living]
        at = np.searchsorted(hashes, fresh[order])
        added = np.fromiter(self._recent.values(), np.int32, len(fresh))[order]
        merged_hashes, merged_slots = Rows(np.uint64, None, self._folder), Rows(np.int32, None, self._folder)
        merged_hashes.extend(np.insert(hashes, at, fresh[order]))
        merged_slots.extend(np.insert(slots, at, added))

        def take() -> None:
            self._hashes, self._slots, self._recent = merged_hashes, merged_slots, {}

        return take

    def _clean(self, more: int, bytes_more: int) -> Callable[[], None]:
        """The records anew, in the order of their slots, with room for others."""
        starts, records = Rows(np.int64, None, self._folder), Rows(np.uint8, None, self._folder)
        living = int(self._lengths(np.arange(len(self))).sum()) if len(self) else 0
        for rows, room in ((starts, len(self) + more), (records, living + bytes_more)):
            rows.resize(room)
            rows.resize(0)
        for at in range(0, len(self), _CHUNK):
            slots = np.arange(at, min(at + _CHUNK, len(self)))
            lengths = self._lengths(slots)
            ends = np.cumsum(lengths)
            starts.extend(len(records) + ends - lengths)
            within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
            records.extend(self._records.array[np.repeat(self._starts.array[slots], lengths) + within])

        def take() -> None:
            self._starts, self._records, self._waste = starts, records, 0

        return take


def _hashes(ids: Sequence[str]) -> np.ndarray:
    """uint64 (m,), the same in every process."""
    digests = b"".join(hashlib.blake2b(identifier.encode(), digest_size=8).digest() for identifier in ids)
    return np.frombuffer(digests, "<u8")
