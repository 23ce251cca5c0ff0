"""The index on a real server, of the oldest Milvus that works. Collections are few: each takes it seconds."""

import json
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from holdfast.base import DataError, StoreError
from holdfast.entries.connections import open_milvus
from holdfast.entries.readers import Layout, open_reader, roles_of
from holdfast.entries.writers import Target, open_writer
from holdfast.filters import parse_filter
from holdfast.index import MilvusConfig, MilvusIndex
from holdfast.index.milvus.client import Milvus
from holdfast.store import Changes
from tests.fixtures.milvus_server import milvus_server  # noqa: F401
from tests.fixtures.vector_databases import fill_milvus

pytest.importorskip("pymilvus", reason="pip install 'holdfast[milvus]'")
pytestmark = pytest.mark.long
ROWS = np.eye(8, dtype="<f4")
ATTRIBUTES: list[dict[str, Any]] = [
    {"n": 1, "tag": "x"},
    {"n": 2.5, "tag": ["x", "y"]},
    {"n": -3, "on": True},
    {"tag": 'it\'s "quoted"'},
    {},
]
NAMES = ["a", "b", "c", 'd "quoted"', "e"]


@pytest.fixture(scope="module")
def config(milvus_server: str) -> MilvusConfig:  # noqa: F811
    return MilvusConfig(uri=milvus_server, name="ours")


@pytest.fixture(scope="module")
def index(config: MilvusConfig) -> Iterator[MilvusIndex]:
    """Five entries of v1, of which one has moved to v2 and another is deleted again."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = MilvusIndex(config)
    names, vectors = [*NAMES, "f"], [ROWS[n].tobytes() for n in range(6)]
    attributes = [json.dumps(each) for each in (*ATTRIBUTES, {"n": 2})]
    made.apply(Changes(names, list(range(1, 7)), ["v1"] * 6, vectors, attributes))
    moved = [json.dumps(ATTRIBUTES[1]), "{}"]
    made.apply(Changes(["b", "f"], [7, 8], ["v2", "v1"], [ROWS[1].tobytes(), None], moved))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (None, NAMES),
        ({"n": {"gte": 1}}, ["a", "b"]),
        ({"n": {"gt": 1, "lte": 2.5}}, ["b"]),
        ({"not": {"n": {"gte": 1}}}, ["c", NAMES[3], "e"]),
        ({"tag": {"in": ["y", 'it\'s "quoted"']}}, ["b", NAMES[3]]),
        ({"not": {"tag": "x"}}, ["c", NAMES[3], "e"]),
        ({"or": [{"on": True}, {"n": {"lt": 2}, "tag": "x"}]}, ["a", "c"]),
        ({"and": [{"or": [{"n": 1}, {"n": 2.5}]}, {"not": {"n": 1}}]}, ["b"]),
    ],
)
def test_filters_mean_what_they_mean_everywhere(
    index: MilvusIndex, asked: dict[str, Any] | None, found: list[str]
) -> None:
    allowed = parse_filter(asked) if asked is not None else None
    hits = index.search(ROWS[0], 10, ["v1", "v2"], allowed)
    assert sorted(hit.id for hit in hits) == sorted(found)
    assert all(hit.attributes == ATTRIBUTES[NAMES.index(hit.id)] for hit in hits)


def test_another_process_finds_it_as_it_was_left(index: MilvusIndex, config: MilvusConfig) -> None:
    with MilvusIndex(config) as other:
        assert (other.applied, other.count()) == (8, {"v1": 4, "v2": 1})
        assert sorted(other.keys()) == sorted([*(("v1", name) for name in NAMES if name != "b"), ("v2", "b")])
        assert other.held("v2", ["b"]) == {"b": (ROWS[1].tobytes(), json.dumps(ATTRIBUTES[1]))}
        best = other.search(ROWS[1], 1, ["v1", "v2"])[0]
        assert (best.id, best.embedded_by) == ("b", "v2")
        assert best.score == pytest.approx(1, abs=1e-5)


def test_it_works_without_an_index_of_arrays_which_it_would_refuse(
    index: MilvusIndex, config: MilvusConfig
) -> None:
    assert not index._milvus._indexes_arrays
    milvus = Milvus(config.uri)
    milvus._indexes_arrays = True
    with pytest.raises(StoreError, match=r"(?i)index"):
        milvus.create_entries("refused", 8, "HNSW", {"M": 8, "efConstruction": 32})


def test_one_that_is_too_old_is_refused_at_connection(
    config: MilvusConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pymilvus = pytest.importorskip("pymilvus")
    monkeypatch.setattr(pymilvus.MilvusClient, "get_server_version", lambda *_, **__: "v2.2.16")
    with pytest.raises(StoreError, match=r"it is Milvus 2\.2\.16, and Holdfast needs 2\.3\.2 or newer"):
        Milvus(config.uri)
    with pytest.raises(DataError, match=r"cannot be used: it is Milvus 2\.2\.16"):
        open_milvus(f"{config.uri}/ours_v1")


def test_a_gallery_of_others_is_read_and_not_written_in_part(config: MilvusConfig) -> None:
    rows = np.eye(8, dtype=np.float32)[np.arange(40) % 8]
    fill_milvus(config.uri, "photos", rows)
    place, layout = f"milvus:{config.uri}/photos", Layout()
    with open_reader(place, layout) as reader:
        portions = list(reader.portions(roles_of(reader, layout), None, 7))
        assert len(reader) == 40
    keys = [key for portion in portions for key in portion.columns["pk"].to_pylist()]
    vectors = [row for portion in portions for row in portion.columns["emb"].to_pylist()]
    assert keys == [str(number) for number in range(40)]
    assert np.array_equal(np.array(vectors, np.float32), rows)
    with pytest.raises(DataError, match=r"of Milvus .*2\.3\.5.* may lose its other fields"):
        open_writer(place, Target("v2", 8, "holdfast_v2"))
