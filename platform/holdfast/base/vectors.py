"""What a vector must be: a row of finite numbers, of unit norm."""

import numpy as np

from holdfast.base.errors import InvalidVectorError

NORM_TOLERANCE = 1e-3


def as_vector(vector: object, what: str) -> np.ndarray:
    """float32 of anything that is a row of numbers. Raises InvalidVectorError."""
    if isinstance(vector, np.ndarray) and vector.dtype == np.float32:
        return vector
    try:
        array = np.asarray(vector)
        if array.dtype.kind not in "fiu":
            raise TypeError
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidVectorError(f"The vector {what} is not a list of numbers.") from error


def bad_norms(vectors: np.ndarray) -> np.ndarray:
    """Positions of the rows (n, d) that are not finite or not of unit norm."""
    with np.errstate(invalid="ignore", over="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
        return np.flatnonzero(~(np.abs(np.sqrt(squares) - 1.0) <= NORM_TOLERANCE))


def cut_vectors(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    """The first numbers of rows (n, d), float32 (n, dimensions), of unit norm again.

    Raises InvalidVectorError where these are all zero.
    """
    kept = vectors[:, :dimensions].astype(np.float64)
    norms = np.linalg.norm(kept, axis=1, keepdims=True)
    if not norms.all():
        raise InvalidVectorError(
            f"The first {dimensions} numbers of a vector are all zero, and point nowhere: take all "
            f"{vectors.shape[1]}."
        )
    return np.asarray(kept / norms, dtype=np.float32)


def explain_norm(what: str, vector: np.ndarray) -> str:
    if not np.isfinite(vector).all():
        return f"The vector {what} holds NaN or infinity."
    norm = float(np.linalg.norm(vector.astype(np.float64)))
    return f"The vector {what} has norm {norm:.4g}: embeddings have norm 1 (within {NORM_TOLERANCE:g})."
