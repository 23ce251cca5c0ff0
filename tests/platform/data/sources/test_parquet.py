from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.base import DataError
from holdfast.data import open_source

MakeParquet = Callable[..., Path]


def test_rows_come_in_file_order(make_parquet: MakeParquet) -> None:
    path = make_parquet(classes=6, instances=9)
    written = pq.read_table(path).to_pylist()
    source = open_source(f"parquet:{path}")
    assert source.read().to_pylist() == written
    assert source.read("test").to_pylist() == [row for row in written if row["split"] == "test"]


def test_a_url_reads_like_a_path(make_parquet: MakeParquet) -> None:
    path = make_parquet()
    assert open_source(f"parquet:file://{path}").read().equals(open_source(f"parquet:{path}").read())


def test_a_folder_reads_its_files_by_name(make_parquet: MakeParquet, tmp_path: Path) -> None:
    second = make_parquet("many/b.parquet", classes=2)
    first = make_parquet("many/a.parquet", classes=3)
    (tmp_path / "many" / "notes.txt").write_text("not data")
    read = open_source(f"parquet:{tmp_path / 'many'}").read().to_pylist()
    assert read == [*pq.read_table(first).to_pylist(), *pq.read_table(second).to_pylist()]


def test_group_may_be_missing_and_further_columns_are_kept(make_parquet: MakeParquet) -> None:
    table = open_source(f"parquet:{make_parquet(group=None, drawer=list(range(20)))}").read()
    assert table.column("group").null_count == 20
    assert table.column("drawer").to_pylist() == list(range(20))


def test_numeric_labels_become_text(make_parquet: MakeParquet) -> None:
    table = open_source(f"parquet:{make_parquet(label=[number // 5 for number in range(20)])}").read()
    assert table.column("label").to_pylist()[::5] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("column", ["image", "label", "split", "sample_id"])
@pytest.mark.parametrize("split", [None, "train"])
def test_a_missing_column_is_named(make_parquet: MakeParquet, column: str, split: str | None) -> None:
    with pytest.raises(DataError, match=rf"has no column {column}; it has .*group"):
        open_source(f"parquet:{make_parquet(**{column: None})}").read(split)


def test_an_unknown_split_names_the_splits(make_parquet: MakeParquet) -> None:
    with pytest.raises(DataError, match=r"no split 'val'; it has: test, train\."):
        open_source(f"parquet:{make_parquet()}").read("val")


def test_a_missing_file(tmp_path: Path) -> None:
    source = open_source(f"parquet:{tmp_path}/none.parquet")
    for attempt in (source.read, source.fingerprint):
        with pytest.raises(DataError, match=r"none\.parquet"):
            attempt()


def test_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("hello, this is no Parquet file")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        open_source(f"parquet:{tmp_path / 'text.parquet'}").read()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no \*\.parquet file"):
        open_source(f"parquet:{tmp_path / 'empty'}").read()


def test_a_damaged_file(make_parquet: MakeParquet) -> None:
    path = make_parquet()
    content = bytearray(path.read_bytes())
    content[8:400] = b"\xff" * 392
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        open_source(f"parquet:{path}").read()


def test_no_rows(make_parquet: MakeParquet) -> None:
    path = make_parquet()
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    for split in (None, "train"):
        with pytest.raises(DataError, match="is empty"):
            open_source(f"parquet:{path}").read(split)


def test_an_empty_label(make_parquet: MakeParquet) -> None:
    with pytest.raises(DataError, match=r"Column label .* \(null\) in 1 rows"):
        open_source(f"parquet:{make_parquet(label=[None] + ['a'] * 19)}").read()


def test_images_must_be_bytes(make_parquet: MakeParquet) -> None:
    with pytest.raises(DataError, match=r"Column image .* holds string"):
        open_source(f"parquet:{make_parquet(image=['a.png'] * 20)}").read()


def test_the_fingerprint_follows_the_content(make_parquet: MakeParquet) -> None:
    source = open_source(f"parquet:{make_parquet()}")
    before = source.fingerprint()
    assert source.fingerprint() == before
    make_parquet(classes=5)
    assert source.fingerprint() != before


def listed(folder: Path) -> tuple[list[str], str]:
    """The sample_ids, and what is said about the rest."""
    listing = open_source(f"parquet:{folder}").listing()
    return listing.rows.column("sample_id").to_pylist(), " ".join(listing.notes)


