"""Backfills at work: mapped entries, orders, crashes, pauses."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from holdfast.adapters import LinearAdapter
from holdfast.backfill.attending import batch_of, nothing_moved
from holdfast.backfill.mover import AdapterMover, Moved, Stored
from holdfast.backfill.plan import make_plan
from holdfast.backfill.record import Backfills
from holdfast.backfill.work import run_backfill
from holdfast.base import InvalidVectorError, NotReadyError, StoreError
from holdfast.entries import Entries, Entry, NewVector, Replace
from holdfast.search import Gallery
from holdfast.store import Compatibility, Store, open_store

Vectors = Callable[..., np.ndarray]
TURN = np.linalg.qr(np.random.default_rng(5).normal(size=(8, 8)))[0].astype(np.float32)


@pytest.fixture
def adapted(store: Store, vectors: Vectors) -> Store:
    """60 entries of v1, 20 of v2; v3 meets both through a turn."""
    rows = vectors(80)
    Entries(store).upsert([Entry(f"e{n}", "v1" if n < 60 else "v2", rows[n], {"n": n}) for n in range(80)])
    for name, value in (("v1", 60.0), ("v2", 50.0)):
        row = store.adapters.register("v3", name, LinearAdapter.of(TURN))
        store.compatibility.record(
            [Compatibility("v3", name, value, 40.0, 1.0, 9.0, True, "test", adapter=row.digest)]
        )
    return store


def write_to(store: Store) -> Callable[[Replace], int]:
    return lambda change: Entries(store).write([change])[0]


def run(store: Store, **options: object) -> object:
    made = Backfills(store).create("v3", "map", **options)  # type: ignore[arg-type]
    mover = AdapterMover(store, made.target, made.sources)
    return run_backfill(store, Backfills(store).claim(made.name, "test"), mover, write_to(store))


def test_mapped_entries_rank_as_they_did_through_the_adapter(adapted: Store, vectors: Vectors) -> None:
    gallery, queries = Gallery(adapted), vectors(6, seed=9)
    before = [[hit.id for hit in gallery.search(query, "v3", k=80).hits] for query in queries]
    found = run(adapted, batch_size=7)
    assert (found.status, found.done, found.skipped, found.owner) == ("done", 80, {}, None)  # type: ignore[attr-defined]
    gallery.refresh()
    results = [gallery.search(query, "v3", k=80) for query in queries]
    assert [[hit.id for hit in result.hits] for result in results] == before
    assert gallery.stats().entries == {"v3": 80}
    digests = {row.gallery: row.digest for row in adapted.adapters.list()}
    entry = Entries(adapted).get("e70")
    assert (entry.version, entry.mapped_from, entry.mapped_by) == ("v3", "v2", digests["v2"])
    assert entry.attributes == {"n": 70}
    assert gallery.verify().ok


def test_moved_twice_the_first_version_still_looked_at_the_image(adapted: Store) -> None:
    adapted.adapters.register("v2", "v1", LinearAdapter.of(TURN))
    Backfills(adapted).create("v2", "map", ["v1"], force=True)
    mover = AdapterMover(adapted, "v2", ["v1"])
    run_backfill(adapted, Backfills(adapted).claim("b1", "test"), mover, write_to(adapted))
    run(adapted)
    assert Entries(adapted).get("e0").mapped_from == "v1"
    assert Entries(adapted).get("e70").mapped_from == "v2"


def test_the_plan_follows_the_order(adapted: Store) -> None:
    plans = {}
    for order in ("oldest", "random", "gain"):
        made = Backfills(adapted).create("v3", "map", order=order)  # type: ignore[arg-type]
        plans[order] = make_plan(adapted, made).tolist()
        Backfills(adapted).cancel(made.name)
    assert plans["oldest"] == list(range(1, 81))
    assert sorted(plans["random"]) == plans["oldest"] != plans["random"]
    # v2 has the lower cross-test.
    assert sorted(plans["gain"][:20]) == list(range(61, 81))


class Look:
    """Embeds an entry as its own vector, turned; those of odd number move farther."""

    reads_vectors = False

    def __init__(self, store: Store, fail_after: int = 10**9) -> None:
        self.entries, self.left = Entries(store), fail_after

    def move(self, batches: Iterator[list[Stored]]) -> Iterator[Moved]:
        for batch in batches:
            rows = []
            for entry in batch:
                stored = self.entries.get(entry.id)
                vector = stored.vector @ TURN
                if stored.vector[0] > 0:
                    vector = -vector
                rows.append(NewVector(entry.id, entry.seq, "v3", vector.astype("<f4").tobytes()))
            self.left -= 1
            if self.left < 0:
                raise StoreError("The disk is full.")
            yield Moved(rows)


def test_a_failure_has_a_sentence_and_is_resumed_where_it_was(adapted: Store) -> None:
    name = Backfills(adapted).create("v3", "re-embed", order="oldest", batch_size=10).name
    claim = Backfills(adapted).claim(name, "test")
    found = run_backfill(adapted, claim, Look(adapted, fail_after=3), write_to(adapted))
    assert (found.status, found.done, found.error) == ("failed", 30, "The disk is full.")
    Backfills(adapted).resume(name)
    found = run_backfill(adapted, Backfills(adapted).claim(name, "test"), Look(adapted), write_to(adapted))
    assert (found.status, found.done, found.error) == ("done", 80, None)


def test_without_a_writer_the_work_is_left_to_the_next(adapted: Store) -> None:
    def refuse(change: Replace) -> int:
        raise NotReadyError("Another writer holds the lease.")

    name = Backfills(adapted).create("v3", "map").name
    mover = AdapterMover(adapted, "v3", ["v1", "v2"])
    with pytest.raises(NotReadyError):
        run_backfill(adapted, Backfills(adapted).claim(name, "test"), mover, refuse)
    assert [each.name for each in Backfills(adapted).unattended()] == [name]


@pytest.mark.parametrize("how", ["pause", "cancel", "take over", "stop"])
def test_it_ends_within_a_batch(adapted: Store, how: str) -> None:
    name = Backfills(adapted).create("v3", "map", batch_size=5).name
    stop = threading.Event()

    def write(change: Replace) -> int:
        applied = write_to(adapted)(change)
        if how == "stop":
            stop.set()
        elif how == "take over":
            Backfills(adapted).claim(name, "another")
        else:
            getattr(Backfills(adapted), how)(name)
        return applied

    mover = AdapterMover(adapted, "v3", ["v1", "v2"])
    found = run_backfill(adapted, Backfills(adapted).claim(name, "test"), mover, write, stop)
    assert found.done <= 10
    assert found.status == {"pause": "paused", "cancel": "cancelled"}.get(how, "running")
    assert found.owner == ("another" if how == "take over" else None)


class Stuck:
    """Is busy with its first batch for as long as it likes."""

    reads_vectors = False
    can_probe = False

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def move(self, batches: Iterator[list[Stored]]) -> Iterator[Moved]:
        for _ in batches:
            self.begun.set()
            self.go_on.wait(60)
            yield Moved([])


@pytest.mark.parametrize("busy", ["slow pace", "slow batch"])
@pytest.mark.parametrize("how", ["pause", "cancel", "pause and resume", "take over", "stop"])
def test_it_lets_go_within_a_second_whatever_it_is_busy_with(adapted: Store, how: str, busy: str) -> None:
    pace = 0.0003 if busy == "slow pace" else None
    name = Backfills(adapted).create("v3", "map", pace=pace).name
    claim, stop, stuck = Backfills(adapted).claim(name, "test"), threading.Event(), Stuck()
    mover = AdapterMover(adapted, "v3", ["v1", "v2"]) if busy == "slow pace" else stuck
    worker = threading.Thread(
        target=run_backfill, args=(adapted, claim, mover, write_to(adapted), stop), daemon=True
    )
    worker.start()
    if busy == "slow batch":
        assert stuck.begun.wait(30)
    if how == "stop":
        stop.set()
    elif how == "take over":
        Backfills(adapted).claim(name, "another")
    else:
        for change in how.split(" and "):
            getattr(Backfills(adapted), change)(name)
    # A second, and what a busy machine takes longer.
    worker.join(4)
    try:
        assert not worker.is_alive()
    finally:
        stuck.go_on.set()
    found = Backfills(adapted).get(name)
    assert found.done == 0
    assert found.owner == ("another" if how == "take over" else None)
    if how in ("pause and resume", "stop"):
        assert [each.name for each in Backfills(adapted).unattended()] == [name]


def test_no_number_of_pauses_makes_it_faster_than_its_pace(adapted: Store) -> None:
    name = Backfills(adapted).create("v3", "map", pace=2.0, batch_size=1).name
    begun = time.monotonic()
    for _ in range(4):
        claim, stop = Backfills(adapted).claim(name, "test"), threading.Event()
        threading.Timer(0.2, stop.set).start()
        mover = AdapterMover(adapted, "v3", ["v1", "v2"])
        found = run_backfill(adapted, claim, mover, write_to(adapted), stop)
        Backfills(adapted).pause(name)
        Backfills(adapted).resume(name)
    assert found.done <= 2.0 * (time.monotonic() - begun)


def test_a_pace_makes_batches_no_larger_than_a_second_of_it() -> None:
    assert [batch_of(256, pace) for pace in (None, 1000.0, 40.0, 0.0003)] == [256, 256, 40, 1]


@pytest.mark.parametrize(
    ("done", "skipped", "said"),
    [
        (0, {"no source": 991}, "None of 991 entries was moved (991 no source); their entries name no image"),
        (0, {"not found": 1, "outside the allowed sources": 990}, "name the folder"),
        (0, {"not an image": 991}, "None of 991 entries was moved (991 not an image). Then"),
        (0, {"changed": 991}, None),
        (1, {"no source": 990}, None),
        (0, {}, None),
    ],
)
def test_a_backfill_that_moved_nothing_says_why(
    adapted: Store, done: int, skipped: dict[str, int], said: str | None
) -> None:
    found = replace(Backfills(adapted).create("v3", "map"), total=991, done=done, skipped=skipped)
    assert (nothing_moved(found) is None) == (said is None)
    assert said is None or said in str(nothing_moved(found))


def test_the_pace_is_kept(adapted: Store) -> None:
    begun = time.monotonic()
    run(adapted, batch_size=20, pace=160.0)
    assert time.monotonic() - begun > 0.45


def test_a_vector_that_the_map_cannot_take_is_counted_and_named(adapted: Store, vectors: Vectors) -> None:
    class Picky(LinearAdapter):
        def apply(self, rows: np.ndarray) -> np.ndarray:
            if (rows[:, 0] > 0.6).any():
                raise InvalidVectorError("not this one")
            return super().apply(rows)

    stored = [each for chunk in Entries(adapted).scan() for each in chunk]
    bad = {each.id for each in stored if each.vector[0] > 0.6}
    assert bad
    name = Backfills(adapted).create("v3", "map").name
    mover = AdapterMover(adapted, "v3", ["v1", "v2"])
    picky = Picky.of(TURN)
    mover._adapters = {key: (digest, picky) for key, (digest, _) in mover._adapters.items()}
    found = run_backfill(adapted, Backfills(adapted).claim(name, "test"), mover, write_to(adapted))
    assert (found.status, found.done, found.skipped) == ("done", 80 - len(bad), {"unmappable": len(bad)})
    assert {example.split(":")[0] for example in found.examples} <= bad
    assert Entries(adapted).count() == {
        name: sum(each.id in bad for each in stored if each.version == name)
        for name in ("v1", "v2")
        if any(each.id in bad for each in stored if each.version == name)
    } | {"v3": 80 - len(bad)}


SCRIPT = """
import sys, time
from holdfast.entries import Entries
from holdfast.backfill.attending import batch_of, nothing_moved
from holdfast.backfill.mover import AdapterMover
from holdfast.backfill.record import Backfills
from holdfast.backfill.work import run_backfill
from holdfast.store import open_store

