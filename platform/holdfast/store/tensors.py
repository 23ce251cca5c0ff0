"""Named arrays as safetensors bytes with a checksum, so that a damaged cache is noticed."""

import hashlib
import json
import struct
from collections.abc import Mapping

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save


def pack(tensors: Mapping[str, np.ndarray]) -> bytes:
    """safetensors bytes whose metadata hold a digest of names, types, shapes and contents."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    return save(contiguous, metadata={"digest": _digest(contiguous)})


def unpack(data: bytes) -> dict[str, np.ndarray]:
    """The arrays again. Raises ValueError if a byte changed."""
    try:
        tensors = load(data)
        length = struct.unpack("<Q", data[:8])[0]
        expected = json.loads(data[8 : 8 + length])["__metadata__"]["digest"]
    except (SafetensorError, struct.error, ValueError, KeyError) as error:
        raise ValueError(f"not safetensors with a digest: {error}") from error
    if _digest(tensors) != expected:
        raise ValueError("the contents do not match their digest")
    return tensors


def _digest(tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()
