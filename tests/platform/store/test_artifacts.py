import os
from pathlib import Path

import pytest

from holdfast.base import NotFoundError, StoreError
from holdfast.store.artifacts import Artifacts, sha256


@pytest.fixture(params=["folder", "file", "remote"])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> Artifacts:
    return Artifacts(
        {"folder": tmp_path, "file": tmp_path.as_uri(), "remote": "mock:///bucket"}[request.param]
    )


def test_a_file_comes_back(artifacts: Artifacts) -> None:
    assert not artifacts.exists("a/b/c.bin")
    with pytest.raises(NotFoundError, match=r"c\.bin"):
        artifacts.read("a/b/c.bin")
    artifacts.put("a/b/c.bin", b"one")
    assert artifacts.exists("a/b/c.bin")
    assert artifacts.read("a/b/c.bin") == b"one"
    artifacts.replace("a/b/c.bin", b"two")
    assert artifacts.read("a/b/c.bin") == b"two"
    artifacts.put("empty", b"")
    assert artifacts.read("empty") == b""


def test_a_folder_of_files_is_local(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    artifacts.put("v/one", b"1")
    artifacts.put("v/two", b"2")
    files = {"one": sha256(b"1"), "two": sha256(b"2")}
    for _ in range(2):
        folder = artifacts.folder("v", files)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"one": b"1", "two": b"2"}
    if artifacts.root is None:
        # A cached copy is checked before every use, and a remote file before it becomes one.
        (folder / "one").write_bytes(b"x")
        assert (artifacts.folder("v", files) / "one").read_bytes() == b"1"
        artifacts.replace("v/two", b"x")
        (folder / "two").unlink()
        with pytest.raises(StoreError, match="damaged"):
            artifacts.folder("v", files)
    with pytest.raises((StoreError, NotFoundError)):
        artifacts.folder("v", {**files, "three": sha256(b"3")})


def test_an_unchanged_file_is_not_written_again(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    artifacts.put("a", b"one")
    before = (tmp_path / "a").stat()
    artifacts.put("a", b"one")
    after = (tmp_path / "a").stat()
    # Not when it was read, which the comparison of its contents does.
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    artifacts = Artifacts(tmp_path)
    artifacts.put("a", b"one")
    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    with pytest.raises(StoreError, match="a cannot be written: No space left"):
        artifacts.replace("a", b"two")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"one"}


def test_a_file_and_its_folders_are_synced_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    Artifacts(tmp_path).put("new/deeper/file", b"x")
    assert synced[:2] == [tmp_path, tmp_path / "new"]
    assert synced[2].name.startswith(".holdfast-draft-")
    assert synced[3] == tmp_path / "new" / "deeper"


def test_an_unknown_file_system_is_one_sentence() -> None:
    with pytest.raises(StoreError, match="cannot be reached"):
        Artifacts("nosuch://bucket/x")
