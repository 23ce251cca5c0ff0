"""Embedding the images of entries anew: in this process, with Ray Data, and what cannot be read."""

import io
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.backfill import Backfills
from holdfast.base import DataError
from holdfast.entries import Entries, Entry, NewVector, Replace
from holdfast.jobs.backfill import work_on_backfill
from holdfast.models import Encoder, ModelConfig, Preprocessing
from holdfast.store import Draft, Store, open_store
from tests.fixtures.clusters import Cluster

pytestmark = pytest.mark.long


@pytest.fixture
def encoders(tmp_path: Path) -> list[Encoder]:
    torch.manual_seed(0)
    config = ModelConfig(dimension=16, width=0.25, preprocessing=Preprocessing(size=16))
    return [Encoder(config).eval() for _ in range(2)]


def png(seed: int) -> bytes:
    blocks = np.random.default_rng(seed).integers(0, 2, (6, 6), dtype=np.uint8) * 255
    buffer = io.BytesIO()
    Image.fromarray(blocks).resize((24, 24), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def store(tmp_path: Path, encoders: list[Encoder]) -> Iterator[Store]:
    """v1 and v2, and 20 entries of v1 with their images: by path, by URI, and some out of reach."""
    with open_store(tmp_path / "store") as opened:
        for task, encoder in enumerate(encoders):
            encoder.save(tmp_path / f"encoder{task}")
            opened.versions.publish(
                Draft("run", 1, task, "v1" if task else None, tmp_path / f"encoder{task}", "name: a", "d", {})
            )
        entries = []
        (tmp_path / "images").mkdir()
        for number in range(20):
            file = tmp_path / "images" / f"{number}.png"
            file.write_bytes(png(number))
            source = file.as_uri() if number % 2 else str(file)
            vector = encoders[0].embed([png(number)])[0]
            entries.append(Entry(f"e{number:02}", "v1", vector, {"number": number}, source))
        Entries(opened).upsert(entries)
        yield opened


def work(store: Store, sources: Sequence[str] | None = None, **options: object) -> object:
    name = Backfills(store).create("v2", "re-embed", **options).name  # type: ignore[arg-type]
    images = [str(Path(store.where).parent / "images")] if sources is None else sources
    entries = Entries(store)
    return work_on_backfill(store, name, "test", lambda change: entries.write([change])[0], sources=images)


def check(store: Store, encoder: Encoder, numbers: list[int]) -> None:
    for number in numbers:
        found = Entries(store).get(f"e{number:02}")
        assert (found.version, found.mapped_from, found.attributes) == ("v2", None, {"number": number})
        np.testing.assert_allclose(found.vector, encoder.embed([png(number)])[0], atol=1e-5)


@pytest.mark.parametrize("order", ["gain", "random"])
def test_entries_become_what_the_target_makes_of_their_images(
    store: Store, encoders: list[Encoder], order: str
) -> None:
    found = work(store, batch_size=7, order=order)
    assert (found.status, found.done, found.skipped) == ("done", 20, {})  # type: ignore[attr-defined]
    check(store, encoders[1], list(range(20)))


def test_entries_that_were_only_mapped_are_embedded_too(store: Store, encoders: list[Encoder]) -> None:
    entries = Entries(store)
    wrong = np.eye(1, 16, dtype="<f4")[0].tobytes()
    found = [entries.get(f"e{number:02}") for number in range(5)]
    entries.write(
        [Replace(tuple(NewVector(each.id, each.seq, "v2", wrong, "v1", "digest") for each in found))]
    )
    assert work(store, order="gain").done == 20  # type: ignore[attr-defined]
    check(store, encoders[1], list(range(20)))
    assert entries.get("e00").mapped_by is None
    with pytest.raises(DataError, match="versions other than v2"):
        Backfills(store).create("v2", "re-embed")


def test_what_cannot_be_read_is_counted_and_named(
    store: Store, encoders: list[Encoder], tmp_path: Path
) -> None:
    (tmp_path / "images" / "0.png").unlink()
    (tmp_path / "images" / "1.png").write_bytes(b"no picture")
    entries = Entries(store)
    without = entries.get("e02")
    entries.upsert([Entry("e02", "v1", without.vector), Entry("e03", "v1", without.vector, {}, "nfs9://a/b")])
    found = work(store, batch_size=7, order="oldest")
    assert (found.status, found.done) == ("done", 16)  # type: ignore[attr-defined]
    assert found.skipped == {  # type: ignore[attr-defined]
        "not found": 1,
        "not an image": 1,
        "no source": 1,
        "outside the allowed sources": 1,
    }
    assert any("0.png): not found" in example for example in found.examples)  # type: ignore[attr-defined]
    check(store, encoders[1], list(range(4, 20)))
    assert entries.count() == {"v1": 4, "v2": 16}
    # Once the image is there, the next one finds it.
    (tmp_path / "images" / "0.png").write_bytes(png(0))
    assert work(store).done == 1  # type: ignore[attr-defined]


IN_A_PROCESS = """
import sys
from holdfast.entries import Entries
from holdfast.jobs.backfill import work_on_backfill
from holdfast.store import open_store

with open_store(sys.argv[1]) as store:
    write = Entries(store).write
    work_on_backfill(store, sys.argv[2], "test", lambda change: write([change])[0], sources=sys.argv[3:])
"""


def test_ray_data_gives_the_same(
    cluster: Cluster, store: Store, encoders: list[Encoder], tmp_path: Path
) -> None:
    """In a process of its own: Ray reads its environment once."""
    (tmp_path / "images" / "5.png").unlink()
    (tmp_path / "7.png").write_bytes(png(7))
    entries = Entries(store)
    entries.upsert([Entry("e07", "v1", entries.get("e07").vector, {}, str(tmp_path / "7.png"))])
    name = Backfills(store).create("v2", "re-embed", batch_size=6, workers=1, order="oldest").name
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, store.location, name, str(tmp_path / "images")],
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found = Backfills(store).get(name)
    assert (found.status, found.done, found.skipped) == (
        "done",
        18,
        {"not found": 1, "outside the allowed sources": 1},
    )
    check(store, encoders[1], [number for number in range(20) if number not in (5, 7)])


def test_nothing_is_read_where_the_operator_has_named_nothing(store: Store) -> None:
    found = work(store, sources=[])
    assert (found.status, found.done) == ("failed", 0)  # type: ignore[attr-defined]
    assert "none may be read here: say which folders or URL prefixes may, with --sources" in found.error  # type: ignore[attr-defined]
    # Whoever may read them can resume it.
    Backfills(store).resume("b1")


def test_a_folder_that_is_gone_ends_it_with_a_sentence(store: Store, tmp_path: Path) -> None:
    found = work(store, sources=[str(tmp_path / "gone")])
    assert found.status == "failed"  # type: ignore[attr-defined]
    assert "gone' is no folder here" in found.error  # type: ignore[attr-defined]
