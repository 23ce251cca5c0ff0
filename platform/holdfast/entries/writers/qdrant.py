"""A second named vector in a collection of Qdrant."""

import uuid
from collections.abc import Sequence

import numpy as np

from holdfast.base import DataError
from holdfast.entries.connections import QdrantPlace, open_qdrant
from holdfast.entries.writers.writer import Target, Writer

_PAGE = 1000  # points in a request


def open_place(place: str, target: Target) -> Writer:
    """`URL_OR_FOLDER/COLLECTION`."""
    opened = open_qdrant(place)
    try:
        return QdrantWriter(opened, target)
    except BaseException:
        opened.close()
        raise


class QdrantWriter(Writer):
    """Updates points by their ids; their other vectors and payloads stay."""

    def __init__(self, opened: QdrantPlace, target: Target) -> None:
        self._opened, self._vector = opened, target.vector
        self.place = self.identity = f"{opened.place} ({target.vector})"
        if target.id is not None:
            raise DataError(f"The ids of {opened.place} are those of its points: leave --id out.")
        found = opened.vectors.get(target.vector)
        if found is None:
            self._add(target)
        elif int(found.size) != target.dimension:
            raise DataError(
                f"The vector {target.vector!r} of {opened.place} has {found.size} dimensions, those of "
                f"{target.version} have {target.dimension}: name another one with --vector."
            )

    def _add(self, target: Target) -> None:
        from qdrant_client import models

        dense = models.DenseVectorConfig(size=target.dimension, distance=models.Distance.COSINE)
        config = models.DenseVectorNameConfig(dense=dense)
        try:
            with self._opened.asking():
                self._opened.client.create_vector_name(self._opened.name, target.vector, config)
        except DataError as error:
            raise DataError(
                f"{str(error).rstrip('.')}. Its server cannot add a named vector to a collection: make one "
                f"with {target.vector!r} in it, of size {target.dimension}, and push there."
            ) from error
        self.is_new = True

    def write(self, ids: Sequence[str], vectors: np.ndarray) -> Sequence[str]:
        from qdrant_client import models

        missing: list[str] = []
        for start in range(0, len(ids), _PAGE):
            names = ids[start : start + _PAGE]
            points = [_point(name) for name in names]
            with self._opened.asking():
                known = [point for point in points if point is not None]
                there = {
                    point.id
                    for point in self._opened.client.retrieve(
                        self._opened.name, known, with_payload=False, with_vectors=False
                    )
                }
                missing += [name for name, at in zip(names, points, strict=True) if at not in there]
                changed = [
                    models.PointVectors(id=at, vector={self._vector: vectors[start + row].tolist()})
                    for row, at in enumerate(points)
                    if at is not None and at in there
                ]
                if changed:
                    self._opened.client.update_vectors(self._opened.name, changed, wait=True)
        return missing

    def close(self) -> None:
        self._opened.close()


def _point(name: str) -> int | str | None:
    """The id of a point: an unsigned integer or a UUID."""
    if name.isascii() and name.isdecimal() and str(int(name)) == name and int(name) < 2**64:
        return int(name)
    try:
        return str(uuid.UUID(name))
    except ValueError:
        return None
