import os
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.base import DataError
from holdfast.data import open_source

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


def listed(root: Path) -> tuple[list[str], str]:
    """The sample_ids, and what is said about the rest."""
    listing = open_source(f"folder:{root}").listing()
    assert listing.notes == open_source(f"folder:{root}").survey().notes
    return listing.rows.column("sample_id").to_pylist(), " ".join(listing.notes)


def test_nothing_is_said_where_nothing_is_passed_over(tmp_path: Path, make_png: MakePng) -> None:
    fill(tmp_path, make_png, "cat/1.png", "ant/1.png")
    assert listed(tmp_path) == (["ant/1.png", "cat/1.png"], "")


def test_links_are_followed(tmp_path: Path, make_png: MakePng) -> None:
    fill(tmp_path, make_png, "elsewhere/cats/1.png", "elsewhere/2.png", "root/ant/1.png")
    (tmp_path / "root/cat").symlink_to(tmp_path / "elsewhere/cats")
    (tmp_path / "root/ant/2.png").symlink_to(tmp_path / "elsewhere/2.png")
    assert listed(tmp_path / "root") == (["ant/1.png", "ant/2.png", "cat/1.png"], "")


def test_links_that_lead_nowhere_or_back_are_counted(tmp_path: Path, make_png: MakePng) -> None:
    fill(tmp_path, make_png, "cat/1.png", "ant/1.png")
    (tmp_path / "cat/2.png").symlink_to("/nowhere.png")
    (tmp_path / "cat/3.png").symlink_to("3.png")
    (tmp_path / "ant/back").symlink_to(tmp_path)
    (tmp_path / "ant/here").symlink_to(".")
    names, said = listed(tmp_path)
    assert names == ["ant/1.png", "cat/1.png"]
    assert "2 dead links (cat/2.png, cat/3.png)" in said
    assert "2 links back into their own folder (ant/back, ant/here)" in said


def test_what_is_no_image_is_counted_by_suffix(tmp_path: Path, make_png: MakePng) -> None:
    fill(tmp_path, make_png, "cat/1.png", "cat/2.JFIF", "cat/bare", "ant/1.jpe")
    for name in ("cat/1.heic", "cat/2.HEIC", "cat/3.heic", "cat/4.heic", "owl/1.avif", "labels.csv", "ant/x"):
        fill(tmp_path, lambda _: b"not an image that is read", name)
    fill(tmp_path, make_png, ".git/a.png", "cat/.DS_Store", "cat/._1.png")
    os.mkfifo(tmp_path / "cat/pipe.png")
    names, said = listed(tmp_path)
    assert names == ["ant/1.jpe", "cat/1.png", "cat/2.JFIF", "cat/bare"]
    for part in (
        "4 .heic (cat/1.heic, cat/2.HEIC, cat/3.heic and 1 more)",
        "1 .avif (owl/1.avif)",
        "1 .csv (labels.csv)",
        "1 without a suffix (ant/x)",
        "3 hidden (.git, cat/.DS_Store, cat/._1.png)",
        "1 folders without an image (owl)",
        "1 neither files nor folders (cat/pipe.png)",
    ):
        assert part in said


def test_names_that_are_not_utf8(tmp_path: Path, make_png: MakePng) -> None:
    fill(tmp_path, make_png, "cat/1.png")
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    with open(folder + b"/\xff.png", "wb") as file:
        file.write(make_png(7))
    rows = open_source(f"folder:{tmp_path}").read().to_pylist()
    assert [(row["label"], row["sample_id"]) for row in rows] == [
        ("caf\\xe9", "caf\\xe9/\\xff.png"),
        ("cat", "cat/1.png"),
    ]
    assert rows[0]["image"] == make_png(7)
    assert open_source(f"folder:{tmp_path}").fingerprint()


def test_mixed_layouts_are_counted(tmp_path: Path, make_png: MakePng) -> None:
    fill(tmp_path, make_png, "cat/1.png", "cat/2.png", "cat/thumbs/1.png", "stray.png", "a/b/c/d.png")
    with pytest.raises(DataError, match=r"2 like cat/1\.png, 1 like cat/thumbs/1\.png, 1 like stray\.png"):
        open_source(f"folder:{tmp_path}").read()


def test_an_empty_folder_says_what_lies_there(tmp_path: Path) -> None:
    fill(tmp_path, lambda _: b"", "cat/1.heic")
    with pytest.raises(DataError, match=r"is empty: .* 1 \.heic"):
        open_source(f"folder:{tmp_path}").read()
