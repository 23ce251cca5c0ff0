"""Each database of others, with the real server or library."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.base import DataError
from holdfast.entries.readers import Layout, open_reader, roles_of
from tests.fixtures.vector_databases import (
    fill_lance,
    fill_milvus,
    fill_postgres,
    fill_qdrant,
    pgvector,  # noqa: F401
    run_sql,
)

Read = Callable[..., dict[str, Any]]
Same = Callable[..., bool]


@pytest.fixture
def rows(vectors: Callable[..., np.ndarray]) -> np.ndarray:
    return vectors(40)


def test_a_table_of_pgvector(pgvector: str, rows: np.ndarray, read: Read, same: Same) -> None:  # noqa: F811
    fill_postgres(pgvector, "items", rows)
    found = read(pgvector, table="items", source="file")
    assert same(found, {str(n): rows[n] for n in range(40)})
    assert found["3"][1:] == ["dog", 3.5, '{"size": 3, "tags": ["a"]}']
    with open_reader(pgvector, Layout(table="public.items")) as reader:
        assert (reader.key, reader.vector, reader.dimension) == ("key", "emb", 8)
    query = "SELECT 'e' || key AS name, emb::real[] AS emb FROM items WHERE label LIKE '%at';"
    found = read(pgvector, query=query, id="name", vector="emb")
    assert same(found, {f"e{n}": rows[n] for n in range(0, 40, 2)})
    fill_postgres(pgvector, '"Half"', rows, "halfvec")
    found = read(pgvector, table="Half")
    assert np.allclose(found["7"][0], rows[7], atol=1e-3)
    run_sql(pgvector, "INSERT INTO items (key) VALUES (99)")
    with open_reader(pgvector, Layout(table="items")) as reader:
        (portion,) = reader.portions(roles_of(reader, Layout(table="items")), None, 100)
        assert portion.columns["emb"].null_count == 1


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "Name one of --table and --query"),
        ({"table": "a", "query": "SELECT 1"}, "Name one of --table and --query"),
        ({"table": "nothing"}, 'relation "nothing" does not exist'),
        ({"query": "SELECT now("}, "syntax error"),
        ({"query": "DELETE FROM pg_class"}, "syntax error"),
    ],
)
def test_a_table_that_is_not_there(pgvector: str, said: dict[str, Any], message: str) -> None:  # noqa: F811
    with pytest.raises(DataError, match=message):
        open_reader(pgvector, Layout(**said))


def test_a_password_is_never_shown() -> None:
    with pytest.raises(DataError) as error:
        open_reader("postgresql://me:geheim@127.0.0.1:9/there", Layout(table="a"))
    assert "geheim" not in str(error.value)
    assert str(error.value).startswith("PostgreSQL at postgresql://me:***@127.0.0.1:9/there: connection")


def test_a_named_vector_of_qdrant(tmp_path: Path, rows: np.ndarray, read: Read) -> None:
    place = fill_qdrant(tmp_path / "q", "photos", rows)
    found = read(place, vector="clip", source="file")
    assert found.keys() == {str(n) for n in range(40)}
    assert np.allclose(found["9"][0], rows[9], atol=1e-6)  # normalized there
    assert found["9"][1] == '{"label": "dog", "tags": ["a"]}'
    for other, said, message in (
        (place, {}, "has 2 named vectors: say with --vector which one .clip, other"),
        (place, {"vector": "x"}, "has no vector 'x': it has clip, other"),
        (place, {"id": "label", "vector": "clip"}, "are those of its points: leave --id out"),
        (place + "x", {}, "There is no collection 'photosx' in .*: it has photos"),
        ("qdrant:photos", {}, "names no place: write qdrant:URL_OR_FOLDER/COLLECTION"),
        (f"qdrant:{tmp_path}/photos", {}, "is no folder of Qdrant's local mode"),
        ("qdrant:http://127.0.0.1:9/photos", {}, "Connection refused"),
    ):
        with pytest.raises(DataError, match=message):
            open_reader(other, Layout(**said))


def test_a_table_of_lance(tmp_path: Path, rows: np.ndarray, read: Read, same: Same) -> None:
    place = fill_lance(tmp_path / "l", "photos", rows)
    found = read(place)
    assert same(found, {str(n): rows[n] for n in range(40)})
    assert found["3"][1:] == ["dog", "3.jpg"]
    for other, message in (
        (place + "x", "There is no table 'photosx' in .*: it has photos"),
        ("lancedb:photos", "write lancedb:FOLDER/TABLE"),
        (f"lancedb:{tmp_path}/no/photos", "There is no folder"),
        (f"{tmp_path}/l/photos.lance", "is a table of LanceDB: name it lancedb:.*/l/photos"),
    ):
        with pytest.raises(DataError, match=message):
            open_reader(other, Layout())


def test_a_collection_of_milvus(tmp_path: Path, rows: np.ndarray, read: Read, same: Same) -> None:
    place = fill_milvus(tmp_path / "m.db", "photos", rows, "second")
    found = read(place, vector="emb", source="/p/{file}")
    assert same(found, {str(n): rows[n] for n in range(40)})
    assert found["3"][1:] == ["3.jpg", '{"label": "dog", "tags": ["a"]}']
    for other, said, message in (
        (place, {}, "has 2 fields of float vectors: say with --vector which one .emb, second"),
        (place, {"vector": "x"}, "has no field 'x' of float vectors: it has emb, second"),
        (place, {"id": "label", "vector": "emb"}, "its primary key, pk: leave --id out"),
        (place + "x", {}, "There is no collection 'photosx' in .*: it has photos"),
        ("milvus:no.db/photos", {}, "There is no file no.db of milvus-lite"),
        ("milvus:http://127.0.0.1:9/photos", {}, "Fail connecting to server"),
    ):
        with pytest.raises(DataError, match=message):
            open_reader(other, Layout(**said))
