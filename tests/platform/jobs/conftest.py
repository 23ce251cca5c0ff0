"""A tiny experiment on the built-in glyphs, and the command line in a process group of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from holdfast.config import Experiment, parse_experiment

TINY = {
    "name": "tiny",
    "data": {
        "source": "glyphs:?classes=36&instances=8",
        "train": {"split": "train"},
        "evaluate": {"split": "evaluation"},
    },
    "stream": {"tasks": 3, "validation": 0.25},
    "model": {"dimension": 16, "width": 0.25},
    "learning": {"epochs": 2, "batch_size": 16, "checkpoint_steps": 2, "precision": "float32"},
    "regularizers": [{"kind": "feature-distillation", "weight": 10}, {"kind": "prototype-alignment"}],
    "scaling": {"workers": 0, "cpus_per_worker": 1},
}


@pytest.fixture
def tiny() -> Callable[..., Experiment]:
    def make(**changes: object) -> Experiment:
        return parse_experiment({**TINY, **changes})

    return make


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(TINY))
    return file


@pytest.fixture
def holdfast() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `holdfast ...` as the leader of a process group; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
