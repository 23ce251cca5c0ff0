"""One upgrade by the command line: adopt both models, import the gallery that the old one filled, bridge."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.benchmarks.adopting.galleries import PROTOCOLS, write_folders
from experiments.benchmarks.harness.asking import holdfast
from experiments.benchmarks.harness.published import publish_untrained
from holdfast.models import ModelConfig, Preprocessing
from holdfast.store import open_store

MEASURE = 2000
"""Entries at most: all that the sample leaves."""


@dataclass(frozen=True)
class Upgrade:
    """Entries by `old`, over a data set, that `new` is to search."""

    data: str
    old: str
    new: str

    @property
    def name(self) -> str:
        return f"{self.data}-{self.old}-{self.new}"


UPGRADES = (
    Upgrade("grocery", "lite2", "lite0"),
    Upgrade("grocery", "lite0", "lite2"),
    Upgrade("caltech", "lite0", "lite2"),
    Upgrade("caltech", "lite2", "lite0"),
)
QUICK = Upgrade("glyphs", "v1", "v2")


def measure(upgrade: Upgrade, seed: int, folder: Path, models: Path, sample: int) -> dict[str, Any]:
    """The verdict on an upgrade by one sample, as `holdfast bridge --json` tells it, and the seconds that the
    command took. The store and the images are made once, below `folder`."""
    gallery, queries = write_folders(PROTOCOLS[upgrade.data], folder / "images" / upgrade.data)
    store = folder / "stores" / upgrade.name
    if not (store / "filled").exists():
        _fill(upgrade, store, gallery, models)
    started = time.perf_counter()
    verdict: dict[str, Any] = json.loads(
        holdfast(
            *("bridge", upgrade.old, upgrade.new, "--labels", "label"),
            *("--sources", gallery, "--queries", f"folder:{queries}"),
            *("--sample", sample, "--measure", MEASURE, "--seed", seed, "--store", store, "--json"),
        )
    )
    return {"verdict": verdict, "seconds": time.perf_counter() - started}


def _fill(upgrade: Upgrade, store: Path, gallery: Path, models: Path) -> None:
    if upgrade == QUICK:
        with open_store(store) as opened:
            for task, dimension in enumerate((32, 48)):
                model = ModelConfig(dimension=dimension, width=0.25, preprocessing=Preprocessing(size=16))
                publish_untrained(opened, store, model, task)
    else:
        for name in (upgrade.old, upgrade.new):
            described = models / f"{name}.yaml"
            model_file = f"onnx:{models / name}.onnx"
            holdfast("adopt", name, model_file, "--preprocessing", described, "--store", store)
    embedded = store / "entries.parquet"
    holdfast("embed", upgrade.old, f"folder:{gallery}", "-o", embedded, "--store", store)
    holdfast("gallery", "import", embedded, "--store", store)
    (store / "filled").touch()
