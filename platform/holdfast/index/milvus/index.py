"""Milvus as the index, for galleries that no machine holds. It follows the same entries as the others."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self
from uuid import uuid4

import numpy as np

from holdfast.base import ConflictError, version_number
from holdfast.filters import Filter
from holdfast.index import (
    AS_THEY_ARE,
    Capabilities,
    Held,
    Hit,
    ReadWriteLock,
    Way,
    candidates,
    scores_through,
)
from holdfast.index.milvus.client import Milvus, State
from holdfast.index.milvus.config import MilvusConfig
from holdfast.index.milvus.filters import among, expression, filterable
from holdfast.store import Changes, Mark

_CHUNK = 1000  # rows a request: well under the server's 64 MB, whatever the entries hold
_MOST = 16_384  # hits that Milvus gives


class MilvusIndex:
    """A collection a version, since versions differ in width, and so that each has an index of its own, made
    for its vectors; and one small collection that says how far they are.

    That number is written after the rows, and a row is replaced by its id: after a crash in between the same
    rows are applied once more, and nothing changes.

    Milvus gives no view of several collections at one moment. An entry that moves to another version is
    written there before it is removed here, the versions are searched oldest first, and of two finds of an id
    the newer counts: so another process that searches meanwhile finds it once. It may miss it for that moment
    where it moves to an older version, or to one that had no entries yet. The feeding process itself waits.

    The number comes with the mark that the database has of it: an index of another database, or of another
    history of it, is not believed.

    Only one process feeds. It leaves its name with the number; who finds another's name stops. Two that write
    at the very same moment are not kept apart by that: start the feeder once, beside the writer.

    Args:
        config: where it is. Raises ConfigError where pymilvus is missing, StoreError where Milvus is not
            reached.
    """

    kind = "milvus"

    def __init__(self, config: MilvusConfig) -> None:
        self.config = config
        self.capabilities = Capabilities(
            exact=False,
            recall=1.0 if config.algorithm == "FLAT" else config.recall,
            tolerance=1e-5,
            maps_entries=False,
            remote=True,
            durable=True,
            place=f"milvus-{hashlib.sha256(f'{config.uri} {config.name}'.encode()).hexdigest()[:32]}",
            feeds=config.feeds,
            filters=frozenset({"equals", "in", "range", "not", "or"}),
        )
        self._milvus = Milvus(config.uri, config.token.get_secret_value())
        self._feeder = uuid4().hex[:24]
        self._counts: dict[str, int] = {}
        self.applied = 0
        self.mark: Mark | None = None
        if config.feeds:
            if not self._milvus.ready(self._state):
                self._milvus.create_state(self._state)
            self._read_state()
            self._write_state()
            if not self.applied:
                self._drop_all()  # somebody died while it cleared, or the state was lost
            self._counts = self._counted()
        else:
            self.follow()

    def close(self) -> None:
        """Give the connection back; with milvus-lite, the file as well."""
        self._milvus.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def follow(self) -> int:
        """How far the feeding process is."""
        if not self.config.feeds and self._milvus.ready(self._state):
            before = self.mark
            self._read_state()
            if self.mark != before:
                self._counts = self._counted()
        return self.applied

    def overdue(self) -> None:
        """Milvus looks after its indexes itself."""

    def save(self, lock: ReadWriteLock) -> bool:
        """Milvus keeps what it holds; False."""
        return False

    def versions(self) -> list[str]:
        """The versions that have entries, oldest first."""
        return list(self._counts)

    def count(self) -> dict[str, int]:
        """Entries by version, as of the last change that was applied or followed."""
        return dict(self._counts)

    def bytes(self) -> int:
        """None of the vectors is here."""
        return 0

    def prepare(self, changes: Changes) -> None:
        """Nothing of `apply` holds up searches: they are the server's."""

    def apply(self, changes: Changes) -> None:
        """Follow the database by these rows (each id at most once).

        Raises ConflictError if another process feeds the same collections, StoreError if Milvus fails.
        """
        if not len(changes):
            return
        self._require_feeder()
        by_version: dict[str, list[int]] = {}
        for position, vector in enumerate(changes.vectors):
            if vector is not None:
                by_version.setdefault(changes.versions[position], []).append(position)
        for version, positions in by_version.items():
            self._put(version, changes, positions)
        for version in self._collections():
            here = set(by_version.get(version, ()))
            self._remove(version, [name for at, name in enumerate(changes.ids) if at not in here])
        self._counts = self._counted()
        self.applied, self.mark = changes.seqs[-1], changes.mark
        self._write_state()

    def clear(self) -> None:
        """Drop the collections. Raises ConflictError if another process feeds them."""
        self._require_feeder()
        # First, so that a crash in between does not leave a number without its rows.
        self.applied, self.mark = 0, None
        self._write_state()
        self._drop_all()
        self._counts = {}

    def search(
        self,
        vector: np.ndarray,
        k: int,
        versions: Sequence[str],
        allowed: Filter | None = None,
        ways: Mapping[str, Way] = MappingProxyType({}),
    ) -> list[Hit]:
        """The k best over these versions, best first; equal ones in the order of their ids.

        Everything that was applied before is seen (consistency level Strong). Raises StoreError.
        """
        where = expression(allowed)
        newest: dict[str, tuple[int, Hit]] = {}
        counts = self._counts
        for version in (name for name in counts if name in set(versions)):  # oldest first, see above
            way = ways.get(version, AS_THEY_ARE)
            for row, score in self._nearest(version, counts[version], vector, k, where, way):
                hit = Hit(row["id"], score, version, json.loads(row["attributes"]), score + way.shift)
                if hit.id not in newest or newest[hit.id][0] < row["seq"]:
                    newest[hit.id] = row["seq"], hit
        return sorted((hit for _, hit in newest.values()), key=lambda hit: (-hit.calibrated, hit.id))[:k]

    def keys(self) -> Iterator[tuple[str, str]]:
        """Version and id of every entry."""
        for version in self._counts:
            for row in self._milvus.scan(self._collection(version), ["id"], self.applied):
                yield version, row["id"]

    def held(self, version: str, ids: Sequence[str]) -> dict[str, Held]:
        """By id, the vector's bytes and the attributes as JSON of those that Milvus has."""
        found: dict[str, Held] = {}
        for start in range(0, len(ids) if version in self._counts else 0, _CHUNK):
            chunk = among(ids[start : start + _CHUNK])
            fields = ["id", "vector", "attributes"]
            for row in self._milvus.query(self._collection(version), chunk, fields):
                found[row["id"]] = np.asarray(row["vector"], "<f4").tobytes(), row["attributes"]
        return found

    def _nearest(
        self, version: str, there: int, vector: np.ndarray, k: int, where: str, way: Way
    ) -> list[tuple[dict[str, Any], float]]:
        asked = vector if way.query is None else way.query
        fields = ["id", "seq", "attributes"]
        if way.through is None:
            hits = self._asked(version, there, asked, k, where, fields)
            return [(row, score) for score, row in hits]
        hits = self._asked(version, there, asked, candidates(k), where, [*fields, "vector"])
        rows = [row for _, row in hits]
        vectors = np.array([row["vector"] for row in rows], np.float32)
        scores = scores_through(way.through, vectors, vector)
        return list(zip(rows, scores.tolist(), strict=True))

    def _asked(
        self, version: str, there: int, vector: np.ndarray, k: int, where: str, fields: list[str]
    ) -> list[tuple[float, dict[str, Any]]]:
        limit = min(k, _MOST)
        parameters = dict(self.config.search)
        if "ef" in parameters:  # HNSW refuses a breadth below the number of hits
            parameters["ef"] = max(int(parameters["ef"]), limit)
        name = self._collection(version)
        hits = self._milvus.search(name, vector, limit, where, fields, parameters)
        if len(hits) < limit and (where or len(hits) < there):
            # A graph loses its way where few entries match: then these are compared one by one.
            rows = self._milvus.query(name, where, list({*fields, "vector"}), _MOST)
            if len(rows) > len(hits):
                scores = np.array([row["vector"] for row in rows], np.float32) @ vector
                best = np.argsort(-scores, kind="stable")[:limit]
                return [(float(scores[at]), rows[at]) for at in best]
        return hits

    def _put(self, version: str, changes: Changes, positions: list[int]) -> None:
        name = self._collection(version)
        first = changes.vectors[positions[0]]
        assert first is not None
        if not self._milvus.ready(name):
            self._milvus.create_entries(name, len(first) // 4, self.config.algorithm, self.config.build)
        for start in range(0, len(positions), _CHUNK):
            rows = []
            for position in positions[start : start + _CHUNK]:
                terms, numbers = filterable(changes.attributes[position])
                rows.append(
                    {
                        "id": changes.ids[position],
                        "seq": changes.seqs[position],
                        "vector": np.frombuffer(changes.vectors[position] or b"", "<f4"),
                        "attributes": changes.attributes[position],
                        "terms": terms,
                        "numbers": numbers,
                    }
                )
            self._milvus.upsert(name, rows)

    def _remove(self, version: str, ids: list[str]) -> None:
        """Remove what is there of these: a removal of what is not there would cost Milvus a tombstone."""
        name = self._collection(version)
        for start in range(0, len(ids) if version in self._counts else 0, _CHUNK):
            found = self._milvus.query(name, among(ids[start : start + _CHUNK]), ["id"])
            if found:
                self._milvus.delete(name, among([row["id"] for row in found]))

    def _counted(self) -> dict[str, int]:
        counts = {version: self._milvus.count(self._collection(version)) for version in self._collections()}
        return {version: counts[version] for version in counts if counts[version]}

    def _collections(self) -> list[str]:
        """The versions that have a collection, oldest first."""
        own = re.compile(rf"{re.escape(self.config.name)}_(v\d+)")
        names = [match for name in self._milvus.collections() if (match := own.fullmatch(name))]
        found = [match[1] for match in names if self._milvus.ready(match[0])]
        return sorted(found, key=version_number)

    def _collection(self, version: str) -> str:
        return f"{self.config.name}_{version}"

    @property
    def _state(self) -> str:
        return f"{self.config.name}_state"

    def _drop_all(self) -> None:
        for version in self._collections():
            self._milvus.drop(self._collection(version))

    def _read_state(self) -> None:
        state = self._milvus.state(self._state)
        self.applied, self.mark = state.seq, Mark(state.seq, state.nonce) if state.nonce else None

    def _write_state(self) -> None:
        nonce = "" if self.mark is None else self.mark.nonce
        self._milvus.write_state(self._state, State(self.applied, self._feeder, nonce))

    def _require_feeder(self) -> None:
        if not self.config.feeds or self._milvus.state(self._state).feeder != self._feeder:
            raise ConflictError(
                f"Another process feeds the collections {self.config.name}_* at {self.config.uri}: one "
                "process feeds a gallery, the others search it (feeds: false); another gallery needs another "
                "name."
            )
