"""Retrieval metrics of one query version over a gallery: exact, blockwise, in bounded memory.

Definitions, each for one query whose class has R items in the gallery:

- Recall@k: 1 if at least one of the k nearest gallery items has the query's class, else 0 (the
  metric-learning reading; information retrieval calls it hit rate).
- AP@R: sum over the ranks r <= R that hold a relevant item of precision at r, divided by R (Musgrave et al.,
  "A Metric Learning Reality Check", ECCV 2020, equation 2). mAP@R is its mean over the queries. As R =
  min(R, k) at k = R, this is also mAP@k with the usual normaliser.

Nearness is the inner product of float32 vectors; equal products are ranked by gallery position.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from holdfast.adapters import AS_THEY_ARE, Meeting
from holdfast.base import DataError
from holdfast.data import number_classes
from holdfast.evaluation.ranking import ranked

TOP = 5
_BYTES_PER_RANK = 64  # what a block holds for one rank of one query: values, positions, hits, precisions


@dataclass(frozen=True, eq=False)
class Scores:
    """The outcome of every query, in the order of the queries, so that two outcomes can be paired.

    A query without a relevant item in the gallery scores 0 everywhere; `relevant` tells which those are.
    """

    recall_at_1: np.ndarray  # float32 (q,), 0 or 1
    recall_at_5: np.ndarray  # float32 (q,), 0 or 1
    ap_at_r: np.ndarray  # float32 (q,), in [0, 1]
    relevant: np.ndarray  # int64 (q,), R
    top: np.ndarray  # int64 (q, 5), gallery positions, best first; -1 where the gallery has fewer
    similarity: np.ndarray  # float32 (q, 5), inner products of `top`; NaN where `top` is -1

    def __len__(self) -> int:
        return len(self.recall_at_1)

    def percent(self) -> dict[str, float]:
        """Means over the queries, in percent: `recall_at_1`, `recall_at_5`, `map_at_r`."""
        return {
            "recall_at_1": 100.0 * float(self.recall_at_1.mean(dtype=np.float64)),
            "recall_at_5": 100.0 * float(self.recall_at_5.mean(dtype=np.float64)),
            "map_at_r": 100.0 * float(self.ap_at_r.mean(dtype=np.float64)),
        }

    def outcome(self) -> "Outcome":
        """What is worth keeping when the rankings are not."""
        return Outcome(self.recall_at_1 > 0, self.percent())


@dataclass(frozen=True, eq=False)
class Outcome:
    """A scored pair without its rankings: a byte a query, for paired comparisons, and the means.

    Attributes:
        hits: bool (q,), whether the nearest gallery item had the query's class.
        means: as `Scores.percent` gives them.
    """

    hits: np.ndarray
    means: Mapping[str, float]

    def percent(self) -> Mapping[str, float]:
        """Means over the queries, in percent: `recall_at_1`, `recall_at_5`, `map_at_r`."""
        return self.means


def score(
    queries: np.ndarray,
    query_labels: np.ndarray,
    gallery: np.ndarray,
    gallery_labels: np.ndarray,
    *,
    leave_one_out: bool = False,
    block_bytes: int = 64 * 2**20,
) -> Scores:
    """Search every query in the gallery and score the ranking.

    `queries` is float32 (q, d) and `gallery` float32 (n, d); the labels, (q,) and (n,), are integers or
    strings. With `leave_one_out` query i is gallery item i, and is not searched for itself. At most about
    `block_bytes` are needed beyond the arguments and the result, plus one row of similarities per thread
    where a single row is larger than that.

    Raises `DataError` for an empty side, shapes that do not match, and values that are not finite.
    """
    _check(queries, query_labels, gallery, gallery_labels, leave_one_out)
    whole = Part(gallery, np.arange(len(gallery)))
    return _score(queries, query_labels, [whole], gallery_labels, leave_one_out, block_bytes)


@dataclass(frozen=True, eq=False)
class Part:
    """The entries of a gallery that lie in one space, and how queries meet them.

    Attributes:
        items: float32 (m, d_p), as they are stored.
        positions: int64 (m,), the places of these entries in the gallery.
    """

    items: np.ndarray
    positions: np.ndarray
    meeting: Meeting = AS_THEY_ARE


def score_parts(
    queries: np.ndarray,
    query_labels: np.ndarray,
    parts: Sequence[Part],
    gallery_labels: np.ndarray,
    *,
    block_bytes: int = 64 * 2**20,
) -> Scores:
    """`score` over a gallery whose entries lie in several spaces: one ranking, by calibrated product.

    Parts that are met alike become one. Every block of queries is mapped once for each that needs it, so
    memory does not grow with their number. `similarity` is what the ranking is by.
    Raises `DataError` as `score`, and where the parts are not the whole gallery, each entry once.
    """
    _check_side("queries", queries, query_labels)
    parts = [part for part in parts if len(part.positions)]
    for part in parts:
        _check_side("gallery", part.items, gallery_labels[part.positions])
        if part.meeting.adapter is None:
            _check_widths(queries, part.items)
    places = np.concatenate([part.positions for part in parts]) if parts else np.empty(0, np.int64)
    if not np.array_equal(np.sort(places), np.arange(len(gallery_labels))):
        raise DataError("The parts of a gallery have to hold each of its entries once.")
    return _score(queries, query_labels, _joined(parts), gallery_labels, False, block_bytes)


def _joined(parts: Sequence[Part]) -> list[Part]:
    """The parts that are met alike as one, in the order of the gallery."""
    alike: dict[tuple[object, ...], list[Part]] = {}
    for part in parts:
        meeting = part.meeting
        alike.setdefault((id(meeting.adapter), meeting.maps, meeting.shift), []).append(part)
    joined = []
    for own in alike.values():
        positions = np.concatenate([part.positions for part in own])
        order = np.argsort(positions)
        items = np.concatenate([part.items for part in own])[order]
        joined.append(Part(items, positions[order], own[0].meeting))
    return joined


def _score(
    queries: np.ndarray,
    query_labels: np.ndarray,
    parts: Sequence[Part],
    gallery_labels: np.ndarray,
    leave_one_out: bool,
    block_bytes: int,
) -> Scores:
    vectors = torch.from_numpy(np.ascontiguousarray(queries, dtype=np.float32))
    spaces = [_Space(part, alone=len(parts) == 1 and part.meeting.shift == 0.0) for part in parts]
    count = len(gallery_labels)
    query_codes, item_codes, relevant = _encode(query_labels, gallery_labels)
    relevant = relevant - 1 if leave_one_out else relevant
    searchable = count - 1 if leave_one_out else count
    codes = torch.from_numpy(item_codes)

    result = Scores(
        recall_at_1=np.zeros(len(vectors), np.float32),
        recall_at_5=np.zeros(len(vectors), np.float32),
        ap_at_r=np.zeros(len(vectors), np.float32),
        relevant=relevant,
        top=np.full((len(vectors), TOP), -1, np.int64),
        similarity=np.full((len(vectors), TOP), np.nan, np.float32),
    )
    # One buffer for all blocks: writing to fresh pages costs more than the product itself.
    width = count + max(space.extra for space in spaces)
    most = block_rows(width, min(TOP, searchable), block_bytes)
    buffer = torch.empty(min(len(vectors), most), count)
    for rows, depth in _blocks(relevant, width, searchable, block_bytes):
        chosen = torch.from_numpy(rows)
        block, products = vectors[chosen], buffer[: len(rows)]
        for space in spaces:
            space.compare(block, products)
        if leave_one_out:
            products[torch.arange(len(rows)), chosen] = -torch.inf
        values, positions = ranked(products, depth)
        hits = codes[positions] == torch.from_numpy(query_codes[rows]).unsqueeze(1)
        shown = min(TOP, depth)
        result.recall_at_1[rows] = hits[:, 0].numpy()
        result.recall_at_5[rows] = hits[:, :shown].any(dim=1).numpy()
        result.ap_at_r[rows] = _average_precision(hits, torch.from_numpy(relevant[rows])).numpy()
        result.top[rows, :shown] = positions[:, :shown].numpy()
        result.similarity[rows, :shown] = values[:, :shown].numpy()
    return result


class _Space:
    """A part of the gallery as tensors."""

    def __init__(self, part: Part, alone: bool) -> None:
        items = part.meeting.entries(part.items)
        self.items = torch.from_numpy(np.ascontiguousarray(items, dtype=np.float32))
        self.positions = None if alone else torch.from_numpy(part.positions)
        self.meeting = part.meeting
        self.extra = 0 if alone else len(part.items)
        """Similarities of a query that are held beside those of the whole gallery."""

    def compare(self, block: torch.Tensor, products: torch.Tensor) -> None:
        """Write the similarities of queries (b, d) to this part into its columns of `products` (b, n)."""
        block = torch.from_numpy(self.meeting.queries(block.numpy()))
        if self.positions is None:
            torch.mm(block, self.items.T, out=products)
        else:
            own = torch.mm(block, self.items.T)
            products.index_copy_(1, self.positions, own.add_(self.meeting.shift))


def block_rows(width: int, depth: int, block_bytes: int) -> int:
    """How many queries are searched at once when `width` products and `depth` ranks of each are held."""
    return max(1, block_bytes // (4 * width + _BYTES_PER_RANK * depth))


def _blocks(
    relevant: np.ndarray, width: int, searchable: int, block_bytes: int
) -> Iterator[tuple[np.ndarray, int]]:
    """Queries in blocks of similar R, so that one class of thousands does not deepen every search."""
    order = np.argsort(-relevant, kind="stable")
    descending = relevant[order]
    start = 0
    while start < len(order):
        depth = min(max(int(descending[start]), TOP), searchable)
        stop = min(start + block_rows(width, depth, block_bytes), len(order))
        if depth > 64:
            shallower = int(np.searchsorted(-descending, -(depth // 2), side="right"))
            stop = min(stop, max(shallower, start + 1))
        yield order[start:stop], depth
        start = stop


def _average_precision(hits: torch.Tensor, relevant: torch.Tensor) -> torch.Tensor:
    """AP@R (b,) of hits (b, depth), where depth is at least every R that the gallery can hold."""
    ranks = torch.arange(1, hits.shape[1] + 1)
    counted = hits & (ranks <= relevant.unsqueeze(1))
    precision = counted.cumsum(dim=1).to(torch.float64).div_(ranks).mul_(counted)
    return (precision.sum(dim=1) / relevant.clamp(min=1)).to(torch.float32)


def _encode(
    query_labels: np.ndarray, gallery_labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels as class numbers (-1: not in the gallery), and R of every query."""
    classes, item_codes, counts = number_classes(gallery_labels)
    asked = number_classes(query_labels)
    places = np.searchsorted(classes, asked.names).clip(max=len(classes) - 1)
    found, known = places[asked.codes], (classes[places] == asked.names)[asked.codes]
    relevant = np.where(known, counts[found], 0).astype(np.int64)
    return np.where(known, found, -1).astype(np.int64), item_codes, relevant


