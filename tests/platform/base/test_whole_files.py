"""Places that are looked at before the work, and files that appear whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from holdfast.base import DataError, require_writable, whole_file


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("old")
    require_writable(tmp_path / "there")
    require_writable(tmp_path / "new" / "deep" / "file")
    require_writable(tmp_path / ("n" * 255))
    assert [each.name for each in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_text() == "old"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("folder", "is a folder"),
        ("file/below", "Not a directory"),
        ("n" * 256, "File name too long"),
        ("circle", "cannot be written"),
        ("pipe", "is a device or a pipe"),
        ("/proc/none/file", "cannot be written"),
        ("a\0b", "cannot be written"),
    ],
)
def test_a_place_that_cannot_is_named(tmp_path: Path, place: str, said: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(DataError, match=said):
        require_writable(tmp_path / place)


def test_folders_that_will_not_be_made_are_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file or directory"):
        require_writable(tmp_path / "no" / "file", makes_folders=False)


def test_a_file_appears_whole_through_a_link_too(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with whole_file(tmp_path / "link") as draft:
        draft.write_text("new")
        assert (tmp_path / "real").read_text() == "old"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), RuntimeError("odd")])
def test_nothing_is_left_of_what_failed(tmp_path: Path, error: Exception) -> None:
    def write() -> None:
        with whole_file(tmp_path / "file") as draft:
            draft.write_text("half")
            raise error

    with pytest.raises(DataError if isinstance(error, OSError) else RuntimeError):
        write()
    assert list(tmp_path.iterdir()) == []
