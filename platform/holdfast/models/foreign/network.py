"""Models that are files: what runs them, and what makes a model of that."""

import tempfile
import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from holdfast.base import InvalidImageError, NotEmbeddableError, cache_folder
from holdfast.models.foreign.description import DESCRIPTION, ForeignConfig, ForeignContract
from holdfast.models.model import Modality, Model, Purpose, RawImage
from holdfast.models.preparation import MAX_PIXELS, Preprocessing

if TYPE_CHECKING:
    import torch

BATCH = 64


class Network(Protocol):
    """What runs the files of a model. Safe to use from many threads; need not survive pickling."""

    def embed_images(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 (b, c, s, s), at most `BATCH` -> float32 (b, dimension), of any norm."""

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """At most `BATCH` texts -> float32 (b, dimension), of any norm. Called only of a model that takes
        text."""


@runtime_checkable
class Movable(Protocol):
    """A network that runs on GPUs as well."""

    def move(self, device: "torch.device") -> None: ...


class FileConfig(ForeignConfig):
    """Base of the configs of models that are files."""

    preprocessing: Preprocessing

    @property
    def takes_text(self) -> bool:
        """Whether a text tower is among the files."""
        return False

    @abstractmethod
    def start(self, folder: Path) -> Network:
        """Load the files. Raises ConfigError for what is no such model, or needs what is not installed."""

    def open(self, folder: Path, contract: ForeignContract) -> Model:
        return FileModel(self, folder, contract)


class FileModel:
    """Files that embed. They are loaded when they are first needed; a pickle carries them along."""

    quantizer = None

    def __init__(self, config: FileConfig, folder: Path, contract: ForeignContract) -> None:
        self.dimension = contract.dimension
        self._config, self._folder, self._contract = config, folder, contract
        self._network: Network | None = None
        self._lock = threading.Lock()

    @property
    def takes(self) -> frozenset[Modality]:
        return frozenset({"image", "text"} if self._config.takes_text else {"image"})

    def contract(self) -> ForeignContract:
        return self._contract

    def prepare(self, image: RawImage, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        """See `Preprocessing.pixels`."""
        return self._config.preprocessing.pixels(image, max_pixels)

    def embed(self, images: np.ndarray | Sequence[Image.Image | bytes]) -> np.ndarray:
        """`images`: uint8 (n, channels, size, size) as `prepare` makes them, or anything it takes."""
        if isinstance(images, np.ndarray):
            self._check_shape(images)
        embeddings = np.empty((len(images), self.dimension), np.float32)
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            if not isinstance(batch, np.ndarray):
                batch = np.stack([self.prepare(image) for image in batch])
            embeddings[start : start + BATCH] = self._started().embed_images(batch)
        return of_unit_norm(embeddings)

    def embed_text(self, texts: Sequence[str], purpose: Purpose | None = None) -> np.ndarray:
        if not self._config.takes_text:
            raise NotEmbeddableError("This version's model has no text tower: it embeds images, and no text.")
        embeddings = np.empty((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), BATCH):
            embeddings[start : start + BATCH] = self._started().embed_texts(texts[start : start + BATCH])
        return of_unit_norm(embeddings)

    def check(self) -> None:
        preprocessing = self._config.preprocessing
        self.embed(np.zeros((1, preprocessing.channels, preprocessing.size, preprocessing.size), np.uint8))
        if self._config.takes_text:
            self.embed_text(["a"])

    def move(self, device: "torch.device") -> bool:
        """Run there from now on; returns False where the network runs on processors alone."""
        network = self._started()
        if not isinstance(network, Movable):
            return False
        network.move(device)
        return True

    def _started(self) -> Network:
        with self._lock:
            if self._network is None:
                self._network = self._config.start(self._folder)
            return self._network

    def _check_shape(self, images: np.ndarray) -> None:
        preprocessing = self._config.preprocessing
        shape = (preprocessing.channels, preprocessing.size, preprocessing.size)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape:
            raise InvalidImageError(
                f"An array of images must be uint8 of shape (n, {', '.join(map(str, shape))}), "
                f"not {images.dtype} {images.shape}; images of other sizes go in as a list of Pillow images."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        names = (*self._contract.files, DESCRIPTION)
        files = {name: (self._folder / name).read_bytes() for name in names}
        return _unpickled, (self._config, self._contract, files)


def of_unit_norm(vectors: np.ndarray) -> np.ndarray:
    """float32 (n, d) of unit norm; what is zero or not finite stays so, to be found out."""
    with np.errstate(invalid="ignore", over="ignore"):
        norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)


def batches_of(pixels: np.ndarray, fixed: int | None) -> Iterator[tuple[np.ndarray, int]]:
    """The batches that a network of a fixed batch size takes, the last one filled up; with each how many of
    it count."""
    if fixed is None:
        yield pixels, len(pixels)
        return
    for start in range(0, len(pixels), fixed):
        batch = pixels[start : start + fixed]
        lacking = np.repeat(batch[-1:], fixed - len(batch), axis=0)
        yield np.concatenate([batch, lacking]), len(batch)


def _unpickled(config: FileConfig, contract: ForeignContract, files: Mapping[str, bytes]) -> FileModel:
    """On another machine, maybe: the files are written where they stay for the next time."""
    folder = cache_folder() / "foreign" / contract.id
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent))
        for name, content in files.items():
            (draft / name).write_bytes(content)
        try:
            draft.rename(folder)
        except OSError:
            # Another process was quicker, with the same files.
            for path in draft.iterdir():
                path.unlink()
            draft.rmdir()
    return FileModel(config, folder, contract)
