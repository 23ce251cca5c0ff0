"""What a backfill would cost, by a probe of real images and of real maps."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from holdfast.adapters import LinearAdapter
from holdfast.backfill import Gain, price
from holdfast.base import DataError, IncompatibleError
from holdfast.entries import Entries, Entry
from holdfast.store import Compatibility, Store
from holdfast.testing import tiny_store

COUNT = 10
MEASURED = Compatibility("v2", "v1", 60.0, 55.0, 2.0, 8.0, True, "one measurement")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten files; the last one is no image."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(COUNT - 1):
        Image.new("RGB", (20, 20), (number * 20, 90, 0)).save(folder / f"{number}.png")
    (folder / f"{COUNT - 1}.png").write_text("no image")
    return folder


@pytest.fixture
def filled(tmp_path: Path, photos: Path) -> Iterator[Store]:
    """Ten entries of v1 whose images lie there, and two without."""
    with tiny_store(tmp_path / "store") as store:
        rows = np.eye(8, dtype=np.float32)
        sources = [str(photos / f"{number}.png") for number in range(COUNT)] + [None, None]
        Entries(store).upsert(
            [Entry(f"e{n}", "v1", rows[n % 8], {}, source) for n, source in enumerate(sources)]
        )
        yield store


def test_images_are_tried_and_what_they_would_bring_is_told(filled: Store, photos: Path) -> None:
    found = price(filled, "v2", "re-embed", None, [str(photos)])
    assert (found.target, found.entries, found.probed, found.readable) == ("v2", 12, 12, 9)
    assert found.unreadable == {"not an image": 1, "no source": 2}
    assert found.write_bytes == 9 * 4 * 8
    assert found.read_bytes == sum((photos / f"{n}.png").stat().st_size for n in range(COUNT - 1))
    assert found.seconds > 0
    assert found.by_version == (Gain("v1", 12),)
    # Only figures of one measurement are set beside each other.
    anew = replace(MEASURED, gallery="v2", value=66.0)
    filled.compatibility.record([MEASURED, replace(anew, evaluation="another measurement")])
    assert price(filled, "v2", "re-embed", ["v1"], [str(photos)]).by_version == (Gain("v1", 12),)
    filled.compatibility.record([anew])
    assert price(filled, "v2", "re-embed", ["v1"], [str(photos)]).by_version == (
        Gain("v1", 12, 60.0, 66.0, "labels"),
    )
    assert Entries(filled).count() == {"v1": 12}


def test_a_map_reads_no_image(filled: Store) -> None:
    with pytest.raises(IncompatibleError, match="No adapter maps entries of v1 to v2"):
        price(filled, "v2", "map", None, [])
    filled.adapters.register("v2", "v1", LinearAdapter.of(np.eye(8, dtype=np.float32)))
    found = price(filled, "v2", "map", None, [])
    assert (found.entries, found.readable, found.read_bytes, found.by_version) == (12, 12, 0, ())


def test_nothing_to_move_is_said(filled: Store) -> None:
    with pytest.raises(DataError, match="nothing to backfill"):
        price(filled, "v1", "re-embed", None, [])
