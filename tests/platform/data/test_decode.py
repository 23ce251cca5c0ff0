import hashlib
import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from holdfast.base import DataError
from holdfast.data import Column, SplitConfig, load_images
from holdfast.models import Preprocessing

MakeParquet = Callable[..., Path]
ALL = SplitConfig()


def values(images: np.ndarray) -> list[int]:
    """Each image of `make_parquet` is filled with its row number."""
    assert (images == images[:, :1, :1, :1]).all()
    return [int(value) for value in images[:, 0, 0, 0]]


def only_entry(cache: Path) -> Path:
    (entry,) = [path for path in cache.iterdir() if path.is_dir()]
    return entry


def test_decodes_in_source_order(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    path = make_parquet(classes=50, instances=25)
    written = pq.read_table(path)
    images = load_images(f"parquet:{path}", ALL, decoder)
    assert images.images.shape == (1250, 1, 8, 8)
    assert images.images.dtype == np.uint8
    assert values(images.images) == [number % 256 for number in range(1250)]
    assert images.labels.tolist() == written["label"].to_pylist()
    assert images.groups.tolist() == written["group"].to_pylist()
    assert images.sample_ids.tolist() == written["sample_id"].to_pylist()
    assert set(images.columns) == {"label", "group", "split", "sample_id"}
    assert len(images) == 1250


def test_pixels_are_a_read_only_memory_map(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    images = load_images(f"parquet:{make_parquet()}", ALL, decoder)
    assert isinstance(images.images, np.memmap)
    assert not images.images.flags.writeable
    taken = images.take(np.array([3, 1]))
    assert values(taken.images) == [3, 1]
    assert taken.sample_ids.tolist() == ["s0_03", "s0_01"]
    assert not taken.images.flags.writeable
    assert images.take(images.labels == "class2").labels.tolist() == ["class2"] * 5
    assert len({images.fingerprint, taken.fingerprint, images.take(np.array([1, 3])).fingerprint}) == 3


def test_where_and_derived_columns(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    columns = {
        "drawer": Column(of="sample_id", pattern=r"_(\d+)$"),
        "letter": Column(of="sample_id", pattern=r"^(\w)"),
        "tenth": Column(of="drawer", pattern=r"(.*)"),
    }
    chosen = SplitConfig(split="test", where="drawer > 2 and letter == 's'")
    images = load_images(f"parquet:{make_parquet()}", chosen, decoder, columns)
    assert values(images.images) == [13, 14, 18, 19]
    assert images.columns["drawer"].tolist() == [3, 4, 3, 4]
    assert images.columns["drawer"].dtype == np.int64
    assert images.columns["tenth"].dtype == np.int64
    assert images.columns["letter"].tolist() == ["s"] * 4


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"group": Column(of="label", pattern="(.)")}, "has the name of another"),
        ({"x": Column(of="draw", pattern="(.)")}, "derives from draw; the columns are label, split"),
        ({"x": Column(of="label", pattern="class([0-2])")}, "does not match label 'class3'"),
        ({"x": Column(of="label", pattern="class([0-2])?")}, "does not match label 'class3'"),
    ],
)
def test_impossible_derived_columns(
    make_parquet: MakeParquet, decoder: Preprocessing, column: dict[str, Column], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_images(f"parquet:{make_parquet()}", ALL, decoder, column)


def test_numbers_with_points_are_numbers(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    path = make_parquet(sample_id=[f"{number / 2}" for number in range(20)])
    columns = {"half": Column(of="sample_id", pattern="(.*)")}
    images = load_images(f"parquet:{path}", SplitConfig(where="half < 1"), decoder, columns)
    assert images.columns["half"].tolist() == [0.0, 0.5]


def test_an_empty_selection(make_parquet: MakeParquet, decoder: Preprocessing, cache: Path) -> None:
    with pytest.raises(DataError, match=r"is empty: where \"label == 'x'\" selects no image"):
        load_images(f"parquet:{make_parquet()}", SplitConfig(where="label == 'x'"), decoder)
    assert [path for path in cache.iterdir() if path.is_dir()] == []


def test_a_second_call_does_not_decode(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    calls: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))

    source = f"parquet:{make_parquet(classes=50, instances=25)}"
    first = load_images(source, ALL, decoder, progress=progress)
    assert calls == [(512, 1250), (1024, 1250), (1250, 1250)]
    second = load_images(source, ALL, decoder, progress=progress)
    assert len(calls) == 3
    assert second.fingerprint == first.fingerprint
    assert np.array_equal(second.images, first.images)
    for name, column in first.columns.items():
        assert np.array_equal(second.columns[name], column)
        assert second.columns[name].dtype == column.dtype


def test_a_hit_needs_no_writable_cache(
    make_parquet: MakeParquet, decoder: Preprocessing, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"parquet:{make_parquet()}"
    load_images(source, ALL, decoder)
    for lock in cache.glob("*.lock"):
        lock.unlink()
    load_images(source, ALL, decoder)
    assert list(cache.glob("*.lock")) == []


def test_other_content_or_decoding_is_another_entry(
    make_parquet: MakeParquet, decoder: Preprocessing, cache: Path
) -> None:
    path = make_parquet()
    before = load_images(f"parquet:{path}", ALL, decoder)
    larger = load_images(f"parquet:{path}", ALL, Preprocessing(size=9))
    assert larger.images.shape[-1] == 9
    make_parquet(classes=3)
    after = load_images(f"parquet:{path}", ALL, decoder)
    assert (len(before), len(after)) == (20, 15)
    assert len({before.fingerprint, larger.fingerprint, after.fingerprint}) == 3
    assert before.images[19, 0, 0, 0] == 19, "the old map is untouched"


def test_the_fingerprint_is_of_the_content_not_of_the_place(
    make_parquet: MakeParquet, decoder: Preprocessing
) -> None:
    one = load_images(f"parquet:{make_parquet('a.parquet')}", ALL, decoder)
    same = load_images(f"parquet:{make_parquet('b.parquet')}", ALL, decoder)
    relabelled = make_parquet("c.parquet", label=["x"] * 20)
    assert one.fingerprint == same.fingerprint
    assert load_images(f"parquet:{relabelled}", ALL, decoder).fingerprint != one.fingerprint


@pytest.mark.parametrize("file", ["images.bin", "rows.arrow", "entry.json"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "removed", "emptied"])
def test_a_damaged_entry_is_made_anew(
    make_parquet: MakeParquet, decoder: Preprocessing, cache: Path, file: str, damage: str
) -> None:
    source = f"parquet:{make_parquet()}"
    before = load_images(source, ALL, decoder)
    expected = np.array(before.images)
    path = only_entry(cache) / file
    content = bytearray(path.read_bytes())
    path.unlink()  # The map of `before` keeps the old file.
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
    elif damage == "emptied":
        path.write_bytes(b"")
    again = load_images(source, ALL, decoder)
    assert np.array_equal(again.images, expected)
    assert again.labels.tolist() == before.labels.tolist()
    assert np.array_equal(before.images, expected)


def test_undecodable_images_are_named_and_counted(
    make_parquet: MakeParquet, decoder: Preprocessing, cache: Path, make_png: Callable[..., bytes]
) -> None:
    images: list[bytes | None] = [make_png(number) for number in range(20)]
    images[3], images[7], images[11] = b"no image", None, make_png(11)[:40]
    source = f"parquet:{make_parquet(image=images)}"
    with pytest.raises(DataError, match=r"3 of 20 images cannot be decoded: s0_03, s1_02, s2_01\. .* skip"):
        load_images(source, ALL, decoder)
    assert [path for path in cache.iterdir() if path.is_dir()] == []
    for _ in range(2):
        with pytest.warns(UserWarning, match="3 undecodable images were skipped"):
            kept = load_images(source, ALL, decoder, undecodable="skip")
        assert values(kept.images) == [number for number in range(20) if number not in (3, 7, 11)]
        assert len(kept.labels) == len(kept.columns["split"]) == 17
    nothing = make_parquet("b.parquet", image=[b""] * 20)
    with pytest.raises(DataError, match=r"20 of 20 images cannot be decoded: s0_00, .* and 15 more"):
        load_images(f"parquet:{nothing}", ALL, decoder, undecodable="skip")


def test_no_warning_when_all_is_well(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_images(f"parquet:{make_parquet()}", ALL, decoder, undecodable="skip")


def test_a_defect_of_the_decoder_is_not_the_data_s(make_parquet: MakeParquet, cache: Path) -> None:
    class Broken:
        def pixels(self, image: bytes) -> np.ndarray:
            raise ZeroDivisionError

        def model_dump_json(self) -> str:
            return "{}"

    with pytest.raises(ZeroDivisionError):
        load_images(f"parquet:{make_parquet()}", ALL, Broken())
    assert [path for path in cache.iterdir() if path.is_dir()] == []


def test_a_cache_that_cannot_be_written(
    make_parquet: MakeParquet, decoder: Preprocessing, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"Cannot write decoded images .* HOLDFAST_CACHE"):
        load_images(f"parquet:{make_parquet()}", ALL, decoder, cache=tmp_path / "file")


class Slow(Preprocessing):
    """Notes every image that it decodes, so that decoding twice is noticed."""

    notes: str

    def pixels(self, image: object) -> np.ndarray:
        time.sleep(0.01)
        with open(self.notes, "a") as file:
            file.write(".")
        return super().pixels(image)  # type: ignore[arg-type]


def _load(source: str, notes: str) -> None:
    load_images(source, ALL, Slow(size=8, notes=notes))


def test_two_processes_decode_once(make_parquet: MakeParquet, tmp_path: Path) -> None:
    source, notes = f"parquet:{make_parquet()}", tmp_path / "notes"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_load, args=(source, str(notes))) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    assert len(notes.read_text()) == 20


def test_a_killed_decoder_leaves_nothing_half_done(
    make_parquet: MakeParquet, tmp_path: Path, cache: Path
) -> None:
    source, notes = f"parquet:{make_parquet(instances=25)}", tmp_path / "notes"
    process = multiprocessing.get_context("fork").Process(target=_load, args=(source, str(notes)))
    process.start()
    while not notes.exists():
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    assert [path for path in cache.iterdir() if path.is_dir() and not path.name.endswith(".partial")] == []
    notes.unlink()
    images = load_images(source, ALL, Slow(size=8, notes=str(notes)))
    assert len(images) == 100
    assert list(cache.glob("*.partial")) == []


def test_what_was_passed_over_is_said_at_every_opening(
    make_parquet: MakeParquet, decoder: Preprocessing
) -> None:
    path = make_parquet("many/a.parquet", sample_id=["a", "a", *map(str, range(18))], label=["1", "1.0"] * 10)
    (path.parent / "_temporary").mkdir()
    for _ in range(2):
        with pytest.warns(UserWarning, match="Source") as told:
            images = load_images(f"parquet:{path.parent}", ALL, decoder)
        assert tuple(str(one.message) for one in told) == images.notes
        assert "passed over 1 hidden (_temporary)" in images.notes[0]
        assert "1 sample_ids name several images (a)" in images.notes[1]
        assert "1 labels are written in several ways" in images.notes[2]
        assert images.take(np.array([0])).notes == images.notes


def test_rows_may_lack_a_label_where_they_are_not_selected(
    make_parquet: MakeParquet, decoder: Preprocessing
) -> None:
    source = f"parquet:{make_parquet(label=[None, float('nan')] + [1.0, 2.0] * 9)}"
    with pytest.raises(DataError, match=r"Column label .* where: \"label != ''\""):
        load_images(source, ALL, decoder)
    assert len(load_images(source, SplitConfig(where="label != ''"), decoder)) == 18


def test_columns_that_nothing_selects_by_are_left_alone(
    make_parquet: MakeParquet, decoder: Preprocessing
) -> None:
    source = f"parquet:{make_parquet(note=['x' * 1000] * 20, drawer=list(range(20)))}"
    images = load_images(source, SplitConfig(where="drawer > 1"), decoder, selections=["drawer < 9"])
    assert set(images.columns) == {"label", "split", "sample_id", "group", "drawer"}
    with pytest.raises(DataError, match=r"'drawr < 9' names drawr; the columns are .*note"):
        load_images(source, ALL, decoder, selections=["drawr < 9"])


def test_long_text_costs_what_it_is(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    long = "x" * 1_000_000
    everything = load_images(f"parquet:{make_parquet('b.parquet', note=[long] * 20)}", ALL, decoder)
    assert everything.columns["note"].nbytes < 4000
    assert (everything.columns["note"] == long).all()
    source = f"parquet:{make_parquet(sample_id=[long, *map(str, range(19))], note=[long] + ['y'] * 19)}"
    images = load_images(source, SplitConfig(where="note == 'y'"), decoder)
    assert images.sample_ids.nbytes + images.columns["note"].nbytes < 4000
    assert images.sample_ids.tolist() == list(map(str, range(19)))


def test_a_machine_reads_an_entry_for_its_digests_once(
    make_parquet: MakeParquet, decoder: Preprocessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"parquet:{make_parquet()}"
    load_images(source, ALL, decoder)
    read: list[str] = []

    def digest(file: Any, kind: str) -> Any:
        read.append(Path(file.name).name)
        return file_digest(file, kind)

    file_digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", digest)
    load_images(source, ALL, decoder)
    assert read == []
    monkeypatch.setattr(
        "holdfast.data.intact.BOOT", Path("/nowhere")
    )  # Since it was started anew, once more.
    for _ in range(2):
        load_images(source, ALL, decoder)
    assert sorted(read) == ["digests.bin", "images.bin", "rows.arrow"]


def test_large_images_make_small_batches(
    make_parquet: MakeParquet, decoder: Preprocessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"parquet:{make_parquet(classes=30, instances=30)}"
    whole = load_images(source, ALL, decoder)
    monkeypatch.setattr("holdfast.data.decode.BATCH_BYTES", 500)
    calls: list[tuple[int, int]] = []
    again = load_images(source, ALL, Slower(size=8), progress=lambda *done: calls.append(done))
    assert again.fingerprint == whole.fingerprint
    assert calls == [(512, 900), (900, 900)]


class Slower(Preprocessing):
    """Another decoder by name, of the same pixels."""