with open_store(*sys.argv[1:]) as store:
    entries = Entries(store)
    def write(change):
        applied = entries.write([change])[0]
        print(applied, flush=True)
        time.sleep(0.02)
        return applied
    mover = AdapterMover(store, "v3", ["v1", "v2"])
    run_backfill(store, Backfills(store).claim("b1", "killed"), mover, write)
"""


def test_after_sigkill_another_goes_on(adapted: Store, place: tuple[str, str], vectors: Vectors) -> None:
    Backfills(adapted).create("v3", "map", batch_size=4)
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, *place], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(4):
        process.stdout.readline()
    Entries(adapted).upsert([Entry("e1", "v1", vectors(1, seed=3)[0])])
    process.kill()
    process.communicate()
    found = Backfills(adapted).get("b1")
    assert found.status == "running"
    assert Entries(adapted).count()["v3"] == found.done
    assert 16 <= found.done < 80
    with open_store(*place) as again:
        claim = Backfills(again).claim("b1", "next")
        found = run_backfill(again, claim, AdapterMover(again, "v3", ["v1", "v2"]), write_to(again))
    assert found.status == "done"
    assert found.done + found.skipped.get("changed", 0) == 80
    assert Gallery(adapted).verify().ok


def test_nothing_here_needs_ray() -> None:
    code = "import sys, holdfast.backfill.mover, holdfast.backfill.work; print('ray' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout == "False\n"
