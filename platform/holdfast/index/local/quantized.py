"""Vectors in slots 0..n-1 without holes, found by compact codes and ranked by half precision on disk."""

from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np

from holdfast.index import IndexConfig
from holdfast.index.local.flat import best, scores_of
from holdfast.index.local.ivf import search_parameters, trained
from holdfast.index.local.rows import Rows
from holdfast.index.local.snapshot_files import Loading, Saving
from holdfast.index.local.vectors import Through

OUTDATED = 4096  # codes of replaced and removed vectors that stay behind before they are removed together,
_FEW_OUTDATED = 16  # or one for so many vectors, where that is more
_LEAST = 30  # candidates that are ranked again at least
_FEW = 4096  # matching entries up to which a filtered search compares them all
_WIDER = 8.0  # times as many matching entries are looked at under a filter that few match, at most
_CHUNK = 65_536


class QuantizedVectors:
    """Codes in lists, read for the nearest lists only; the best candidates are ranked again by their vectors
    of half precision, which lie in a mapped file.

    FAISS keeps duplicate ids silently, and its removal reads all lists. So a changed vector gets a further
    code, and the old one stays behind: that costs a search a candidate and never a wrong answer, because a
    candidate is ranked by its vector. Many old codes are removed together.

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
        self._ranker: Any = faiss.IndexRefine(index, self._decoder)
        self._outdated: list[int] = []  # slots of which one code more than there should be lies in the lists
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
        vectors._outdated = files.array("outdated", np.int64).tolist()
        # Nothing lies behind the end of a loaded file that a code of a removed slot could find.
        vectors.drop_outdated()
        return vectors

    def save(self, files: Saving) -> None:
        files.index("index", self.index)
        files.array("halves", self._halves.array)
        files.array("outdated", np.array(self._outdated, np.int64))
        files.note(
            "searching",
            {
                "nprobe": self.nprobe,
                "rerank": self.rerank,
                "trained_on": self.trained_on,
            },
        )

    @property
    def kind(self) -> str:
        return "quantized"

    @property
    def codes(self) -> str:
        """As `IndexConfig` names them."""
        if not isinstance(self.index, faiss.IndexIVFPQFastScan):
            return "sq8"
        return "pq4" if self.index.by_residual else "orthonormal"

    def __len__(self) -> int:
        return len(self._halves)

    def bytes(self) -> int:
        codes = int(self.index.ntotal) * (int(self.index.code_size) + 8)
        centroids = int(self.index.nlist) * self.dimension * 4
        return codes + centroids + self._halves.bytes()

    def rows(self, slots: np.ndarray) -> np.ndarray:
        return self._decoded(self._halves.array[slots])

    def encode(self, vectors: np.ndarray) -> np.ndarray | None:
        if self.codes != "sq8":  # FAISS adds these to its blocks only while it makes them
            return None
        codes: np.ndarray = self.index.sa_encode(self._decoded(vectors.astype(np.float16)))
        return codes

    def prepare(self, more: int) -> None:
        self._halves.prepare(more)

    def settle(self) -> None:
        self._halves.settle()
        self._point()

    def extend(self, vectors: np.ndarray, codes: np.ndarray | None = None) -> None:
        first = len(self)
        self._halves.resize(first + len(vectors))
        self._point()
        for at in range(0, len(vectors), _CHUNK):
            part = vectors[at : at + _CHUNK]
            slots = np.arange(first + at, first + at + len(part))
            self._halves.array[slots] = part
            self._code(slots, None if codes is None else codes[at : at + _CHUNK])

    def replace(self, slots: np.ndarray, vectors: np.ndarray, codes: np.ndarray | None = None) -> None:
        self._halves.array[slots] = vectors
        self._outdated.extend(slots.tolist())
        self._code(slots, codes)
        self._clean()

    def truncate(self, length: int) -> None:
        if length >= len(self):
            return
        self._outdated.extend(range(length, len(self)))
        # What an outdated code finds behind the end is a vector of zeros.
        self._halves.array[length:] = 0
        self._halves.resize(length)
        self._clean()

    def drop_outdated(self) -> None:
        """Remove the outdated codes."""
        if not self._outdated:
            return
        slots = np.unique(np.array(self._outdated, np.int64))
        gone = np.zeros(max(len(self), int(slots[-1]) + 1), bool)
        gone[slots] = True
        bits = np.packbits(gone, bitorder="little")
        self.index.remove_ids(faiss.IDSelectorBitmap(bits))  # type: ignore[call-arg,arg-type]
        self._outdated.clear()
        self._code(slots[slots < len(self)])

    def search(
        self,
        vector: np.ndarray,
        k: int,
        only: np.ndarray | None = None,
        through: Through | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `Vectors.search`. Exact under a filter that few entries match."""
        if only is None and through is None and (found := self._plainly(vector[None], k)[0]) is not None:
            return found
        outdated = len(self._outdated)
        matching = len(self) if only is None else int(np.count_nonzero(only))
        asked, nprobe = max(self.rerank * k, _LEAST), self.nprobe
        if through is not None:
            asked, nprobe = 2 * asked, 2 * nprobe
        if only is not None:
            # As many matching ones as there would be without a filter, and more: the best lie further apart.
            rarity = len(self) / matching
            nprobe = min(round(nprobe * rarity * min(_WIDER, rarity)), int(self.index.nlist))
        # Where fewer candidates come back, the lists held hardly any that match.
        enough = k if only is None else min(asked, matching)
        spare = min(outdated, asked)
        if only is None or matching > max(_FEW, 2 * asked):
            while nprobe < 4 * int(self.index.nlist):
                scores, slots = self._candidates(vector, min(asked, matching) + spare, nprobe, only)
                if len(slots) >= enough:
                    if through is not None:
                        scores = scores_of(self, slots, vector, through)
                    return best(scores, slots, k)
                nprobe *= 4
                spare = outdated
        slots = np.arange(len(self)) if only is None else np.flatnonzero(only)
        return best(scores_of(self, slots, vector, through), slots, k)

    def search_many(
        self, vectors: np.ndarray, k: int, only: np.ndarray | None = None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """See `Vectors.search_many`. Under a filter each goes by itself: how many lists it has to read shows
        while it reads."""
        if only is not None:
            return [self.search(vector, k, only) for vector in vectors]
        found = self._plainly(vectors, k)
        return [
            self.search(vector, k) if each is None else each
            for vector, each in zip(vectors, found, strict=True)
        ]

    def _plainly(self, vectors: np.ndarray, k: int) -> list[tuple[np.ndarray, np.ndarray] | None]:
        """Without a filter, in one call; None for what these lists do not hold enough of."""
        outdated = len(self._outdated)
        # A few more, in case that some are found twice.
        wanted = k + min(outdated, k)
        asked = np.ascontiguousarray(vectors, np.float32)
        rankings = (
            np.empty((len(asked), wanted), np.float32),
            np.empty((len(asked), wanted), np.int64),
        )
        # FAISS reads as many numbers as it expects, whatever there are.
        if asked.shape[1] != self.dimension:
            raise ValueError(f"queries of {asked.shape[1]} dimensions among vectors of {self.dimension}")
        # As `search` calls it, whose other checks take a tenth of the time of one query.
        addresses = [faiss.swig_ptr(rows) for rows in (asked, *rankings)]
        self._ranker.search_c(
            len(asked), addresses[0], wanted, *addresses[1:], self._plain_parameters(wanted)
        )
        found: list[tuple[np.ndarray, np.ndarray] | None] = []
        for scores, slots in zip(*rankings, strict=True):
            if outdated:
                scores, slots = self._once(scores, slots)
            enough = len(slots) >= k and slots[k - 1] >= 0
            found.append((scores[:k], slots[:k]) if enough else None)
        return found

    def _candidates(
        self, vector: np.ndarray, count: int, nprobe: int, only: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores and slots of about so many, each once, by their vectors; fewer if these lists hold fewer."""
        parameters = search_parameters(min(nprobe, int(self.index.nlist)), only)
        scores, slots = self._ranker.search(vector[None], count, params=parameters)
        return self._once(scores[0], slots[0])

    def _once(self, scores: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Without those found twice, those that are gone, and the places that FAISS left empty."""
        length = len(self)
        first = {
            slot: place for place, slot in reversed(list(enumerate(slots.tolist()))) if 0 <= slot < length
        }
        if len(first) == len(slots):
            return scores, slots
        kept = sorted(first.values())
        return scores[kept], slots[kept]

    def _plain_parameters(self, k: int) -> Any:
        """Of a search without a filter; made once for the number that is asked for all the time."""
        known, key = self._plain, (k, self.nprobe, self.rerank)
        if known is None or known[0] != key:
            asked = max(self.rerank * k, _LEAST)
            self._plain = known = key, search_parameters(self.nprobe, None, asked / k)
        return known[1]

    def _code(self, slots: np.ndarray, codes: np.ndarray | None = None) -> None:
        """Put codes of the vectors in these slots into the lists."""
        if codes is not None:
            self.index.add_sa_codes(codes, slots)
        elif len(slots):
            self.index.add_with_ids(self.rows(slots), slots)

    def _clean(self) -> None:
        if len(self._outdated) >= max(OUTDATED, len(self) // _FEW_OUTDATED):
            self.drop_outdated()

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
