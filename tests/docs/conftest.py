"""A workspace as the documentation assumes it: experiments, photos, and a store with v1, v2 and v3."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from holdfast import cli
from holdfast.store import Compatibility, open_store

REPOSITORY = Path(__file__).parents[2]
GLYPHS = "glyphs:?classes=24&instances=6"


def shrink(values: dict[str, Any]) -> dict[str, Any]:
    """The same experiment, small: built-in images, a few epochs of a narrow network, in this process."""
    data = values["data"]
    if not data["source"].startswith(("folder:", "vectors:", "gallery:")):
        values["data"] = {"source": GLYPHS, "train": {"split": "train"}, "evaluate": {"split": "evaluation"}}
        values["stream"] = {"tasks": 1 if "distillation" in values else 3}
    # With fewer epochs, one version is surely worse than its parent on some processors, and is not published.
    values["learning"] = {**values.get("learning", {}), "epochs": 8, "batch_size": 16}
    model = values.get("model", {})
    # A frozen version is as wide as it is.
    values["model"] = model if isinstance(model.get("trunk"), dict) else {**model, "width": 0.25}
    values["scaling"] = {"workers": 0, "cpus_per_worker": 1}
    values["evaluation"] = {"resamples": 100}
    if "tuning" in values:
        values["tuning"]["trials"] = 2
    return values


@pytest.fixture(scope="session")
def small() -> Callable[[dict[str, Any]], dict[str, Any]]:
    return shrink


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace that every page gets a copy of. All pairs are recorded as compatible: so small a run
    would leave that to chance."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "experiments").mkdir()
    for file in (REPOSITORY / "experiments").glob("*.yaml"):
        values = shrink(yaml.safe_load(file.read_text()))
        (folder / "experiments" / file.name).write_text(yaml.safe_dump(values))
    shutil.copy(REPOSITORY / "experiments" / "quickstart.py", folder / "experiments")
    draw_photos(folder / "photos")
    experiment, store = folder / "experiments" / "quickstart.yaml", folder / "holdfast-store"
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", str(experiment), "--store", str(store)])
    assert not ended.value.code
    names = ("v1", "v2", "v3")
    with open_store(store) as opened:
        adapters = {(row.query, row.gallery): row.digest for row in opened.adapters.list()}
        pairs = [(a, b) for a in names for b in names if a != b]
        opened.compatibility.record(
            [
                Compatibility(*pair, 60.0, 50.0, 5.0, 15.0, True, "docs", adapter=adapters.get(pair))
                for pair in pairs
            ]
        )
    return folder


def draw_photos(folder: Path) -> None:
    generator = np.random.default_rng(0)
    for label in ("cup", "plate", "fork", "knife"):
        pattern = generator.integers(0, 255, (6, 6, 3))
        for split, count in (("train", 8), ("test", 5), ("gallery", 3)):
            place = folder / split / label
            place.mkdir(parents=True)
            for number in range(count):
                noisy = np.clip(pattern + generator.normal(0, 25, (6, 6, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(noisy).resize((48, 36)).save(place / f"{number}.png")
