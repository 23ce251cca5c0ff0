"""Vectors in slots 0..n-1 without holes, found by compact codes and ranked by half precision on disk."""

from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np

from holdfast.gallery.config import IndexConfig
from holdfast.gallery.flat import FlatVectors, best, scores_of
from holdfast.gallery.ivf import search_parameters, trained
from holdfast.gallery.rows import Rows
from holdfast.gallery.snapshot_files import Loading, Saving
from holdfast.gallery.vectors import Through

WAITING = 1024  # changed vectors that are compared one by one before they go into the lists together
_LEAST = 30  # candidates that are ranked again at least
_FEW = 4096  # matching entries up to which a filtered search compares them all
_MOST_RAISED = 8.0  # times as many lists are read under a filter
_CHUNK = 65_536


class QuantizedVectors:
    """Codes in lists, read for the nearest lists only; the best candidates are ranked again by their vectors
    of half precision, which lie in a mapped file.

    FAISS keeps duplicate ids silently, and its removal reads all lists. So a changed vector first waits among
    a few that are compared one by one; its old code stays behind, which does no harm, since a candidate is
    ranked by its vector and not by its code. When many wait they replace their old codes together.

    Args:
        index: trained lists (IVF) that hold nothing yet, or codes of the slots whose vectors are in `halves`.
        nprobe: how many lists a search reads.
        rerank: candidates for every hit.
        halves: float16 (n, d).
        trained_on: the number of entries that the lists were made for.
    """

    def __init__(self, index: Any, nprobe: int, rerank: int, halves: Rows, trained_on: int) -> None:
        self.dimension = int(index.d)
        self.nprobe = min(nprobe, int(index.nlist))
        self.rerank = rerank
        self.trained_on = trained_on
        self.index = index
        self._halves = halves
        self._decoder = faiss.IndexScalarQuantizer(
            self.dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        self._decoder.ntotal = index.ntotal  # as the next line wants it, until `_point` tells the truth
        self._ranker = faiss.IndexRefine(index, self._decoder)
        self._waiting = FlatVectors(self.dimension)
        self._waiting_slots = np.empty(0, np.int64)
        self._position: dict[int, int] = {}  # of a slot among those that wait
        self._coded = len(halves)  # slots below this may have a code
        self._stale = False  # whether there may be a code of a slot that waits or is gone
        self._plain: tuple[tuple[int, int, int], Any] | None = None
        self._point()

    @classmethod
    def train(
        cls, sample: np.ndarray, entries: int, config: IndexConfig, folder: Path | None
    ) -> "QuantizedVectors":
        """Empty, for so many entries like the sample, float32 (m, d); the vectors lie in `folder`."""
        index = trained(sample, entries, config)
        halves = Rows(np.float16, sample.shape[1], folder)
        return cls(index, config.nprobe or 16, config.candidates, halves, entries)

    @classmethod
    def load(cls, files: Loading, folder: Path | None) -> Self:
        """As `save` wrote it; the vectors of half precision are mapped."""
        index, known = files.index("index"), files.noted("searching")
        halves = files.rows("halves", np.float16, int(index.d), folder)
        vectors = cls(index, known["nprobe"], known["rerank"], halves, known["trained_on"])
        vectors._coded, vectors._stale = known["coded"], known["stale"]
        waiting = files.array("waiting", np.int64)
        if len(waiting):
            vectors._wait(waiting)
        return vectors

    def save(self, files: Saving) -> None:
        files.index("index", self.index)
        files.array("halves", self._halves.array)
        files.array("waiting", self._waiting_slots)
        files.note(
            "searching",
            {
                "nprobe": self.nprobe,
                "rerank": self.rerank,
                "trained_on": self.trained_on,
                "coded": self._coded,
                "stale": self._stale,
            },
        )

    @property
    def kind(self) -> str:
        return "quantized"

    def __len__(self) -> int:
        return len(self._halves)

    def bytes(self) -> int:
        codes = int(self.index.ntotal) * (int(self.index.code_size) + 8)
        centroids = int(self.index.nlist) * self.dimension * 4
        return codes + centroids + self._halves.bytes() + self._waiting.bytes()

    def rows(self, slots: np.ndarray) -> np.ndarray:
        return self._decoded(self._halves.array[slots])

    def as_kept(self, vectors: np.ndarray) -> np.ndarray:
        return self._decoded(vectors.astype(np.float16))

    def extend(self, vectors: np.ndarray) -> None:
        first = len(self)
        self._halves.resize(first + len(vectors))
        self._point()
        for at in range(0, len(vectors), _CHUNK):
            part = vectors[at : at + _CHUNK]
            slots = np.arange(first + at, first + at + len(part))
            self._halves.array[slots] = part
            self._wait(slots)

    def replace(self, slots: np.ndarray, vectors: np.ndarray) -> None:
        self._halves.array[slots] = vectors
        self._wait(slots)

    def truncate(self, length: int) -> None:
        if length >= len(self):
            return
        gone = [slot for slot in self._position if slot >= length]
        for slot in gone:
            self._stop_waiting(slot)
        # A code that stays behind finds a vector of zeros, which is better than none only at the very end.
        self._halves.array[length:] = 0
        self._halves.resize(length)
        self._stale = True

    def settle(self) -> None:
        """Let the vectors that wait replace their old codes in the lists."""
        if self._stale:
            gone = np.zeros(max(self._coded, len(self)), bool)
            gone[self._waiting_slots] = True
            gone[len(self) :] = True
            bits = np.packbits(gone, bitorder="little")
            self.index.remove_ids(faiss.IDSelectorBitmap(bits))  # type: ignore[call-arg,arg-type]
        slots = self._waiting_slots
        if len(slots):
            self.index.add_with_ids(self._waiting.array(), slots)
        self._coded = len(self)
        self._stale = False
        self._waiting.truncate(0)
        self._waiting_slots = np.empty(0, np.int64)
        self._position.clear()

    def search(
        self,
        vector: np.ndarray,
        k: int,
        only: np.ndarray | None = None,
        through: Through | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `Vectors.search`. Exact under a filter that few entries match."""
        if only is None and through is None and not self._stale and not self._position:
            scores, slots = self._ranker.search(vector[None], k, params=self._plain_parameters(k))
            if slots[0, -1] >= 0:
                return scores[0], slots[0]
        matching = len(self) if only is None else int(np.count_nonzero(only))
        asked, nprobe = max(self.rerank * k, _LEAST), self.nprobe
        if through is not None:
            asked, nprobe = 2 * max(asked, _LEAST), 2 * nprobe
        if only is not None:
            nprobe = round(nprobe * min(_MOST_RAISED, (len(self) / matching) ** 0.5))
        # Where fewer candidates come back, the lists held hardly any that match.
        enough = k if only is None else min(asked, matching)
        if only is None or matching > max(_FEW, 2 * asked):
            while nprobe < 4 * int(self.index.nlist):
                scores, slots = self._candidates(vector, min(asked, matching), nprobe, only)
                if len(slots) >= enough:
                    if through is not None:
                        scores = scores_of(self, slots, vector, through)
                    return best(scores, slots, k)
                nprobe *= 4
        slots = np.arange(len(self)) if only is None else np.flatnonzero(only)
        return best(scores_of(self, slots, vector, through), slots, k)

    def _candidates(
        self, vector: np.ndarray, count: int, nprobe: int, only: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores and slots of about so many, each once, by their vectors; fewer if these lists hold fewer."""
        parameters = search_parameters(min(nprobe, int(self.index.nlist)), only)
        found_scores, found_slots = self._ranker.search(vector[None], count, params=parameters)
        scores, slots = found_scores[0], found_slots[0]
        if not self._stale and not self._position:
            return (scores, slots) if slots[-1] >= 0 else (scores[slots >= 0], slots[slots >= 0])
        valid = (slots >= 0) & (slots < len(self))
        if self._position:
            valid &= ~np.isin(slots, self._waiting_slots)
            among = None if only is None else only[self._waiting_slots]
            fresh = len(self._waiting) if among is None else int(np.count_nonzero(among))
            if fresh:
                near, positions = self._waiting.search(vector, min(count, fresh), among)
                return (
                    np.concatenate([scores[valid], near]),
                    np.concatenate([slots[valid], self._waiting_slots[positions]]),
                )
        return scores[valid], slots[valid]

    def _plain_parameters(self, k: int) -> Any:
        """Of a search without a filter; made once for the k that is asked for all the time."""
        known, key = self._plain, (k, self.nprobe, self.rerank)
        if known is None or known[0] != key:
            asked = max(self.rerank * k, _LEAST)
            self._plain = known = key, search_parameters(self.nprobe, None, asked / k)
        return known[1]

    def _wait(self, slots: np.ndarray) -> None:
        """Vectors have been written into these slots (no slot twice)."""
        vectors = self.rows(slots)
        known = [row for row, slot in enumerate(slots.tolist()) if slot in self._position]
        if known:
            positions = [self._position[slot] for slot in slots[known].tolist()]
            self._waiting.array()[positions] = vectors[known]
            fresh = np.setdiff1d(np.arange(len(slots)), known)
            slots, vectors = slots[fresh], vectors[fresh]
        first = len(self._waiting)
        self._waiting.extend(vectors)
        self._waiting_slots = np.concatenate([self._waiting_slots, slots])
        self._position.update(zip(slots.tolist(), range(first, first + len(slots)), strict=True))
        self._stale = self._stale or bool((slots < self._coded).any())
        if len(self._position) >= WAITING:
            self.settle()

    def _stop_waiting(self, slot: int) -> None:
        position, last = self._position.pop(slot), len(self._waiting_slots) - 1
        if position != last:
            moved = int(self._waiting_slots[last])
            self._waiting.array()[position] = self._waiting.array()[last]
            self._waiting_slots[position] = moved
            self._position[moved] = position
        self._waiting.truncate(last)
        self._waiting_slots = self._waiting_slots[:last]

    def _decoded(self, halves: np.ndarray) -> np.ndarray:
        # FAISS converts several times as fast as numpy.
        codes = np.ascontiguousarray(halves).view(np.uint8).reshape(len(halves), 2 * self.dimension)
        decoded: np.ndarray = self._decoder.sa_decode(codes)
        return decoded

    def _point(self) -> None:
        """Tell FAISS where the vectors lie: it ranks by them in the mapped file, without a copy."""
        mapped = self._halves.capacity.view(np.uint8)
        codes: Any = self._decoder.codes
        address = faiss.swig_ptr(mapped)
        codes.is_owned = False
        codes.view_data = codes.c_ptr = address
        codes.view_size = codes.c_size = mapped.size
        self._decoder.ntotal = self._ranker.ntotal = len(self._halves.capacity)
