"""The few calls to Milvus that an index needs, with its traps closed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from holdfast.base import (
    MAX_ATTRIBUTES,
    MAX_ID_BYTES,
    ConfigError,
    StoreError,
    hide_in_url,
    import_extra,
    milvus_release,
)

_PAGE = 1000
_STRONG = "Strong"  # a request sees everything that was written before it


class State(NamedTuple):
    """How far the collections are: the number of the last write in them, who wrote it, and the nonce of the
    mark that the database has of it."""

    seq: int = 0
    feeder: str = ""
    nonce: str = ""


class Milvus:
    """A connection to a Milvus server, or to a file of milvus-lite, which one process at a time may open.

    Every method raises StoreError, with the server's words, where Milvus fails; the first one of all if the
    server's release is too old. Safe for many threads.

    Args:
        uri: `http://HOST:PORT` or a path that ends in `.db`.
    """

    def __init__(self, uri: str, token: str = "") -> None:
        pymilvus = import_extra("pymilvus", "milvus", "Milvus needs pymilvus", ConfigError)
        self._types = pymilvus.DataType
        self._error = pymilvus.MilvusException
        self.uri = uri
        self._ready: set[str] = set()
        self._is_file = uri.endswith(".db")
        with self._asking():
            self._client = pymilvus.MilvusClient(uri, token=token, timeout=10)
            said = "" if self._is_file else str(self._client.get_server_version(timeout=10))
        try:
            # milvus-lite has no index of arrays
            self._indexes_arrays = not self._is_file and milvus_release(said).indexes_arrays
        except ValueError as error:
            self._client.close()
            raise StoreError(f"Milvus at {hide_in_url(uri)} cannot be used: {error}.") from error

    def close(self) -> None:
        """Close the connection; the server of a file goes as well."""
        self._client.close()
        if self._is_file:
            from milvus_lite.server_manager import server_manager_instance

            server_manager_instance.release_server(self.uri)

    def collections(self) -> list[str]:
        with self._asking():
            return list(self._client.list_collections())

    def ready(self, name: str) -> bool:
        """Whether the collection is there and can be searched. One without indexes is as if it were not: its
        maker died before it held any row."""
        if name not in self._ready:
            with self._asking():
                if not self._client.has_collection(name) or not self._client.list_indexes(name):
                    return False
                self._client.load_collection(name)  # a server that was started again may not have
            self._ready.add(name)
        return True

    def drop(self, name: str) -> None:
        self._ready.discard(name)
        with self._asking():
            self._client.drop_collection(name)

    def create_entries(self, name: str, dimension: int, algorithm: str, build: Mapping[str, Any]) -> None:
        """A collection of entries: id, seq, vector, attributes as JSON text, and what filters ask of them."""
        types = self._types
        self.drop(name)
        with self._asking():
            schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
            schema.add_field("id", types.VARCHAR, is_primary=True, max_length=MAX_ID_BYTES)
            schema.add_field("seq", types.INT64)
            schema.add_field("vector", types.FLOAT_VECTOR, dim=dimension)
            # The text as the database has it, not JSON: nobody is to write its numbers anew.
            schema.add_field("attributes", types.VARCHAR, max_length=65_535)
            schema.add_field("terms", types.ARRAY, element_type=types.INT64, max_capacity=MAX_ATTRIBUTES)
            schema.add_field("numbers", types.JSON)
            indexes = self._client.prepare_index_params()
            indexes.add_index("vector", index_type=algorithm, metric_type="IP", params=dict(build))
            if self._indexes_arrays:
                indexes.add_index("terms", index_type="INVERTED")
            self._client.create_collection(
                name, schema=schema, index_params=indexes, consistency_level=_STRONG
            )

    def create_state(self, name: str) -> None:
        """The collection that says how far the others are."""
        types = self._types
        self.drop(name)
        with self._asking():
            schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
            schema.add_field("id", types.VARCHAR, is_primary=True, max_length=16)
            schema.add_field("seq", types.INT64)
            schema.add_field("mark", types.VARCHAR, max_length=64)
            schema.add_field("vector", types.FLOAT_VECTOR, dim=2)  # a collection has to have one
            indexes = self._client.prepare_index_params()
            indexes.add_index("vector", index_type="FLAT", metric_type="IP")
            self._client.create_collection(
                name, schema=schema, index_params=indexes, consistency_level=_STRONG
            )

    def state(self, name: str) -> State:
        rows = self.query(name, 'id == "state"', ["seq", "mark"])
        if not rows:
            return State()
        # A Holdfast of before wrote no nonce.
        feeder, _, nonce = str(rows[0]["mark"]).partition(" ")
        return State(int(rows[0]["seq"]), feeder, nonce)

    def write_state(self, name: str, state: State) -> None:
        mark = f"{state.feeder} {state.nonce}"
        self.upsert(name, [{"id": "state", "seq": state.seq, "mark": mark, "vector": [1.0, 0.0]}])

    def upsert(self, name: str, rows: list[dict[str, Any]]) -> None:
        with self._asking():
            self._client.upsert(name, rows)

    def delete(self, name: str, where: str) -> None:
        with self._asking():
            self._client.delete(name, filter=where)

    def query(
        self, name: str, where: str, fields: Sequence[str], limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Rows that match, in no order; at most `limit`, which has to be given where all match."""
        bounds = {} if limit is None else {"limit": limit}
        with self._asking():
            return list(
                self._client.query(
                    name, filter=where, output_fields=list(fields), consistency_level=_STRONG, **bounds
                )
            )

    def count(self, name: str) -> int:
        return int(self.query(name, "", ["count(*)"])[0]["count(*)"])

    def scan(self, name: str, fields: Sequence[str], last: int) -> Iterator[dict[str, Any]]:
        """All rows, in pages of numbers: pymilvus pages by ids, and does not escape them.

        `last`: the greatest number of a row that is known of.
        """
        for first in range(0, last + 1, _PAGE):
            yield from self.query(name, f"seq >= {first} and seq < {min(first + _PAGE, last + 1)}", fields)
        yield from self.query(name, f"seq > {last}", fields)

    def search(
        self,
        name: str,
        vector: np.ndarray,
        limit: int,
        where: str,
        fields: Sequence[str],
        parameters: Mapping[str, Any],
    ) -> list[tuple[float, dict[str, Any]]]:
        """Inner product and fields of the nearest rows that match."""
        with self._asking():
            (hits,) = self._client.search(
                name,
                [vector],
                limit=limit,
                filter=where,
                output_fields=list(fields),
                search_params={"metric_type": "IP", "params": dict(parameters)},
                consistency_level=_STRONG,
            )
        return [(float(hit["distance"]), dict(hit["entity"])) for hit in hits]

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise StoreError(f"Milvus at {hide_in_url(self.uri)} failed: {error.message}") from error