def _check(
    queries: np.ndarray,
    query_labels: np.ndarray,
    gallery: np.ndarray,
    gallery_labels: np.ndarray,
    leave_one_out: bool,
) -> None:
    _check_side("queries", queries, query_labels)
    _check_side("gallery", gallery, gallery_labels)
    _check_widths(queries, gallery)
    if leave_one_out and (len(queries) != len(gallery) or not np.array_equal(query_labels, gallery_labels)):
        raise DataError("Leave-one-out evaluation needs the same images, in the same order, on both sides.")
    if leave_one_out and len(gallery) < 2:
        raise DataError("Leave-one-out evaluation needs at least two images.")


def _check_side(side: str, vectors: np.ndarray, labels: np.ndarray) -> None:
    if vectors.ndim != 2 or len(vectors) != len(labels):
        raise DataError(
            f"The {side} of an evaluation need one label a vector: "
            f"got vectors of shape {vectors.shape} and {len(labels)} labels."
        )
    if len(vectors) == 0:
        raise DataError(f"The {side} of an evaluation are empty: at least one vector is needed.")
    if not np.isfinite(vectors).all():
        raise DataError(f"The {side} of an evaluation hold values that are NaN or infinite.")


def _check_widths(queries: np.ndarray, gallery: np.ndarray) -> None:
    if queries.shape[1] != gallery.shape[1]:
        raise DataError(
            f"Queries of dimension {queries.shape[1]} cannot search a gallery "
            f"of dimension {gallery.shape[1]}."
        )
