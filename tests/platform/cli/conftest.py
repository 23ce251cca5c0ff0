"""The command line in this process, tiny experiments, and a store that holds what one of them learned."""

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from holdfast import cli

TINY = {
    "name": "tiny",
    "seed": 3,
    "data": {
        "source": "glyphs:?classes=24&instances=6",
        "train": {"split": "train"},
        "evaluate": {"split": "evaluation"},
    },
    "stream": {"tasks": 2},
    "model": {"dimension": 16, "width": 0.25, "preprocessing": {"size": 16}},
    "learning": {"epochs": 1, "batch_size": 16, "precision": "float32"},
    "regularizers": [{"kind": "feature-distillation", "weight": 10}, {"kind": "prototype-alignment"}],
    "scaling": {"workers": 0, "cpus_per_worker": 1},
    "evaluation": {"resamples": 100},
}


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one sentence of a refusal. Fails for anything else."""
        assert self.code == 2, self.err
        assert "Traceback" not in self.err
        lines = self.err.rstrip("\n").split("\n")
        start = next(number for number, line in enumerate(lines) if line.startswith("error: "))
        return "\n".join(lines[start:]).removeprefix("error: ")


Holdfast = Callable[..., Outcome]
Write = Callable[..., Path]


@pytest.fixture
def holdfast(capsys: pytest.CaptureFixture[str]) -> Holdfast:
    """Run `holdfast ARGUMENTS` in this process."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an experiment file: the tiny one with some dotted keys changed (None takes a key away)."""

    def make(file: str = "tiny.yaml", **changes: object) -> Path:
        values: dict[str, Any] = copy.deepcopy(TINY)
        for key, value in changes.items():
            at = values
            *parents, last = key.split("__")
            for parent in parents:
                at = at.setdefault(parent, {})
            at[last] = value
        (tmp_path / file).write_text(yaml.safe_dump(values))
        return tmp_path / file

    return make


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `tiny.yaml` and the store that its run left, with v1 and v2."""
    folder = tmp_path_factory.mktemp("learned")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", str(folder / "tiny.yaml"), "--store", str(folder / "store")])
    assert not ended.value.code
    return folder


@pytest.fixture
def learned(template: Path, tmp_path: Path) -> Path:
    """A copy of the store with v1 and v2."""
    return Path(shutil.copytree(template / "store", tmp_path / "store"))


@pytest.fixture(scope="session")
def pictures() -> Callable[..., Path]:
    """Fill a folder with classes of grey images: SPLIT/CLASS/NUMBER.png."""

    def draw(
        folder: Path, classes: int = 4, images: int = 6, splits: tuple[str, ...] = ("train", "test")
    ) -> Path:
        generator = np.random.default_rng(0)
        for split in splits:
            for label in range(classes):
                place = folder / split / f"class-{label}"
                place.mkdir(parents=True)
                pattern = generator.integers(0, 255, (8, 8))
                for number in range(images):
                    noisy = np.clip(pattern + generator.normal(0, 20, (8, 8)), 0, 255).astype(np.uint8)
                    Image.fromarray(noisy).resize((16, 16)).save(place / f"{number}.png")
        return folder

    return draw
