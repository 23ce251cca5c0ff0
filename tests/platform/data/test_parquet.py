from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from holdfast.data import open_source
from holdfast.errors import DataError

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
