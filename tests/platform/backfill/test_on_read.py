"""The images of candidates: what is embedded within a budget, and what of it becomes the gallery's."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.backfill import CascadeConfig, Keeping, ModelCascade, OnRead, Sources
from holdfast.base import NotFoundError
from holdfast.entries import Entries, Entry
from holdfast.index import Hit
from holdfast.search import Embedded, Gallery
from holdfast.store import Compatibility, Store

COUNT = 6


class Eye:
    """Embeds a file by its first byte, in 16 dimensions, when it is let."""

    def __init__(self) -> None:
        self.takes = frozenset({"image"})
        self.open = threading.Event()
        self.open.set()
        self.embedded: list[int] = []
        self.scale = 1.0

    def prepare(self, image: bytes, max_pixels: int = 0) -> np.ndarray:
        return np.array([image[0]])

    def embed(self, images: np.ndarray) -> np.ndarray:
        self.open.wait()
        self.embedded += images[:, 0].tolist()
        return np.concatenate([self.scale * vector_of(int(number)) for number in images[:, 0]])


def vector_of(number: int) -> np.ndarray:
    drawn = np.random.default_rng(number).normal(size=(1, 16)).astype(np.float32)
    return drawn / np.linalg.norm(drawn)


@pytest.fixture
def eye() -> Iterator[Eye]:
    made = Eye()
    yield made
    made.open.set()


@pytest.fixture
def hits(store: Store, entry: Callable[..., Entry], tmp_path: Path) -> list[Hit]:
    """e0, e1, ... by v1, whose images lie in a folder."""
    batch = []
    for number in range(COUNT):
        file = tmp_path / f"image-{number}"
        file.write_bytes(bytes([number]))
        made = entry(f"e{number}", seed=number)
        batch.append(Entry(made.id, made.version, made.vector, {"n": number}, str(file)))
    Entries(store).upsert(batch)
    return [Hit(each.id, 0.0, "v1", {}, 0.0) for each in batch]


@pytest.fixture
def reader(store: Store, tmp_path: Path) -> Iterator[Callable[..., OnRead]]:
    made: list[OnRead] = []

    def make(keeping: Keeping | None = None, **config: Any) -> OnRead:
        made.append(OnRead(store, Sources.of([str(tmp_path)]), CascadeConfig(**config), keeping))
        return made[-1]

    yield make
    for each in made:
        each.close()


def embed(reader: OnRead, eye: Eye, hits: Sequence[Hit], seconds: float = 60.0) -> Embedded:
    return reader.embed(eye, "v4", hits, time.monotonic() + seconds)


def keep(store: Store, keeping: Keeping) -> list[int]:
    """Writes what waits; how many rows of each batch were applied."""
    applied = []
    while (batch := keeping.take(4)) is not None:
        applied.append(Entries(store).submit(batch))
    return applied


def test_the_nearest_come_first_and_an_image_is_embedded_once(
    store: Store, reader: Callable[..., OnRead], eye: Eye, hits: list[Hit]
) -> None:
    made = reader(images=4)
    first = embed(made, eye, hits)
    assert first.outcomes == dict.fromkeys(["e0", "e1", "e2", "e3"], "embedded")
    for number in range(4):
        np.testing.assert_array_equal(first.vectors[f"e{number}"], vector_of(number)[0])
    second = embed(made, eye, hits)
    assert second.outcomes == dict.fromkeys(["e0", "e1", "e2", "e3"], "cached") | dict.fromkeys(
        ["e4", "e5"], "embedded"
    )
    assert sorted(eye.embedded) == list(range(COUNT))
    assert (first.kept, second.kept) == (0, 0)
    forgetful = reader(cached=0)
    for _ in range(2):
        assert set(embed(forgetful, eye, hits).outcomes.values()) == {"embedded"}


def test_why_an_image_is_out_of_reach_does_not_matter(
    store: Store,
    reader: Callable[..., OnRead],
    eye: Eye,
    hits: list[Hit],
    entry: Callable[..., Entry],
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "pipe")
    rows = Entries(store)
    by_source = {
        "e0": str(tmp_path / "gone"),
        "e1": str(tmp_path / "pipe"),
        "e2": "/etc/hostname",
        "e3": None,
    }
    rows.upsert([Entry(name, "v1", entry(name).vector, {}, source) for name, source in by_source.items()])
    rows.delete(["e4"])
    outcomes = embed(reader(), eye, hits).outcomes
    assert outcomes == dict.fromkeys([*by_source, "e4"], "unreachable") | {"e5": "embedded"}
    eye.scale = 2.0
    assert embed(reader(), eye, hits[5:]).outcomes == {"e5": "unreachable"}, "no vector of unit norm"


def test_a_slow_one_is_left_and_comes_with_the_next_search(
    reader: Callable[..., OnRead], eye: Eye, hits: list[Hit]
) -> None:
    made = reader(readers=2)
    eye.open.clear()
    began = time.monotonic()
    for _ in range(2):
        left = embed(made, eye, hits, seconds=0.1)
        assert (left.vectors, left.outcomes) == ({}, {})
    assert time.monotonic() - began < 10
    eye.open.set()
    found = embed(made, eye, hits).outcomes
    assert len(found) == COUNT
    assert sorted(eye.embedded) == list(range(COUNT)), "those that were begun are waited for, not begun again"


def test_vectors_are_kept_where_all_who_answer_can_search_them(
    store: Store,
    reader: Callable[..., OnRead],
    eye: Eye,
    hits: list[Hit],
    allow: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.backfill.keeping._VERDICT_SECONDS", 0.0)
    store.traffic.promote("v1")
    keeping = Keeping(store, limit=5)
    made = reader(keeping)
    assert embed(made, eye, hits).kept == 0, "v1 is live, and may not search entries of v4"
    assert keeping.take(9) is None
    allow("v1", "v4")
    assert embed(made, eye, hits).kept == 5
    assert (embed(made, eye, hits[:5]).kept, keeping.dropped) == (5, 1)
    # A user's newer write wins, whatever it changed.
    entries = Entries(store)
    (written,) = entries.get_many(["e2"])
    entries.upsert([written])
    assert keep(store, keeping) == [3, 1]
    stored = {each.id: each for batch in entries.scan() for each in batch}
    assert {name: each.version for name, each in stored.items()} == {
        **dict.fromkeys(["e0", "e1", "e3", "e4"], "v4"),
        **dict.fromkeys(["e2", "e5"], "v1"),
    }
    moved = stored["e3"]
    np.testing.assert_array_equal(moved.vector, vector_of(3)[0])
    assert (moved.attributes, moved.mapped_from, moved.source) == ({"n": 3}, None, stored["e3"].source)
    # What another process has moved needs no image any more.
    assert embed(reader(), eye, hits).outcomes["e3"] == "own"
    # The traffic may turn between the answer and the write.
    embed(made, eye, hits)
    store.compatibility.record([Compatibility("v1", "v4", 0.5, 0.6, -0.2, -0.1, False, "e")])
    assert keep(store, keeping) == [0]
    assert entries.count() == {"v1": 2, "v4": 4}


def test_a_gallery_in_this_process_cascades_by_the_models_of_its_store(
    store: Store, reader: Callable[..., OnRead], eye: Eye, hits: list[Hit], allow: Callable[..., None]
) -> None:
    allow("v2", "v1")

    class Narrow(Eye):
        def embed(self, images: np.ndarray) -> np.ndarray:
            cut = super().embed(images)[:, :8]
            return cut / np.linalg.norm(cut, axis=1, keepdims=True)

    def model_of(name: str) -> Any:
        if name != "v2":
            raise NotFoundError(name)
        return Narrow()

    cascade = ModelCascade(reader(always=True, candidates=COUNT), model_of)
    query = vector_of(3)[0, :8] / np.linalg.norm(vector_of(3)[0, :8])
    found = Gallery(store).search(query, "v2", cascade=cascade)
    assert found.hits[0].id == "e3"
    assert found.hits[0].score == pytest.approx(1.0)
    assert found.cascade is not None
    assert found.cascade.embedded == COUNT
