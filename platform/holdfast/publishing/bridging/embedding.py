"""What two versions make of the same images, a batch in memory at a time."""

import hashlib
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from PIL import Image

from holdfast.backfill import READERS, UnreadableError
from holdfast.base import InvalidImageError, TooManyPixelsError, bad_norms
from holdfast.models import Model, decode_image
from holdfast.publishing.bridging.distorting import distort
from holdfast.publishing.bridging.material import Item, Material

BATCH = 64
_MANY = 20
"""So many times as many items as are wanted are tried, before the rest is taken to be of no use too."""
_SINGLE = 5

OnEmbedded = Callable[[int, int], None]
View = Callable[[Image.Image, np.random.Generator], Image.Image]
_SIDES = ("old", "new")


@dataclass(frozen=True, eq=False)
class Embedded:
    """Images by both versions.

    Attributes:
        positions: int64 (n,), in the material.
        old, new: float32 (n, d).
        tried: how many items it took.
        old_views, new_views: the same of views of each, float32 (v, n, d); v is 0 where none were asked for.
    """

    positions: np.ndarray
    old: np.ndarray
    new: np.ndarray
    tried: int
    old_views: np.ndarray
    new_views: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)


class BothEmbedder:
    """Embeds items by both versions; what is of no use is counted by reason, and stepped over."""

    def __init__(self, old: Model, new: Model, names: tuple[str, str], seed: int) -> None:
        self._models = {"old": old, "new": new}
        self._names = dict(zip(("old", "new"), names, strict=True))
        self._seed = seed
        self.left_out: Counter[str] = Counter()

    def embed(
        self,
        material: Material,
        positions: np.ndarray,
        wanted: int,
        watch: OnEmbedded,
        views: int = 0,
        view: View = distort,
    ) -> Embedded:
        """`wanted` of the items at these positions, the first that are of use; fewer if there are no more.

        Args:
            views: embed so many views of each as well, which `view` makes.
        """
        where = {identifier: position for position, identifier in enumerate(material.ids)}
        kinds = [*_SIDES, *(f"{side}{number}" for side in _SIDES for number in range(views))]
        made: dict[str, list[np.ndarray]] = {kind: [] for kind in kinds}
        kept: list[int] = []
        at = 0
        with ThreadPoolExecutor(READERS) as readers:
            while len(kept) < wanted and at < min(len(positions), _MANY * wanted + 1000):
                step = positions[at : at + wanted - len(kept)]
                at += len(step)
                reading = material.read(step)
                while items := tuple(islice(reading, BATCH)):
                    for identifier, vectors in self._batch(items, readers, views, view):
                        kept.append(where[identifier])
                        for kind, vector in vectors.items():
                            made[kind].append(vector)
                    watch(len(kept), wanted)
        old, new = (self._stacked(side, [made[side]], len(kept))[0] for side in _SIDES)
        seen = [
            self._stacked(side, [made[f"{side}{number}"] for number in range(views)], len(kept))
            for side in _SIDES
        ]
        return Embedded(np.array(kept, np.int64), old, new, at, *seen)

    def _stacked(self, side: str, rows: list[list[np.ndarray]], count: int) -> np.ndarray:
        """float32 (v, n, d), also where one of these is 0."""
        return np.array(rows, np.float32).reshape(len(rows), count, self._models[side].dimension)

    def _batch(
        self, items: tuple[Item, ...], readers: ThreadPoolExecutor, views: int, view: View
    ) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        looked = list(readers.map(lambda item: self._look(item, views, view), items))
        good = []
        for item, one in zip(items, looked, strict=True):
            if isinstance(one, str):
                self.left_out[one] += 1
            else:
                good.append((item, one))
        vectors: list[dict[str, np.ndarray]] = [
            {kind: row for kind, row in (("old", item.old), ("new", item.new)) if row is not None}
            for item, _ in good
        ]
        for kind in {kind for _, pixels in good for kind in pixels}:
            rows = [number for number, (_, pixels) in enumerate(good) if kind in pixels]
            embedded = self._models[kind[:3]].embed(np.stack([good[number][1][kind] for number in rows]))
            for number, row in zip(rows, embedded, strict=True):
                vectors[number][kind] = row
        for (item, _), found in zip(good, vectors, strict=True):
            if any(len(bad_norms(row[None])) for row in found.values()):
                self.left_out["embedded as something of no direction"] += 1
            else:
                yield item.id, found

    def _look(self, item: Item, views: int, view: View) -> dict[str, np.ndarray] | str:
        """The prepared images by what is to be made of them, or why there are none."""
        lacking = [kind for kind, row in (("old", item.old), ("new", item.new)) if row is None]
        if not lacking and not views:
            return {}
        for kind in lacking:
            if "image" not in self._models[kind].takes:
                return f"{self._names[kind]} embeds no images, and has no vector of it"
        if item.load is None:
            return "no image"
        try:
            data = item.load()
            found = {kind: self._models[kind].prepare(data) for kind in lacking}
            generator = self._generator(item.id)
            picture = decode_image(data) if views else None
            for number in range(views):
                assert picture is not None
                seen = view(picture, generator)
                found |= {f"{side}{number}": model.prepare(seen) for side, model in self._models.items()}
            return found
        except UnreadableError as error:
            return str(error)
        except TooManyPixelsError:
            return "too many pixels"
        except InvalidImageError:
            return "not an image"

    def _generator(self, identifier: str) -> np.random.Generator:
        digest = hashlib.blake2b(identifier.encode(), digest_size=8).digest()
        return np.random.default_rng([self._seed, int.from_bytes(digest, "little")])


@dataclass(frozen=True)
class Pace:
    """What embedding costs on this machine.

    Attributes:
        image: seconds for an image of the new version, of many: reading, preparing, embedding.
        old_query, new_query: milliseconds for one image by itself. None for a version that embeds none.
    """

    image: float | None = None
    old_query: float | None = None
    new_query: float | None = None


def probe(material: Material, positions: np.ndarray, old: Model, new: Model) -> Pace:
    """From at most 64 images."""
    items = list(material.read(positions[:BATCH]))
    started = time.perf_counter()
    with ThreadPoolExecutor(READERS) as readers:
        contents = [data for data in readers.map(_content, items) if data is not None]
        if not contents or "image" not in new.takes:
            return Pace(None, _single(old, contents), None)
        new.embed(np.stack(list(readers.map(new.prepare, contents))))
    image = (time.perf_counter() - started) / len(contents)
    return Pace(image, _single(old, contents), _single(new, contents))


def _single(model: Model, contents: list[bytes]) -> float | None:
    if "image" not in model.takes or not contents:
        return None
    times = []
    for data in contents[:_SINGLE]:
        started = time.perf_counter()
        model.embed(model.prepare(data)[None])
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def _content(item: Item) -> bytes | None:
    try:
        return None if item.load is None else item.load()
    except UnreadableError:
        return None
