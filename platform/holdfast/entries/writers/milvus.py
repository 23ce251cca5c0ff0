"""A second field of vectors in a collection of Milvus."""

from collections.abc import Sequence

import numpy as np

from holdfast.base import DataError
from holdfast.entries.connections import STRONG, MilvusPlace, open_milvus
from holdfast.entries.writers.writer import Target, Writer

_PAGE = 1000  # rows in a request


def open_place(place: str, target: Target) -> Writer:
    """`URI_OR_FILE/COLLECTION`."""
    opened = open_milvus(place)
    try:
        return MilvusWriter(opened, target)
    except BaseException:
        opened.close()
        raise


class MilvusWriter(Writer):
    """Updates rows by their primary key; their other fields stay."""

    def __init__(self, opened: MilvusPlace, target: Target) -> None:
        self._opened, self._vector = opened, target.vector
        self.place = self.identity = f"{opened.place} ({target.vector})"
        if target.id is not None:
            raise DataError(f"The ids of {opened.place} are its primary key, {opened.key}: leave --id out.")
        if opened.release is not None and not opened.release.updates_parts:
            raise DataError(
                f"{opened.place} is of Milvus {opened.release.text}, where a row that is given a further "
                "vector may lose its other fields: upgrade the server to 2.6.2 or newer."
            )
        found = opened.fields.get(target.vector)
        if found is None:
            self._add(target)
        elif found.get("params", {}).get("dim") != target.dimension:
            raise DataError(
                f"The field {target.vector!r} of {opened.place} is no vector of {target.dimension} "
                f"dimensions, as those of {target.version} are: name another one with --vector."
            )
        self._integers = opened.fields[opened.key]["type"].name.startswith("INT")
        with opened.asking():
            opened.client.load_collection(opened.name)

    def _add(self, target: Target) -> None:
        from pymilvus import DataType

        opened = self._opened
        try:
            with opened.asking():
                opened.client.add_collection_field(
                    opened.name, target.vector, DataType.FLOAT_VECTOR, dim=target.dimension, nullable=True
                )
        except DataError as error:
            raise DataError(
                f"This Milvus cannot add a field of vectors to {opened.place}: make a collection that has "
                f"{target.vector!r} (FLOAT_VECTOR, dim {target.dimension}) beside the others, and push there."
            ) from error
        self.is_new = True
        opened.refresh()

    def write(self, ids: Sequence[str], vectors: np.ndarray) -> Sequence[str]:
        missing: list[str] = []
        key, client, name = self._opened.key, self._opened.client, self._opened.name
        for start in range(0, len(ids), _PAGE):
            some = ids[start : start + _PAGE]
            keys = [self._key(each) for each in some]
            with self._opened.asking():
                known = [each for each in keys if each is not None]
                asked = {"ids": known, "output_fields": [key], "consistency_level": STRONG}
                found = client.get(name, **asked) if known else []
                there = {row[key] for row in found}
                missing += [each for each, at in zip(some, keys, strict=True) if at not in there]
                rows = [
                    {key: at, self._vector: vectors[start + row].tolist()}
                    for row, at in enumerate(keys)
                    if at is not None and at in there
                ]
                if rows:
                    client.upsert(name, rows, partial_update=True)
        return missing

    def _key(self, name: str) -> int | str | None:
        if not self._integers:
            return name
        is_key = name.isascii() and name.removeprefix("-").isdecimal() and str(int(name)) == name
        return int(name) if is_key and abs(int(name)) < 2**63 else None

    def close(self) -> None:
        self._opened.close()
