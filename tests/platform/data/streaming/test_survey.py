"""Streamed images are those that would have been decoded, to all that looks at them."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from holdfast.base import DataError
from holdfast.data import (
    Column,
    DataConfig,
    SplitConfig,
    StreamedImages,
    load_evaluation,
    load_images,
    load_training,
    require_disjoint,
)
from holdfast.models import Preprocessing

MakeParquet = Callable[..., Path]
ALL = SplitConfig()


def only_entry(cache: Path) -> Path:
    (entry,) = [path for path in cache.iterdir() if path.is_dir()]
    return entry


@pytest.mark.parametrize("split", [ALL, SplitConfig(split="test", where="number != 12")])
def test_they_are_the_decoded_ones(
    make_parquet: MakeParquet, decoder: Preprocessing, tmp_path: Path, split: SplitConfig
) -> None:
    source = f"parquet:{make_parquet()}"
    columns = {"number": Column(of="sample_id", pattern=r"_(\d+)")}
    decoded = load_images(source, split, decoder, columns, cache=tmp_path / "decoded")
    streamed = load_images(source, split, decoder, columns, cache=tmp_path / "streamed", streamed=10)
    assert not list((tmp_path / "streamed").glob("*/images.bin"))
    assert isinstance(streamed.images, StreamedImages)
    assert streamed.fingerprint == decoded.fingerprint
    assert np.array_equal(streamed.digests, decoded.digests)
    assert streamed.columns.keys() == decoded.columns.keys()
    for name, values in decoded.columns.items():
        assert np.array_equal(streamed.columns[name], values)
        assert streamed.columns[name].dtype == values.dtype
    assert streamed.images.shape == decoded.images.shape
    assert streamed.images.ndim == 4
    assert np.array_equal(np.asarray(streamed.images), decoded.images)


def test_what_is_chosen_of_them_is_read_when_it_is_looked_at(
    make_parquet: MakeParquet, decoder: Preprocessing
) -> None:
    images = load_images(f"parquet:{make_parquet()}", ALL, decoder, streamed=10)
    some = images.take(np.array([13, 2, 2, 19, 7]))
    assert isinstance(some.images, StreamedImages)
    assert [int(batch[0, 0, 0, 0]) for batch in some.images.batches(2)] == [13, 2, 7]
    assert np.asarray(some.images)[:, 0, 0, 0].tolist() == [13, 2, 2, 19, 7]
    assert np.asarray(some.images[1:4:2])[:, 0, 0, 0].tolist() == [2, 19]
    assert np.asarray(some.images[np.array([True, False, False, False, True])])[:, 0, 0, 0].tolist() == [
        13,
        7,
    ]
    assert some.images[3].shape == (1, 8, 8)
    assert len(some.images[:0]) == len(np.asarray(some.images[:0])) == 0
    again = pickle.loads(pickle.dumps(some.images))
    assert np.array_equal(np.asarray(again), np.asarray(some.images))


def test_undecodable_images_are_counted_and_named(
    make_parquet: MakeParquet, decoder: Preprocessing, make_png: Callable[..., bytes]
) -> None:
    images = [make_png(number) for number in range(20)]
    images[3], images[11] = b"nothing", images[11][:30]
    source = f"parquet:{make_parquet(image=images)}"
    with pytest.raises(DataError, match="2 of 20 images cannot be decoded: s0_03, s2_01"):
        load_images(source, ALL, decoder, streamed=10)
    with pytest.warns(UserWarning, match="2 undecodable images were skipped: s0_03, s2_01"):
        found = load_images(source, ALL, decoder, undecodable="skip", streamed=10)
    expected = [number for number in range(20) if number not in (3, 11)]
    assert np.asarray(found.images)[:, 0, 0, 0].tolist() == expected
    assert found.sample_ids.tolist() == [f"s{number // 5}_{number % 5:02d}" for number in expected]


def test_an_image_in_both_parts_stops_the_run(
    make_parquet: MakeParquet, decoder: Preprocessing, make_png: Callable[..., bytes]
) -> None:
    images = [make_png(number) for number in range(20)]
    images[17] = images[2]
    config = DataConfig.model_validate(
        {
            "source": f"parquet:{make_parquet(image=images)}",
            "train": {"split": "train"},
            "evaluate": {"split": "test"},
            "streaming": True,
        }
    )
    training, evaluation = load_training(config, decoder), load_evaluation(config, decoder, 0)
    assert isinstance(evaluation.gallery.images, StreamedImages)
    with pytest.raises(DataError, match=r"1 of 10 evaluation images are training images too.*'s0_02'"):
        require_disjoint(config, training, evaluation)


def test_a_damaged_entry_is_made_anew(make_parquet: MakeParquet, decoder: Preprocessing, cache: Path) -> None:
    source = f"parquet:{make_parquet()}"
    load_images(source, ALL, decoder, streamed=10)
    for file in only_entry(cache).glob("*.npy"):
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert np.asarray(load_images(source, ALL, decoder, streamed=10).images)[:, 0, 0, 0].tolist() == list(
            range(20)
        )
        assert file.read_bytes() == content


def test_other_sources_stream_too_or_say_that_they_cannot(
    tmp_path: Path, decoder: Preprocessing, make_png: Callable[..., bytes], make_vectors: MakeParquet
) -> None:
    for value, name in enumerate(("cat/a.png", "cat/b.png", "dog/c.png")):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(make_png(value))
    images = load_images(f"folder:{tmp_path / 'folder'}", ALL, decoder, streamed=10)
    assert np.asarray(images.images)[:, 0, 0, 0].tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="cannot be streamed"):
        load_images("glyphs:?classes=6&instances=2", ALL, decoder, streamed=10)
    with pytest.raises(DataError, match=r"leave data\.streaming out"):
        load_images(f"vectors:{make_vectors()}", ALL, None, streamed=10)
