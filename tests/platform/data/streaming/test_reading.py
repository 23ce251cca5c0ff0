from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from holdfast.base import DataError
from holdfast.data import Batches, Reading, Schedule, SplitConfig, StreamedImages, load_images, read_here
from holdfast.models import Preprocessing

MakeParquet = Callable[..., Path]
SEED, BATCH, WINDOW = 3, 12, 40


@pytest.fixture
def images(make_parquet: MakeParquet, decoder: Preprocessing, tmp_path: Path) -> StreamedImages:
    """Of two files; each is filled with its row number."""
    make_parquet("images/a.parquet", classes=8, instances=15)
    make_parquet("images/b.parquet", classes=4, instances=20)
    loaded = load_images(f"parquet:{tmp_path / 'images'}", SplitConfig(), decoder, streamed=WINDOW)
    assert isinstance(loaded.images, StreamedImages)
    return loaded.images


def reading(images: StreamedImages, columns: np.ndarray | None = None, step: int = 0) -> Reading:
    schedule = Schedule(images.stack.pieces(images.rows), BATCH, SEED, images.stack.window)
    return Reading(images, schedule, np.arange(BATCH) if columns is None else columns, 2, step)


@dataclass(frozen=True, eq=False)
class Spy:
    """Notes which pieces are read."""

    originals: Any
    seen: set[int]

    @property
    def layout(self) -> Any:
        return self.originals.layout

    def read(self, piece: int, rows: np.ndarray) -> Any:
        self.seen.add(piece)
        return self.originals.read(piece, rows)


def values(batch: np.ndarray) -> list[int]:
    assert (batch == batch[:, :1, :1, :1]).all()
    return batch[:, 0, 0, 0].tolist()


def test_it_shows_the_batches_of_the_schedule(images: StreamedImages) -> None:
    pixels = np.asarray(images)
    work = reading(images)
    shown = list(read_here(work))
    expected = [positions for epoch in range(2) for positions in work.schedule.epoch(epoch)]
    assert len(shown) == len(expected) == 2 * (200 // BATCH)
    for batch, positions in zip(shown, expected, strict=True):
        assert np.array_equal(batch, pixels[positions])


@pytest.mark.parametrize("step", [1, 5, 15, 16, 17, 31, 32])
def test_it_goes_on_at_any_step(images: StreamedImages, step: int) -> None:
    whole = [values(batch) for batch in read_here(reading(images))]
    assert [values(batch) for batch in read_here(reading(images, step=step))] == whole[step:]


@pytest.mark.parametrize("world", [2, 3, 5])
def test_the_parts_of_all_workers_are_the_batch_of_one(images: StreamedImages, world: int) -> None:
    whole = [values(batch) for batch in read_here(reading(images))]
    slices = [Batches(len(images), BATCH, SEED, rank, world).slice for rank in range(world)]
    parts = [
        [values(batch) for batch in read_here(reading(images, np.arange(own.start, own.stop)))]
        for own in slices
    ]
    joined = [[value for part in step for value in part] for step in zip(*parts, strict=True)]
    assert joined == whole


def test_an_image_of_another_worker_can_be_had(images: StreamedImages) -> None:
    """For mixtures: the one behind the part, and behind the last part the first of the batch."""
    whole = [values(batch) for batch in read_here(reading(images))]
    behind = [values(batch) for batch in read_here(reading(images, np.array([10, 11, 0])))]
    assert behind == [[step[10], step[11], step[0]] for step in whole]
    all_and_first = [values(batch) for batch in read_here(reading(images, np.arange(BATCH + 1) % BATCH))]
    assert all_and_first == [[*step, step[0]] for step in whole]


def test_workers_of_a_power_of_two_read_pieces_of_their_own(images: StreamedImages) -> None:
    """But for those that lie across the end of a lane."""
    opened: list[set[int]] = []
    for half in (np.arange(6), np.arange(6, 12)):
        seen: set[int] = set()
        stack = replace(images.stack, originals=Spy(images.stack.originals, seen))
        work = reading(StreamedImages(stack, images.rows), half)
        list(read_here(replace(work, epochs=1)))
        opened.append(seen)
    pieces = len(images.stack.originals.layout["starts"]) - 1
    assert len(opened[0] & opened[1]) <= 2
    assert len(opened[0] | opened[1]) <= pieces


def test_an_image_that_was_lost_is_named(images: StreamedImages, tmp_path: Path) -> None:
    file = tmp_path / "images/b.parquet"
    table = pq.read_table(file)
    broken = table.column("image").to_pylist()
    broken[17] = b"no image"
    pq.write_table(table.set_column(0, "image", [broken]), file, row_group_size=7)
    with pytest.raises(
        DataError, match=r"the image 's0_17' could be read when .* cannot be now: .* Bring it"
    ):
        list(read_here(reading(images)))


def test_a_file_that_is_gone_is_named(images: StreamedImages, tmp_path: Path) -> None:
    (tmp_path / "images/a.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match=r"cannot be read as Parquet \(a.parquet\)"):
        list(read_here(reading(images)))


def test_what_is_not_wanted_any_more_is_not_read(images: StreamedImages) -> None:
    running = read_here(reading(images))
    assert len(next(running)) == BATCH
    running.close()
