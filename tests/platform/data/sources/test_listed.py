from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.base import DataError
from holdfast.data import SplitConfig, load_images, open_source
from holdfast.models import Preprocessing
from holdfast.testing import SourceContract

MakePng = Callable[..., bytes]
ALL = SplitConfig()


@pytest.fixture
def images(tmp_path: Path, make_png: MakePng) -> Path:
    """Four files, two of a class."""
    for value, name in enumerate(("ant/a.png", "ant/b.png", "bee/c.png", "bee/with space %20.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(make_png(value))
    return tmp_path


@pytest.fixture
def listed(images: Path) -> Path:
    """Relative paths, absolute ones and URLs."""
    rows = [
        ("ant/a.png", "ant", "train"),
        (str(images / "ant/b.png"), "ant", "test"),
        (f"file://{images}/bee/c.png", "bee", "train"),
        ("bee/with space %20.png", "bee", "test"),
    ]
    file = images / "list.csv"
    file.write_text("url,label,split\n" + "".join(f"{','.join(row)}\n" for row in rows))
    return file


class TestContract(SourceContract):
    @pytest.fixture
    def uri(self, listed: Path) -> str:
        return f"list:{listed}"


def test_a_row_is_an_image_wherever_it_lies(listed: Path, decoder: Preprocessing) -> None:
    for window in (None, 2):
        found = load_images(f"list:{listed}", ALL, decoder, streamed=window)
        assert np.asarray(found.images)[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
        assert found.labels.tolist() == ["ant", "ant", "bee", "bee"]
        assert found.sample_ids[0] == "ant/a.png"
    test = load_images(f"list:{listed}", SplitConfig(split="test"), decoder)
    assert np.asarray(test.images)[:, 0, 0, 0].tolist() == [1, 3]


def test_lines_of_paths_have_the_label_of_their_folder(images: Path, decoder: Preprocessing) -> None:
    (images / "list.txt").write_text("# of these\nant/a.png\n\nbee/c.png\n")
    source = open_source(f"list:{images / 'list.txt'}")
    assert source.listing().rows.column("label").to_pylist() == ["ant", "bee"]
    assert source.listing().notes == (
        f"Source 'list:{images / 'list.txt'}': passed over 1 rows without a path (row 1).",
    )


def test_columns_have_the_names_that_are_said(images: Path) -> None:
    table = pa.table(
        {"at": ["ant/a.png", "bee/c.png"], "species": ["ant", "bee"], "n": [1, 2], "id": ["x", "y"]}
    )
    pq.write_table(table, images / "list.parquet")
    uri = f"list:{images / 'list.parquet'}"
    rows = open_source(f"{uri}?url=at&label=species&id=id").listing(columns=["n"]).rows.to_pylist()
    assert [(row["sample_id"], row["label"], row["n"]) for row in rows] == [("x", "ant", 1), ("y", "bee", 2)]
    with pytest.raises(DataError, match="has no column url; it has at, species, n, id"):
        open_source(uri).listing()
    with pytest.raises(DataError, match="says no label"):
        open_source(f"{uri}?url=at").listing()


def test_files_that_are_not_there_are_counted_and_named(listed: Path, decoder: Preprocessing) -> None:
    (listed.parent / "bee/c.png").unlink()
    for window in (None, 2):
        with pytest.raises(
            DataError, match=r"1 of 4 images cannot be decoded: file://.*/bee/c\.png\. .*cannot be read"
        ):
            load_images(f"list:{listed}", ALL, decoder, streamed=window)
        with pytest.warns(UserWarning, match="1 undecodable images were skipped"):
            found = load_images(f"list:{listed}", ALL, decoder, undecodable="skip", streamed=window)
        assert np.asarray(found.images)[:, 0, 0, 0].tolist() == [0, 1, 3]


def test_no_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv"):
        open_source(f"list:{tmp_path / 'none.csv'}").listing()
    (tmp_path / "empty.csv").write_text("url,label\n")
    with pytest.raises(DataError, match="is empty: it lists no file"):
        open_source(f"list:{tmp_path / 'empty.csv'}").listing()
