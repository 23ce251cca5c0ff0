"""Commands that write entries do so as the one writer, or not at all."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import update

from holdfast.backfill import Backfills
from holdfast.entries import Entries, Entry, Lease, LeaseHeldError, LeaseLostError, Replace
from holdfast.entries.lease import refuse_if_held
from holdfast.store import Compatibility, Store, open_store
from holdfast.store.database.engine import writing
from holdfast.store.database.schema import leases

Holdfast = Callable[..., Any]
ANEW = ("--kind", "re-embed", "--sources", "/")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Twelve entries of v1."""
    vectors = pa.array([[0.25] * 16] * 12, pa.list_(pa.float32()))
    table = pa.table(
        {"id": [f"e{number}" for number in range(12)], "version": ["v1"] * 12, "vector": vectors}
    )
    pq.write_table(table, tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


def take_over(store: Store) -> None:
    """Let another process have the lease, as after a long pause of its holder."""
    with writing(store.engine) as connection:
        connection.execute(update(leases).values(epoch=99, expires_at=time.time() + 3600))


def test_an_import_beside_a_writer_is_refused(holdfast: Holdfast, learned: Path, file: Path) -> None:
    with open_store(learned) as store:
        with Lease.take(store):
            sentence = holdfast("gallery", "import", file, "--store", learned).sentence
        assert f"has a writer: process {os.getpid()} on " in sentence
        assert "Send writes there, or stop that process and try again." in sentence
        assert Entries(store).last_seq() == 0
        assert holdfast("gallery", "import", file, "--store", learned, "--json").json["upserted"] == 12
        refuse_if_held(store)


def test_an_import_is_the_one_writer_and_stops_when_it_is_not_any_more(
    holdfast: Holdfast, learned: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.entries.parquet.BATCH", 5)
    write = Entries.write
    batches = 0

    def watched(self: Entries, changes: Sequence[Any], fence: Any = None) -> list[int]:
        nonlocal batches
        batches += 1
        with pytest.raises(LeaseHeldError):
            Lease.take(self.store)
        if batches == 2:
            take_over(self.store)
        return write(self, changes, fence)

    monkeypatch.setattr(Entries, "write", watched)
    sentence = holdfast("gallery", "import", file, "--store", learned).sentence
    assert "Another writer has taken this store over" in sentence
    with open_store(learned) as store:
        assert Entries(store).count() == {"v1": 5}


def test_a_backfill_is_the_one_writer_and_leaves_the_rest_to_whoever_comes_next(
    holdfast: Holdfast, learned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.cli.attending.LOOK_SECONDS", 0.02)
    vector = np.full(16, 0.25, np.float32)
    with open_store(learned) as store:
        Entries(store).upsert([Entry("a", "v1", vector)])
        store.compatibility.record([Compatibility("v1", "v2", 60.0, 50.0, 5.0, 15.0, True, "test")])
        seen: list[str] = []

        def work(
            own: Store, name: str, owner: str, write: Callable[[Replace], int], stop: threading.Event, *_: Any
        ) -> None:
            with pytest.raises(LeaseHeldError):
                Lease.take(own)
            assert write(Replace(())) == 0
            seen.append("wrote")
            take_over(own)
            with pytest.raises(LeaseLostError):
                write(Replace(()))
            seen.append("was refused")
            # The command goes on watching until somebody has ended it.
            threading.Timer(0.3, Backfills(own).cancel, [name]).start()
            write(Replace(()))

        monkeypatch.setattr("holdfast.jobs.work_on_backfill", work)
        done = holdfast("backfill", "start", "v2", *ANEW, "--store", learned, "--json")
        assert (done.code, done.json["status"]) == (0, "cancelled")
        assert seen == ["wrote", "was refused"]


def test_a_server_that_restarts_finds_its_lease_free(
    holdfast: Holdfast, learned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches its backfill does not take it over at once."""
    monkeypatch.setattr("holdfast.cli.attending.LOOK_SECONDS", 0.02)
    monkeypatch.setattr("holdfast.cli.attending.RESTART_SECONDS", 1.0)
    vector = np.full(16, 0.25, np.float32)
    with open_store(learned) as store:
        Entries(store).upsert([Entry("a", "v1", vector)])
        store.compatibility.record([Compatibility("v1", "v2", 60.0, 50.0, 5.0, 15.0, True, "test")])
        free_again = threading.Event()
        taken: list[int] = []

        def restart() -> None:
            server.release()
            free_again.wait(0.5)
            again = Lease.take(store)
            taken.append(again.epoch)
            again.release()

        server = Lease.take(store)
        threading.Timer(0.3, restart).start()
        done = holdfast("backfill", "start", "v2", *ANEW, "--store", learned, "--json")
        # It came and went; nobody followed for long enough, so the command did the work, for which the
        # entry has no source.
        assert taken == [2]
        assert (done.json["status"], done.json["skipped"]) == ("failed", {"no source": 1})
        assert done.json["skipped"] == {"no source": 1}
