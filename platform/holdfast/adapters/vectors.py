"""What vectors must be before anything is fitted to them or mapped."""

import numpy as np

from holdfast.base import DataError, InvalidVectorError

NORM_TOLERANCE = 1e-3


def check_vectors(vectors: np.ndarray, what: str, dimension: int | None = None) -> np.ndarray:
    """The rows as float32 (n, d).

    Raises:
        InvalidVectorError: not a matrix, of another width than `dimension`, or a row that is not finite or
            not of unit norm (within 1e-3). `what` names the matrix in the message.
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or vectors.shape[1] == 0 or vectors.dtype.kind != "f":
        raise InvalidVectorError(
            f"The {what} vectors must be a float matrix (n, d), not {vectors.dtype} {vectors.shape}."
        )
    if dimension is not None and vectors.shape[1] != dimension:
        raise InvalidVectorError(
            f"The {what} vectors have {vectors.shape[1]} dimensions: the adapter maps from {dimension}."
        )
    with np.errstate(invalid="ignore", over="ignore"):
        vectors = vectors.astype(np.float32, copy=False)
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
        bad = np.flatnonzero(~(np.abs(norms - 1.0) <= NORM_TOLERANCE))
    if bad.size:
        row = int(bad[0])
        if not np.isfinite(vectors[row]).all():
            raise InvalidVectorError(f"Row {row} of the {what} vectors holds NaN or infinity.")
        raise InvalidVectorError(
            f"Row {row} of the {what} vectors has norm {norms[row]:.4g}: embeddings have norm 1 "
            f"(within {NORM_TOLERANCE:g})."
        )
    return vectors


def check_pairs(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Source (n, d_s) and target (n, d_t) as float64, in which everything is fitted.

    Raises:
        InvalidVectorError: as `check_vectors`, or the two have not the same number of rows.
        DataError: fewer than two pairs.
    """
    source, target = check_vectors(source, "source"), check_vectors(target, "target")
    if len(source) != len(target):
        raise InvalidVectorError(
            f"{len(source)} source vectors and {len(target)} target vectors make no pairs: row i of both "
            "must be the same image."
        )
    if len(source) < 2:
        raise DataError(f"An adapter cannot be fitted on {len(source)} pairs: give at least 2.")
    return source.astype(np.float64), target.astype(np.float64)