@pytest.mark.parametrize(
    ("junk", "said"),
    [
        (".ipynb_checkpoints/a-checkpoint.parquet", "1 hidden (.ipynb_checkpoints)"),
        ("_temporary/0/part-0.parquet", "1 hidden (_temporary)"),
        ("._a.parquet", "1 hidden (._a.parquet)"),
        ("_SUCCESS", "1 hidden (_SUCCESS)"),
        (".a.parquet.crc", "1 hidden (.a.parquet.crc)"),
        ("part-1.orc", "1 .orc (part-1.orc)"),
        ("part-1", "1 without a suffix (part-1)"),
    ],
)
def test_what_is_no_data_is_counted(make_parquet: MakeParquet, tmp_path: Path, junk: str, said: str) -> None:
    path = make_parquet("many/a.parquet")
    (path.parent / junk).parent.mkdir(parents=True, exist_ok=True)
    (path.parent / junk).write_bytes(path.read_bytes() if junk.endswith("0.parquet") else b"\0\5\x16\7")
    names, note = listed(path.parent)
    assert len(names) == 20
    assert said in note


def test_linked_files_and_folders_are_read_once(make_parquet: MakeParquet, tmp_path: Path) -> None:
    make_parquet("elsewhere/more/b.parquet", classes=2)
    make_parquet("many/a.parquet", classes=3)
    (tmp_path / "many/more").symlink_to(tmp_path / "elsewhere/more")
    (tmp_path / "many/loop").symlink_to(tmp_path / "many")
    (tmp_path / "many/dead.parquet").symlink_to("/nowhere")
    names, note = listed(tmp_path / "many")
    assert len(names) == 25
    assert "1 dead links (dead.parquet)" in note
    assert "1 links back into their own folder (loop)" in note


def test_folders_that_name_a_column(make_parquet: MakeParquet, tmp_path: Path) -> None:
    for split in ("train", "test"):
        make_parquet(f"many/split={split}/year=2020/a.parquet", classes=1, split=None)
    source = open_source(f"parquet:{tmp_path / 'many'}")
    assert len(source.read("train")) == 5
    assert source.read().column("year").to_pylist() == ["2020"] * 10


def test_files_of_different_columns(make_parquet: MakeParquet, tmp_path: Path) -> None:
    make_parquet("many/a.parquet", classes=1, drawer=[1] * 5)
    make_parquet("many/b.parquet", classes=1, group=None, label=[7] * 5)
    names, note = listed(tmp_path / "many")
    assert len(names) == 10
    assert "1 of 2 files have no column drawer (b.parquet)" in note
    assert "1 of 2 files have no column group (b.parquet)" in note
    make_parquet("many/c.parquet", classes=1, drawer=["one"] * 5)
    with pytest.raises(DataError, match=r"differ in type: drawer \(int64 in a\.parquet, string in c"):
        listed(tmp_path / "many")
    make_parquet("many/c.parquet", classes=1, label=None)
    with pytest.raises(DataError, match="has no column label"):
        listed(tmp_path / "many")


def test_images_as_data_sets_hold_them(make_parquet: MakeParquet, make_png: Callable[..., bytes]) -> None:
    images: list[Any] = [{"bytes": make_png(number), "path": None} for number in range(20)]
    images[3], images[4] = None, {"bytes": None, "path": "somewhere.png"}
    read = open_source(f"parquet:{make_parquet(image=images)}").read().column("image").to_pylist()
    assert read == [None if number in (3, 4) else make_png(number) for number in range(20)]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ([float("nan")] * 2 + [1.0] * 18, r"Column label .* \(null\) in 2 rows, as in 's0_00'"),
        (["", "  "] + ["a"] * 18, r"Column label .* \(no text\) in 2 rows"),
        ([None] * 20, r"\(null\) in 20 rows"),
    ],
)
def test_labels_that_are_none(make_parquet: MakeParquet, label: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_source(f"parquet:{make_parquet(label=label)}").read()


def test_numbers_as_labels_are_written_as_whole_numbers_are(make_parquet: MakeParquet) -> None:
    table = open_source(f"parquet:{make_parquet(label=[float(row // 5) for row in range(20)])}").read()
    assert table.column("label").to_pylist()[::5] == ["0", "1", "2", "3"]


def test_rows_without_a_split_are_counted(make_parquet: MakeParquet) -> None:
    source = open_source(f"parquet:{make_parquet(split=[None, None] + ['train'] * 18)}")
    listing = source.listing("train")
    assert len(listing) == 18
    assert "passed over 2 rows without a split (s0_00, s0_01)" in " ".join(listing.notes)


def test_columns_that_are_not_asked_for_are_not_read(make_parquet: MakeParquet) -> None:
    listing = open_source(f"parquet:{make_parquet(drawer=[1] * 20, note=['x'] * 20)}").listing(
        None, ["drawer"]
    )
    assert listing.rows.column_names == ["label", "split", "sample_id", "group", "drawer"]
    assert set(listing.available) == {"label", "split", "sample_id", "group", "drawer", "note"}


def test_dictionaries_are_text(make_parquet: MakeParquet) -> None:
    path = make_parquet()
    table = pq.read_table(path)
    coded = pa.array(["left", "right"] * 10).dictionary_encode()
    pq.write_table(table.append_column("side", coded), path)
    assert open_source(f"parquet:{path}").read().column("side").to_pylist() == ["left", "right"] * 10
