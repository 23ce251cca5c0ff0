"""A gallery whose index is Milvus, by milvus-lite."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from holdfast.adapters import LinearAdapter, ResidualMLPAdapter
from holdfast.base import ConflictError, IncompatibleError, NotReadyError, StoreError
from holdfast.entries import Entries, Entry
from holdfast.filters import parse_filter
from holdfast.index.milvus.config import MilvusConfig
from holdfast.index.milvus.filters import among, expression
from holdfast.index.milvus.index import MilvusIndex
from holdfast.search import Gallery
from holdfast.store import Compatibility, Store
from holdfast.store.changes import Changes
from holdfast.store.database.schema import marks

pytest.importorskip("pymilvus", reason="pip install 'holdfast[milvus]'")
pytest.importorskip("milvus_lite", reason="pip install 'holdfast[milvus]'")

Tables = dict[str, list[dict[str, object]]]

# Which database makes no difference to the index.
sqlite = pytest.mark.parametrize("place", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = str(tmp_path_factory.mktemp("milvus") / "milvus.db")
    yield path
    from milvus_lite.server_manager import server_manager_instance

    server_manager_instance.release_server(path)


@pytest.fixture
def config(file: str, request: pytest.FixtureRequest) -> MilvusConfig:
    return MilvusConfig(uri=file, name=f"g{abs(hash(request.node.name))}")


@sqlite
def test_a_gallery_searches_by_milvus_and_goes_on_after_a_restart(
    store: Store, config: MilvusConfig, entry: Callable[..., Entry], allow: Callable[..., None]
) -> None:
    gallery = Gallery(store, index=MilvusIndex(config))
    allow("v2", "v1")
    last = gallery.upsert([entry("a", "v1", 1, n=1), entry("b", "v2", 2, n=2), entry("c", "v1", 3)])
    gallery.delete(["c"])
    query = entry("b", "v2", 2).vector
    found = gallery.search(query, "v2", filter={"n": {"in": [1, 2]}}, min_seq=last + 1)
    best = found.hits[0]
    assert (best.id, best.embedded_by, best.attributes) == ("b", "v2", {"n": 2})
    assert (len(found.hits), found.seq) == (2, 4)
    stats = gallery.stats()
    assert (stats.kind, stats.entries, stats.bytes) == ("milvus", {"v1": 1, "v2": 1}, 0)
    assert gallery.verify().ok

    again = Gallery(store, index=MilvusIndex(config))
    asked = []
    original = again.entries.follow
    again.entries.follow = lambda since, *rest: (asked.append(since), original(since, *rest))[1]  # type: ignore[method-assign]
    Entries(store).upsert([entry("d", "v2", 4)])
    assert again.refresh() == 5
    assert asked == [4]
    assert {hit.id for hit in again.search(query, "v2").hits} == {"a", "b", "d"}
    with pytest.raises(NotReadyError):
        again.search(query, "v2", min_seq=6)
    again.rebuild()
    assert again.verify().ok


@sqlite
def test_one_process_feeds_and_others_follow(
    store: Store, config: MilvusConfig, entry: Callable[..., Entry]
) -> None:
    follower = MilvusIndex(config.model_copy(update={"feeds": False}))
    assert (follower.applied, follower.versions()) == (0, [])
    first = MilvusIndex(config)
    reader, gallery = Gallery(store, index=follower), Gallery(store, index=first)
    seq = Entries(store).upsert([entry("a"), entry("b")])
    query = entry("a").vector
    with pytest.raises(NotReadyError):
        reader.search(query, "v1", min_seq=seq)
    gallery.refresh()
    assert len(reader.search(query, "v1", min_seq=seq).hits) == 2
    assert reader.stats().entries == {"v1": 2}
    with pytest.raises(ConflictError, match="one process feeds a gallery"):
        follower.clear()

    second = Gallery(store, index=MilvusIndex(config))
    Entries(store).upsert([entry("c")])
    with pytest.raises(ConflictError, match="Another process feeds"):
        gallery.refresh()
    assert second.refresh() == reader.refresh() == 3
    assert len(gallery.search(query, "v1").hits) == 3  # what it finds is there, it only may not write
    assert second.verify().ok


@sqlite
def test_an_index_that_is_ahead_of_a_restored_database_is_built_anew(
    store: Store, config: MilvusConfig, entry: Callable[..., Entry], vectors: Callable[..., np.ndarray]
) -> None:
    index = MilvusIndex(config)
    index.apply(Changes(["old"], [100], ["v1"], [vectors(1, seed=9)[0].tobytes()], ["{}"]))
    Entries(store).upsert([entry("a")])
    gallery = Gallery(store, index=index)
    assert gallery.verify().ok
    assert [hit.id for hit in gallery.search(entry("a").vector, "v1").hits] == ["a"]


@sqlite
@pytest.mark.parametrize("later", ["x", "xy", "xyz", "de"], ids=lambda names: f"then-{names}")
def test_collections_of_a_lost_history_are_not_believed(
    store: Store,
    config: MilvusConfig,
    entry: Callable[..., Entry],
    later: str,
    contents: Callable[[Store], Tables],
    restore: Callable[[Store, Tables], None],
) -> None:
    entries, query = Entries(store), entry("a").vector
    entries.upsert([entry(name) for name in "abc"])
    backup = contents(store)
    entries.upsert([entry(name) for name in "de"])
    running = Gallery(store, index=MilvusIndex(config))
    follower = Gallery(store, index=MilvusIndex(config.model_copy(update={"feeds": False})))
    assert len(follower.search(query, "v1").hits) == 5
    restore(store, backup)
    entries.upsert([entry(name, seed=5) for name in later])
    follower.refresh()
    with pytest.raises(NotReadyError, match="another history of this one"):
        follower.search(query, "v1")
    if later == "x":  # the one that feeds it notices, or the one that comes after it
        running.refresh()
    else:
        running = Gallery(store, index=MilvusIndex(config))
    follower.refresh()
    for gallery in (running, follower):
        assert {hit.id for hit in gallery.search(query, "v1").hits} == {*"abc", *later}
    assert running.verify().ok
    # What it says now holds: it is not built once more.
    again = MilvusIndex(config)
    assert again.applied == 3 + len(later)
    again.clear = lambda: pytest.fail("it is believed")  # type: ignore[method-assign]
    assert Gallery(store, index=again).verify().ok


@sqlite
@pytest.mark.parametrize("lost", ["a collection", "some rows", "the state", "everything"])
def test_what_milvus_has_lost_is_brought_there_again(
    store: Store, config: MilvusConfig, entry: Callable[..., Entry], lost: str
) -> None:
    gallery = Gallery(store, index=MilvusIndex(config))
    gallery.upsert([entry("a"), entry("b"), entry("c", "v2")])
    gallery.delete(["b"])
    index = gallery._index
    assert isinstance(index, MilvusIndex)
    milvus, names = index._milvus, [f"{config.name}_v1", f"{config.name}_v2", f"{config.name}_state"]
    if lost == "some rows":
        milvus.delete(names[0], 'id == "a"')
    for name in {"a collection": names[:1], "the state": names[2:], "everything": names}.get(lost, []):
        milvus.drop(name)
    again = Gallery(store, index=MilvusIndex(config))
    assert again.verify().ok
    assert again.stats().entries == {"v1": 1, "v2": 1}


@sqlite
def test_marks_of_milvus_do_not_pile_up(
    store: Store, config: MilvusConfig, entry: Callable[..., Entry]
) -> None:
    gallery = Gallery(store, index=MilvusIndex(config))
    for number in range(4):
        gallery.upsert([entry(f"e{number}")])
    with store.engine.connect() as connection:
        left = connection.execute(select(marks.c.seq).where(marks.c.left_by.like("milvus-%"))).scalars().all()
    assert sorted(left) == [3, 4]  # the one that Milvus has, and the one before, in case that it had not


@sqlite
def test_linear_adapters_are_turned_around_and_others_refused(
    store: Store, config: MilvusConfig, vectors: Callable[..., np.ndarray]
) -> None:
    generator = np.random.default_rng(0)
    linear = LinearAdapter.of(generator.normal(size=(8, 16)), 0.1 * generator.normal(size=16))
    gallery = Gallery(store, index=MilvusIndex(config))
    rows = vectors(60)
    gallery.upsert([Entry(f"e{n}", "v1", row, {"even": n % 2 == 0}) for n, row in enumerate(rows)])

    def register(adapter: LinearAdapter | ResidualMLPAdapter) -> None:
        row = store.adapters.register("v4", "v1", adapter)
        measured = Compatibility("v4", "v1", 0.7, 0.6, 0.0, 0.2, True, "e", adapter=row.digest)
        store.compatibility.record([measured])
        gallery.refresh()

    register(linear)
    query = vectors(1, 16, seed=3)[0]
    for raw, matching in ((None, range(60)), ({"even": True}, range(0, 60, 2))):
        found = gallery.search(query, "v4", filter=raw)
        scores = {f"e{n}": float(linear.apply(rows[n][None])[0] @ query) for n in matching}
        assert [hit.id for hit in found.hits] == sorted(scores, key=lambda name: -scores[name])[:10]
        assert all(np.isclose(hit.score, scores[hit.id], atol=1e-5) for hit in found.hits)
        assert found.adapted == ["v1"]
    hidden = generator.normal(size=(8, 4)).astype(np.float32)
    outer = np.ones((4, 16), np.float32)
    register(
        ResidualMLPAdapter(linear.matrix, hidden, np.zeros(4, np.float32), outer, np.zeros(16, np.float32))
    )
    with pytest.raises(
        IncompatibleError, match=r"between v4 and v1.*residual-mlp.*register a linear adapter"
    ):
        gallery.search(query, "v4")


ROWS = np.eye(4, dtype="<f4")
NEXT = ["a", "b", "c"], ["v1", "v2", "v1"], [None, ROWS[2].tobytes(), ROWS[3].tobytes()], ["{}"] * 3


class Crash(BaseException):
    """Nobody catches this."""


def test_a_crash_at_any_step_loses_nothing_and_leaves_nothing_twice(
    config: MilvusConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, versions, vectors, attributes = NEXT
    begin = ["v1", "v1", "v1"], [ROWS[0].tobytes(), ROWS[1].tobytes(), None]
    writes = ["create_entries", "upsert", "delete", "write_state"]
    seq = 0
    for step in range(20):
        index = MilvusIndex(config)
        index.apply(Changes(ids, [seq + 1, seq + 2, seq + 3], *begin, attributes))
        left = step

        def crash(call: Callable[..., None]) -> Callable[..., None]:
            def counted(*arguments: object) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Crash
                call(*arguments)

            return counted

        with monkeypatch.context() as patched:
            for name in writes:
                patched.setattr(index._milvus, name, crash(getattr(index._milvus, name)))
            change = Changes(ids, [seq + 4, seq + 5, seq + 6], versions, vectors, attributes)
            with suppress(Crash):
                index.apply(change)
        again = MilvusIndex(config)
        ended = left >= 0
        assert again.applied == (seq + 6 if ended else seq + 3)
        again.apply(change)
        assert (again.applied, again.count()) == (seq + 6, {"v1": 1, "v2": 1})
        assert sorted(again.keys()) == [("v1", "c"), ("v2", "b")]
        assert again.held("v2", ["b"])["b"] == (ROWS[2].tobytes(), "{}")
        assert {hit.id for hit in again.search(ROWS[2], 10, ["v1", "v2"])} == {"b", "c"}
        seq += 6
        if ended:
            break
    assert ended
    assert step >= 4


KILLED = """
import os, sys
import numpy as np
from holdfast.store.changes import Changes
from holdfast.index.milvus.index import MilvusIndex
from holdfast.index.milvus.config import MilvusConfig

