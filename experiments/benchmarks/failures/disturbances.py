"""What disturbs a server that is in use: changes of its traffic, kills, a database that goes away."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from experiments.benchmarks.failures.steady_load import NAMES
from experiments.benchmarks.failures.whole import Whole
from experiments.benchmarks.harness.postgres import Postgres
from experiments.benchmarks.harness.published import publish_untrained
from holdfast.base import HoldfastError
from holdfast.entries import Entries, Entry
from holdfast.models import ModelConfig, Preprocessing
from holdfast.store import Compatibility, Store
from holdfast_serving.client import Client

MODEL = ModelConfig(dimension=32, width=0.25, preprocessing=Preprocessing(size=16))
AWAY_SECONDS = 3.0
WHOLE_SECONDS = 90.0
"""How long the server may take to be whole again before the next kill."""


def make_store(store: Store, folder: Path) -> str:
    """Three versions, the first of them live, with its entries; returns its name."""
    first, *_ = (_publish(store, folder) for _ in range(3))
    store.traffic.promote(first)
    vectors = np.random.default_rng(0).standard_normal((NAMES, MODEL.dimension))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    Entries(store).upsert([Entry(f"e{number}", first, vector) for number, vector in enumerate(vectors)])
    return first


def _publish(store: Store, folder: Path) -> str:
    """One more version, that may search the entries of all others, and they its."""
    before = store.versions.list()
    name = publish_untrained(store, folder, MODEL, task=before[-1].number if before else 0)
    pairs = [pair for other in before for pair in ((name, other.name), (other.name, name))]
    store.compatibility.record(
        [Compatibility(query, entry, 60.0, 50.0, 8.0, 12.0, True, "by decree") for query, entry in pairs]
    )
    return name


@dataclass(frozen=True)
class Happened:
    """A disturbance, when it began (`time.monotonic`), what came of it and whether that was as it should
    be."""

    what: str
    at: float
    said: str
    well: bool = True


class Disturbances:
    """They come in an order that repeats itself. `away`: from when to when the database was."""

    ORDER: ClassVar[tuple[str, ...]] = (
        "publish",
        "shadow",
        "proxy",
        "canary",
        "gateway",
        "promote",
        "writer",
        "roll back",
        "database",
        "no canary",
        "keeper",
        "no shadow",
        "retire",
        "proxy manager",
    )

    def __init__(
        self,
        store: Store,
        folder: Path,
        client: Client,
        server: Whole,
        database: Postgres,
        order: Sequence[str] = ORDER,
    ) -> None:
        self.away: list[tuple[float, float]] = []
        self._store, self._client = store, client
        self._server, self._database = server, database
        self._order, self._number = order, 0
        self._do: Mapping[str, Callable[[], str]] = {
            "publish": lambda: _publish(store, folder),
            "shadow": lambda: self._change(shadow_version=self._newest(), shadow_share=0.5),
            "canary": lambda: self._change(canary_version=self._newest(), canary_share=0.3),
            "promote": lambda: self._change(query_version=self._newest()),
            "roll back": self._roll_back,
            "no canary": lambda: self._change(canary_version=None),
            "no shadow": lambda: self._change(shadow_version=None),
            "retire": self._retire,
            "database": self._restart,
            **{kind: partial(self._kill, kind) for kind in server.kinds},
        }

    def next(self) -> Happened:
        """The next one; nothing is killed or stopped before the server is whole again."""
        what = self._order[self._number % len(self._order)]
        self._number += 1
        waited = self._server.wait(WHOLE_SECONDS) if what in (*self._server.kinds, "database") else 0.0
        at = time.monotonic()
        try:
            said = self._do[what]()
        except (HoldfastError, ValueError) as error:
            return Happened(what, at, f"{type(error).__name__}: {error}", well=False)
        return Happened(what, at, f"{said} (waited {waited:.0f} s)" if waited >= 1 else said)

    def _newest(self) -> str:
        return self._store.versions.list()[-1].name

    def _change(self, **fields: object) -> str:
        epoch = self._client.get_traffic().epoch
        made = self._client.change_traffic(expect_epoch=epoch, **fields)  # type: ignore[arg-type]
        return f"epoch {made.epoch}"

    def _roll_back(self) -> str:
        made = self._client.roll_back(expect_epoch=self._client.get_traffic().epoch)
        return f"epoch {made.epoch}, live is {made.query_version}"

    def _retire(self) -> str:
        """The oldest version that nobody needs."""
        needed = {*self._store.traffic.aliases().values(), *Entries(self._store).count()}
        unneeded = (each.name for each in self._store.versions.list() if each.name not in needed)
        return self._client.retire_model(next(unneeded)).id

    def _kill(self, kind: str) -> str:
        return f"killed process {self._server.processes.kill(kind)}"

    def _restart(self) -> str:
        stopped = time.monotonic()
        self._database.stop()
        time.sleep(AWAY_SECONDS)
        self._database.start()
        self.away.append((stopped, time.monotonic()))
        return f"away for {self.away[-1][1] - stopped:.1f} s"
