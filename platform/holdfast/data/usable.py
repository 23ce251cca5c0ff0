"""Which rows of a source of vectors can be learned from: those with a label, and with a vector that has a
direction."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from holdfast.base import NORM_TOLERANCE, DataError
from holdfast.data.cache import Items
from holdfast.data.sources import Block, PassedOver, named


def complete_rows(rows: pa.Table, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The rows that have a label and an id that no earlier one has, ascending int64; and what is to be said
    of the others."""
    passed_over = PassedOver()
    kept = np.ones(rows.num_rows, bool)
    names = rows.column("sample_id")
    for column, reason in (("sample_id", "rows without an id"), ("label", "rows without a label")):
        empty = _is_empty(rows.column(column)) & kept
        for row in np.flatnonzero(empty):
            passed_over.add(reason, names[int(row)].as_py() or f"row {row}")
        kept &= ~empty
    places = np.flatnonzero(kept)
    codes = names.take(pa.array(places)).combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.zeros(len(places), bool)
    first[np.unique(codes, return_index=True)[1]] = True
    for row in places[~first]:
        passed_over.add("rows whose id an earlier one has", names[int(row)].as_py())
    return places[first], passed_over.notes(where)


def usable_vectors(
    where: str,
    blocks: Iterator[Block],
    sample_ids: np.ndarray,
    skip: bool,
    progress: Callable[[int, int], None] | None,
    notes: list[str],
) -> Iterator[Items]:
    """Batches of vectors, float32 (b, d) of unit norm, in row order.

    Vectors of another norm are scaled. Those that are not there, of another dimension, not finite or zero are
    left out if they are to be skipped; what is to be said is added to `notes` after the last batch.

    Raises:
        DataError: some are of no use, and are not to be skipped; or all of them are.
    """
    passed_over, total, done, bad, scaled = PassedOver(), len(sample_ids), 0, 0, []
    for block in blocks:
        norms = _norms(block.vectors)
        faults = dict(block.faults)
        for row in np.flatnonzero(~(np.isfinite(norms) & (norms > 0))):
            faults.setdefault(int(row), "zero" if norms[row] == 0 else "not finite")
        for at, fault in sorted(faults.items()):
            passed_over.add(fault, str(sample_ids[done + at]))
        kept = np.setdiff1d(np.arange(len(norms)), list(faults))
        if len(kept):
            vectors, odd = _of_unit_norm(block.vectors[kept], norms[kept])
            scaled.extend(sample_ids[done + kept[odd]])
            yield Items(done + kept, vectors)
        done += len(norms)
        bad += len(faults)
        if progress is not None:
            progress(done, total)
    if bad and (bad == total or not skip):
        advice = "" if skip else " Mend or remove them, or set data.undecodable to skip."
        raise DataError(f"{where}: {bad} of {total} vectors are of no use: {passed_over.counted()}.{advice}")
    if bad:
        notes.append(f"{where}: {bad} of {total} vectors were skipped: {passed_over.counted()}.")
    if scaled:
        notes.append(
            f"{where}: {len(scaled)} vectors were not of norm 1, and are scaled to it ({named(scaled)})."
        )


def _is_empty(column: pa.ChunkedArray) -> np.ndarray:
    blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0)
    return np.asarray(blank.fill_null(True).to_numpy())


def _norms(vectors: np.ndarray) -> np.ndarray:
    """float64 (b,), NaN or infinite where a number is."""
    with np.errstate(invalid="ignore", over="ignore"):
        wide = vectors.astype(np.float64)
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", wide, wide)))


def _of_unit_norm(vectors: np.ndarray, norms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vectors, and which had to be scaled: those that a gallery would not have taken as they are."""
    odd = np.flatnonzero(np.abs(norms - 1.0) > NORM_TOLERANCE)
    if not len(odd):
        return vectors, odd
    scaled = vectors.copy()
    scaled[odd] = (vectors[odd].astype(np.float64) / norms[odd, None]).astype(np.float32)
    return scaled, odd