index = MilvusIndex(MilvusConfig(uri=sys.argv[1]))
rows = np.eye(4, dtype="<f4")
index.apply(Changes(["a"], [1], ["v1"], [rows[0].tobytes()], ["{}"]))
index._write_state = lambda: os.kill(os.getpid(), 9)
index.apply(Changes(["b"], [2], ["v1"], [rows[1].tobytes()], ["{}"]))
"""


def test_a_killed_process_leaves_what_was_applied(tmp_path: Path) -> None:
    uri = str(tmp_path / "killed.db")
    run = subprocess.run([sys.executable, "-c", KILLED, uri], capture_output=True, text=True)
    assert run.returncode == -9, run.stderr
    with MilvusIndex(MilvusConfig(uri=uri)) as index:
        assert index.applied == 1
        index.apply(Changes(["b"], [2], ["v1"], [ROWS[1].tobytes()], ["{}"]))
        assert (index.applied, index.count(), sorted(index.keys())) == (
            2,
            {"v1": 2},
            [("v1", "a"), ("v1", "b")],
        )


@pytest.mark.parametrize("between", ["upsert", "remove"])
def test_an_entry_on_its_way_to_another_version_is_found_once(config: MilvusConfig, between: str) -> None:
    index = MilvusIndex(config)
    index.apply(Changes(["a"], [1], ["v1"], [ROWS[0].tobytes()], ['{"n":1}']))
    seen = []
    remove = index._remove

    def look(version: str, ids: list[str]) -> None:
        if between == "remove":
            remove(version, ids)
        index._counts = index._counted()
        seen.append([(hit.id, hit.embedded_by) for hit in index.search(ROWS[0], 10, ["v1", "v2"])])
        remove(version, ids)

    index._remove = look  # type: ignore[method-assign]
    index.apply(Changes(["a"], [2], ["v2"], [ROWS[1].tobytes()], ['{"n":2}']))
    assert seen == [[("a", "v2")]] * len(seen)
    assert seen


def test_expressions_hold_no_text_of_users_but_quoted_ids() -> None:
    assert expression(None) == ""
    written = expression(parse_filter({'"] or 1 == 1': {"in": ['"', "\\"]}, "price": {"gte": 1, "lt": 2.5}}))
    assert set(written) <= set('ARRAY_CONTAINS_ANY(terms, [0123456789]) and exists numbers["nabcdef"] >= < .')
    assert written.endswith("< 2.5")
    assert '(exists numbers["' in written
    assert ">= 1.0" in written
    assert among(['a"b', "c\\", "d\n"]) == 'id in ["a\\"b", "c\\\\", "d\\n"]'


def test_a_config_names_what_is_wrong() -> None:
    for wrong in ({"uri": "milvus"}, {"uri": "x.db", "name": "a-b"}, {"uri": "x.db", "algorithm": "MAGIC"}):
        with pytest.raises(ValueError, match=list(wrong)[-1]):
            MilvusConfig(**wrong)
    assert "secret" not in json.dumps(MilvusConfig(uri="x.db", token="secret").model_dump(mode="json"))


def test_what_cannot_be_reached_is_one_sentence(tmp_path: Path, config: MilvusConfig) -> None:
    with pytest.raises(StoreError, match=r"Milvus at http://127.0.0.1:1 failed"):
        MilvusIndex(MilvusConfig(uri="http://127.0.0.1:1"))
    (tmp_path / "taken.db").write_text("not a folder")
    with pytest.raises(StoreError, match=r"taken.db"):
        MilvusIndex(MilvusConfig(uri=str(tmp_path / "taken.db")))
