"""Vectors in the place of pixels: what a frozen network makes of each image, computed once and kept.

They are kept in a folder of the network's own, by the content that it saw, in files that are written whole
one after the other: whoever was interrupted, or looks at other rows of the same images, computes the rest.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from safetensors.numpy import save

from holdfast.base import UnsoundError, whole_file
from holdfast.data.cache import Items
from holdfast.data.image_set import DIGEST, image_digest
from holdfast.data.intact import are_intact, note_intact

BLOCK = 4096
"""Images of a file, at most."""
PERIOD = 15.0
"""Seconds after which what is there is written, full or not."""
NORM_TOLERANCE = 1e-3


class Embedder(Protocol):
    """A frozen network; `holdfast.models.Model` is one."""

    dimension: int

    def prepare(self, image: bytes) -> np.ndarray:
        """An encoded image as it is read, of one shape for all. Raises InvalidImageError."""
        ...

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Prepared images (b, ...) -> float32 (b, dimension) of unit norm."""
        ...


@dataclass(frozen=True)
class Featurizer:
    """Decodes images and has a network make vectors of them.

    Attributes:
        contract: what identifies the network's embeddings.
    """

    contract: str
    network: Embedder

    def pixels(self, image: bytes) -> np.ndarray:
        """As the network reads it; of an endpoint an array () of the file."""
        return self.network.prepare(image)

    def model_dump_json(self) -> str:
        """Everything that the vectors depend on."""
        return self.contract

    def finish(self, decoded: Iterable[Items], cache: Path) -> Iterator[Items]:
        """Vectors of decoded images, batch by batch, from the files below `cache` where they have them.

        Raises UnsoundError for a network whose vectors are not finite or not of unit norm.
        """
        kept = Kept(cache / "features" / self.contract, self.network.dimension)
        try:
            for positions, images, _ in decoded:
                digests = [_content(image) for image in images]
                lacking = [row for row, digest in enumerate(digests) if digest not in kept]
                if lacking:
                    made = self.network.embed(np.stack([images[row] for row in lacking]))
                    _require_sound(self.contract, made)
                    kept.add([digests[row] for row in lacking], made)
                yield Items(positions, kept.of(digests), digests)
        finally:
            kept.write()


class Kept:
    """The vectors of one network, float32 (d,), by the digest of what it saw.

    Files that are damaged, or hold another network's vectors, are removed. Any process may add files.
    """

    def __init__(self, folder: Path, dimension: int) -> None:
        self._folder, self._dimension = folder, dimension
        self._mapped: list[np.ndarray] = []
        self._places: dict[bytes, tuple[int, int]] = {}
        self._new: dict[bytes, np.ndarray] = {}
        self._written = time.monotonic()
        for file in sorted(folder.glob("*.safetensors")):
            self._read(file)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._places or digest in self._new

    def of(self, digests: Sequence[bytes]) -> np.ndarray:
        """float32 (n, d), of digests that are all there."""
        rows = np.empty((len(digests), self._dimension), np.float32)
        for row, digest in enumerate(digests):
            found = self._new.get(digest)
            if found is None:
                file, place = self._places[digest]
                found = self._mapped[file][place]
            rows[row] = found
        return rows

    def add(self, digests: Sequence[bytes], vectors: np.ndarray) -> None:
        """Keep vectors (n, d), in a file as soon as they fill one or some time has passed."""
        self._new.update(zip(digests, vectors, strict=True))
        if len(self._new) >= BLOCK or time.monotonic() - self._written > PERIOD:
            self.write()

    def write(self) -> None:
        """Put what is in no file yet into one. Raises DataError where the disk refuses."""
        self._written = time.monotonic()
        if not self._new:
            return
        digests = np.frombuffer(b"".join(self._new), np.uint8).reshape(-1, DIGEST)
        vectors = np.stack(list(self._new.values()))
        content = save({"digests": digests, "vectors": vectors.astype("<f4")})
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{hashlib.sha256(content).hexdigest()}.safetensors"
        with whole_file(file) as draft:
            draft.write_bytes(content)
        note_intact(self._folder, (file.name,))
        self._take(digests, vectors)
        self._new = {}

    def _read(self, file: Path) -> None:
        try:
            if not are_intact(self._folder, {file.name: file.stem}):
                raise ValueError("its content is not that of its name")
            digests, vectors = _map(file)
        except (OSError, KeyError, ValueError):
            file.unlink(missing_ok=True)
            return
        if vectors.shape == (len(digests), self._dimension):
            self._take(digests, vectors)

    def _take(self, digests: np.ndarray, vectors: np.ndarray) -> None:
        number = len(self._mapped)
        self._mapped.append(vectors)
        rows = digests.tobytes()
        for row in range(len(digests)):
            self._places[rows[row * DIGEST : (row + 1) * DIGEST]] = (number, row)


def _map(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Digests and vectors of a file; only what is looked at of the vectors comes into memory."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(length))
    arrays = []
    for name, kind in (("digests", np.uint8), ("vectors", np.dtype("<f4"))):
        start = 8 + length + header[name]["data_offsets"][0]
        arrays.append(np.memmap(file, kind, "r", start, tuple(header[name]["shape"])))
    return np.array(arrays[0]), arrays[1]


def _content(image: np.ndarray) -> bytes:
    """Of what the network is given: of pixels, or of a file."""
    return image_digest(np.frombuffer(image.item(), np.uint8) if image.dtype == object else image)


def _require_sound(contract: str, vectors: np.ndarray) -> None:
    norms = np.linalg.norm(vectors, axis=1)
    if not (np.abs(norms - 1) <= NORM_TOLERANCE).all():
        raise UnsoundError(
            f"The base ({contract}) makes vectors of these images that are not finite or not of unit norm: "
            "nothing can be learned over them."
        )
