"""The number formats in which vectors are answered, Cohere's and Jina's among them."""

from typing import Any, Literal

import numpy as np

from holdfast_serving.replica import to_base64

Encoding = Literal["float", "base64", "int8", "uint8", "binary", "ubinary"]


def encode(vectors: np.ndarray, encoding: Encoding) -> np.ndarray:
    """float32 (n, d) of unit norm -> (n, d), or (n, ceil(d / 8)) of bits.

    `int8`: each vector by a scale of its own, so that its largest number becomes 127 or -127; what is
    compared by cosine needs no more. `uint8`: 128 more. `ubinary`: one bit a number, 1 above zero, eight to
    a byte, the first one highest; zeros fill the last byte. `binary`: 128 less, as int8.
    """
    match encoding:
        case "float" | "base64":
            return vectors.astype("<f4", copy=False)
        case "int8":
            return _scaled(vectors).astype(np.int8)
        case "uint8":
            return (_scaled(vectors) + 128).astype(np.uint8)
        case "ubinary":
            return np.packbits(vectors > 0, axis=1)
        case "binary":
            return (np.packbits(vectors > 0, axis=1).astype(np.int16) - 128).astype(np.int8)


def as_rows(vectors: np.ndarray, encoding: Encoding) -> list[Any]:
    """As the JSON of `answer` takes them: arrays of numbers, or base64 of float32, little endian."""
    encoded = encode(vectors, encoding)
    if encoding == "base64":
        return [to_base64(row) for row in encoded]
    return list(encoded)


def _scaled(vectors: np.ndarray) -> np.ndarray:
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scaled: np.ndarray = np.rint(vectors * (127 / largest))
    return scaled
