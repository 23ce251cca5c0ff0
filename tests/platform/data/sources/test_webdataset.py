import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from holdfast.base import DataError
from holdfast.data import SplitConfig, load_images, open_source
from holdfast.models import Preprocessing
from holdfast.testing import SourceContract

MakePng = Callable[..., bytes]


def write_tar(file: Path, members: list[tuple[str, bytes]], mode: str = "w") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, mode) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def sample(key: str, image: bytes, **fields: object) -> list[tuple[str, bytes]]:
    return [(f"{key}.png", image), (f"{key}.json", json.dumps(fields).encode())]


@pytest.fixture
def shards(tmp_path: Path, make_png: MakePng) -> Path:
    """Two shards of ten samples, of two classes and two splits, each filled with its number."""
    for number in range(2):
        members = [
            member
            for at in range(10 * number, 10 * number + 10)
            for member in sample(
                f"s{at:03d}", make_png(at), label=f"class{at % 2}", split="train" if at % 5 else "test", at=at
            )
        ]
        write_tar(tmp_path / f"shards/part-{number:02d}.tar", members)
    return tmp_path / "shards"


class TestContract(SourceContract):
    @pytest.fixture
    def uri(self, shards: Path) -> str:
        return f"webdataset:{shards}"


def test_a_sample_is_what_is_named_alike(shards: Path, decoder: Preprocessing) -> None:
    listing = open_source(f"webdataset:{shards}").listing()
    assert listing.available == ("label", "split", "sample_id", "group", "key", "shard", "at")
    last = listing.rows.slice(19).to_pylist()[0]
    assert last == {
        "label": "class1",
        "split": "train",
        "sample_id": "s019",
        "group": None,
        "key": "s019",
        "shard": "part-01.tar",
        "at": 19,
    }
    split = SplitConfig(split="train", where="at > 7 and shard != ''")
    for window in (None, 5):
        images = load_images(f"webdataset:{shards}", split, decoder, streamed=window)
        shown = np.asarray(images.images)[:, 0, 0, 0].tolist()
        assert shown == [at for at in range(8, 20) if at % 5]


@pytest.mark.parametrize("named", ["part-*.tar", "part-{00..01}.tar", "part-0{0,1}.tar", "part-0?.tar"])
def test_shards_go_by_patterns(shards: Path, named: str) -> None:
    for uri in (f"webdataset:{shards}/{named}", f"webdataset:file://{shards}/{named}"):
        assert len(open_source(uri).listing()) == 20


def test_columns_have_the_names_that_are_said(tmp_path: Path, make_png: MakePng) -> None:
    members = [*sample("a", make_png(1), species="ant", where="x"), *sample("b", make_png(2), species="bee")]
    write_tar(tmp_path / "one.tar", members)
    rows = open_source(f"webdataset:{tmp_path}/one.tar?label=species&group=where").listing().rows.to_pylist()
    assert [(row["label"], row["group"], row["split"]) for row in rows] == [
        ("ant", "x", "all"),
        ("bee", None, "all"),
    ]
    with pytest.raises(DataError, match=r"says no label: .* there are key, shard, species, where"):
        open_source(f"webdataset:{tmp_path}/one.tar").listing()
    with pytest.raises(DataError, match="has no column kind"):
        open_source(f"webdataset:{tmp_path}/one.tar?label=kind").listing()
    with pytest.raises(DataError, match="labels"):
        open_source(f"webdataset:{tmp_path}/one.tar?labels=species")


def test_classes_as_numbers_and_captions(tmp_path: Path, make_png: MakePng) -> None:
    members = [("x/0001.cls", b"7\n"), ("x/0001.txt", b"an ant"), ("x/0001.jpg", make_png(1))]
    write_tar(tmp_path / "one.tar", members)
    (row,) = open_source(f"webdataset:{tmp_path}/one.tar").listing().rows.to_pylist()
    assert (row["label"], row["txt"], row["sample_id"]) == ("7", "an ant", "x/0001")


def test_junk_is_counted_and_named(tmp_path: Path, make_png: MakePng) -> None:
    members = [
        *sample("good", make_png(1), label="ant"),
        ("alone.json", b'{"label": "ant"}'),
        ("two.png", make_png(2)),
        ("two.jpg", make_png(3)),
        ("odd.png", make_png(4)),
        ("odd.json", b"[1, 2"),
        ("odd.npy", b"?"),
        ("._good.png", b"?"),
        ("folder/.hidden", b"?"),
    ]
    write_tar(tmp_path / "one.tar", members)
    listing = open_source(f"webdataset:{tmp_path}/one.tar").listing()
    assert listing.rows.column("sample_id").to_pylist() == ["good", "odd"]
    (note,) = listing.notes
    for said in (
        "2 hidden (one.tar:._good.png, one.tar:folder/.hidden)",
        "1 samples without an image (one.tar:alone)",
        "1 samples with several images (one.tar:two)",
        "1 json that is no object (one.tar:odd.json)",
        "1 .npy (one.tar:odd.npy)",
    ):
        assert said in note


def test_shards_that_are_cut_off(shards: Path) -> None:
    file = shards / "part-01.tar"
    whole = file.read_bytes()
    ends = len(whole.rstrip(b"\0"))
    file.write_bytes(whole[: ends - 20])
    with pytest.raises(DataError, match=r"cannot be read as WebDataset \(part-01.tar\): unexpected end"):
        open_source(f"webdataset:{shards}").listing()
    file.write_bytes(whole[: (ends // 512 + 1) * 512])
    notes = " ".join(open_source(f"webdataset:{shards}").listing().notes)
    assert "1 shards without an end mark, which may be cut off (part-01.tar)" in notes


def test_what_is_no_shard(tmp_path: Path, make_png: MakePng) -> None:
    write_tar(tmp_path / "packed.tar", sample("a", make_png(1), label="ant"), "w:gz")
    with pytest.raises(DataError, match=r"packed.tar is compressed.*plain tar"):
        open_source(f"webdataset:{tmp_path}").listing()
    (tmp_path / "packed.tar").write_bytes(b"no tar file at all, but long enough to be looked at " * 20)
    with pytest.raises(DataError, match=r"cannot be read as WebDataset \(packed.tar\)"):
        open_source(f"webdataset:{tmp_path}").listing()
    for missing in (f"{tmp_path}/none.tar", f"{tmp_path}/none-*.tar"):
        with pytest.raises(DataError, match="does not exist"):
            open_source(f"webdataset:{missing}").listing()
    write_tar(tmp_path / "packed.tar", [("a.json", b"{}")])
    with pytest.raises(DataError, match="is empty: no sample in it has an image"):
        open_source(f"webdataset:{tmp_path}").listing()
