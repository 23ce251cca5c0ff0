from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.data import open_source
from holdfast.errors import DataError

MakePng = Callable[..., bytes]


def fill(root: Path, make_png: MakePng, *names: str) -> None:
    for value, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(make_png(value))


def test_a_folder_a_class(tmp_path: Path, make_png: MakePng) -> None:
    fill(
        tmp_path,
        make_png,
        "cat/2.png",
        "cat/1.JPG",
        "ant/x.png",
        "ant/.hidden.png",
        ".git/a.png",
        "cat/a.txt",
    )
    rows = open_source(f"folder:{tmp_path}").read().to_pylist()
    assert [(row["sample_id"], row["label"], row["split"], row["group"]) for row in rows] == [
        ("ant/x.png", "ant", "all", None),
        ("cat/1.JPG", "cat", "all", None),
        ("cat/2.png", "cat", "all", None),
    ]
    assert [row["image"] for row in rows] == [make_png(2), make_png(1), make_png(0)]


def test_splits(tmp_path: Path, make_png: MakePng) -> None:
    fill(tmp_path, make_png, "train/cat/1.png", "train/ant/1.png", "test/cat/1.png")
    source = open_source(f"folder:{tmp_path}")
    assert source.read("train").column("sample_id").to_pylist() == ["train/ant/1.png", "train/cat/1.png"]
    with pytest.raises(DataError, match=r"no split 'val'; it has: test, train\."):
        source.read("val")


def test_mixed_layouts_are_refused(tmp_path: Path, make_png: MakePng) -> None:
    fill(tmp_path, make_png, "train/cat/1.png", "ant/1.png")
    with pytest.raises(DataError, match="mixes layouts"):
        open_source(f"folder:{tmp_path}").read()


def test_missing_or_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        open_source(f"folder:{tmp_path}/none").read()
    with pytest.raises(DataError, match="is empty"):
        open_source(f"folder:{tmp_path}").fingerprint()


def test_the_fingerprint_follows_names_and_contents(tmp_path: Path, make_png: MakePng) -> None:
    fill(tmp_path, make_png, "cat/1.png", "ant/1.png")
    source = open_source(f"folder:{tmp_path}")
    seen = [source.fingerprint()]
    fill(tmp_path, make_png, "cat/2.png")
    seen.append(source.fingerprint())
    (tmp_path / "cat/2.png").write_bytes(make_png(1, side=9))
    seen.append(source.fingerprint())
    assert len(set(seen)) == 3
    assert source.fingerprint() == seen[-1]
