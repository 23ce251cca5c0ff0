"""Named arrays as safetensors bytes with a checksum, so that a damaged cache is noticed."""

import hashlib
import json
import re
import struct
from collections.abc import Mapping

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from holdfast.base import NotFoundError
from holdfast.store.artifacts import Artifacts
from holdfast.store.versions import Versions


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


class Tensors:
    """Arrays that are kept under a version's contract: a cache, replaceable, with a checksum.

    Another database over the same artifacts has other versions of these names, and finds what is here only
    where it has the same contract.
    """

    def __init__(self, artifacts: Artifacts, versions: Versions) -> None:
        self._artifacts, self._versions = artifacts, versions

    def save(self, version: str, name: str, tensors: Mapping[str, np.ndarray]) -> None:
        """Keep arrays in place of those before of this name."""
        self._artifacts.replace(self._path(version, name), pack(tensors))

    def load(self, version: str, name: str) -> dict[str, np.ndarray]:
        """The arrays that were kept. Raises NotFoundError when there are none, or they are damaged."""
        path = self._path(version, name)
        try:
            return unpack(self._artifacts.read(path))
        except ValueError as error:
            raise NotFoundError(f"{path} is damaged ({error}) and has to be computed again.") from error

    def _path(self, version: str, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            raise ValueError(f"{name!r} cannot name tensors: use letters, digits, '.', '_' and '-'")
        return f"tensors/{self._versions.get(version).contract}/{name}.safetensors"


def _digest(tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()
