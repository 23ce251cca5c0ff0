from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from holdfast.base import InvalidImageError, NotFoundError, StoreError
from holdfast.models import Encoder
from holdfast.store import Draft, Store, open_store


def test_a_folder_becomes_a_store(tmp_path: Path) -> None:
    with open_store(tmp_path / "deep" / "store") as store:
        assert store.versions.list() == []
        assert store.traffic.aliases() == {}
        assert store.runs_folder == tmp_path / "deep" / "store" / "runs"
    assert (tmp_path / "deep" / "store" / "holdfast.db").is_file()


def test_sqlite_waits_for_the_disk(tmp_path: Path) -> None:
    with open_store(tmp_path) as store, store.engine.connect() as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("sqlite://", "in memory"),
        ("mysql://host/db", "is no store"),
        ("s3://bucket/x", "is no store"),
        ("postgresql+psycopg://user:secret@host/db", "needs a place for its files"),
    ],
)
def test_a_place_that_cannot_be_a_store_is_refused(where: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as raised:
        open_store(where, None if "needs" in message else "unused")
    assert "secret" not in str(raised.value)


def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be used"):
        open_store("postgresql+psycopg://user:secret@127.0.0.1:1/db", str(tmp_path))


def test_a_file_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("x")
    with pytest.raises(StoreError, match="cannot be a store"):
        open_store(tmp_path / "store")


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "holdfast.db").write_text("certainly not a database, but long enough to have a header" * 20)
    with pytest.raises(StoreError, match="is not a database"):
        open_store(tmp_path)


def test_a_missing_store_can_be_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no store"):
        open_store(tmp_path / "typo", create=False)
    assert not (tmp_path / "typo").exists()
    open_store(tmp_path / "typo").close()
    open_store(tmp_path / "typo", create=False).close()


def test_a_loaded_version_embeds_as_the_published_encoder(
    store: Store, draft: Callable[..., Draft], encoder_folders: list[Path]
) -> None:
    store.versions.publish(draft(0))
    store.versions.publish(draft(1))
    images = np.random.default_rng(0).integers(0, 256, (5, 1, 16, 16), np.uint8)
    loaded = store.versions.load("v2")
    assert not loaded.training
    assert np.array_equal(loaded.embed(images), Encoder.load(encoder_folders[1]).embed(images))
    with pytest.raises(InvalidImageError):
        loaded.embed(images.astype(np.float32))


def test_damaged_weights_are_refused(store: Store, draft: Callable[..., Draft]) -> None:
    version = store.versions.publish(draft())
    assert store.artifacts.root is not None
    path = store.artifacts.root / version.artifacts / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        store.versions.load("v1")
    path.unlink()
    with pytest.raises(StoreError, match="missing"):
        store.versions.load("v1")


def test_other_weights_under_a_versions_name_are_refused(
    store: Store, draft: Callable[..., Draft], encoder_folders: list[Path]
) -> None:
    version = store.versions.publish(draft())
    assert store.artifacts.root is not None
    for file in version.files:
        (store.artifacts.root / version.artifacts / file).write_bytes(
            (encoder_folders[1] / file).read_bytes()
        )
    with pytest.raises(StoreError, match=f"but {version.contract} was published"):
        store.versions.load("v1")


def test_an_alias_follows_the_traffic(lineage: Store) -> None:
    lineage.traffic.promote("v1")
    assert lineage.versions.get("live").name == "v1"
    lineage.traffic.promote("v2", force=True)
    assert lineage.versions.get("live").name == "v2"
    assert lineage.versions.get("previous").name == "v1"
    with pytest.raises(NotFoundError, match="'canary': the store holds v1, v2, v3"):
        lineage.versions.get("canary")


def test_tensors_are_kept_replaced_and_checked(lineage: Store) -> None:
    first = {"embeddings": np.eye(3, dtype=np.float32), "labels": np.arange(3)}
    lineage.tensors.save("v1", "evaluation", first)
    lineage.tensors.save("v2", "evaluation", {"embeddings": np.zeros((0, 4), np.float32)})
    second = {"embeddings": np.ones((2, 3), np.float16)}
    kept = lineage.tensors.load("v1", "evaluation")
    assert kept.keys() == first.keys()
    assert all(np.array_equal(kept[name], first[name]) for name in first)
    lineage.tensors.save("v1", "evaluation", second)
    assert np.array_equal(lineage.tensors.load("v1", "evaluation")["embeddings"], second["embeddings"])
    assert lineage.tensors.load("v2", "evaluation")["embeddings"].shape == (0, 4)
    with pytest.raises(NotFoundError):
        lineage.tensors.load("v3", "evaluation")
    with pytest.raises(NotFoundError, match="no version 'v9'"):
        lineage.tensors.save("v9", "evaluation", second)


def test_damaged_tensors_count_as_missing(lineage: Store) -> None:
    lineage.tensors.save("v1", "evaluation", {"embeddings": np.eye(3, dtype=np.float32)})
    name = f"tensors/{lineage.versions.get('v1').contract}/evaluation.safetensors"
    data = bytearray(lineage.artifacts.read(name))
    data[-1] ^= 1
    lineage.artifacts.replace(name, bytes(data))
    with pytest.raises(NotFoundError, match="computed again"):
        lineage.tensors.load("v1", "evaluation")


def test_published_files_can_be_read(store: Store, draft: Callable[..., Draft], tmp_path: Path) -> None:
    (tmp_path / "curve.json").write_text("[1]")
    store.versions.publish(draft(files={"curve.json": tmp_path / "curve.json"}))
    assert store.versions.file("v1", "curve.json") == b"[1]"
    with pytest.raises(NotFoundError, match=r"curve\.json, encoder\.json|encoder\.json"):
        store.versions.file("v1", "other.json")
