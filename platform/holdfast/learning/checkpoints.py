"""Where an interrupted sequence goes on from."""

import os
from pathlib import Path
from typing import Any, Protocol

import torch

State = dict[str, Any]


class Checkpoints(Protocol):
    """Keeps the newest state of a sequence. All workers call `save` the same number of times."""

    def latest(self) -> State | None: ...
    def save(self, state: State) -> None: ...


def write_state(state: State, file: Path) -> None:
    """Write a state so that after a crash at any moment the file is whole or absent."""
    partial = file.with_name(file.name + ".partial")
    with partial.open("wb") as handle:
        torch.save(state, handle)
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(file)


def read_state(file: Path) -> State:
    """Read a state. Tensors and plain containers only: no code can hide in it."""
    state: State = torch.load(file, map_location="cpu", weights_only=True)
    return state


class FolderCheckpoints:
    """Checkpoints in a folder of this machine; the newest two are kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("checkpoint-*.pt"))

    def latest(self) -> State | None:
        files = self._files()
        return read_state(files[-1]) if files else None

    def save(self, state: State) -> None:
        files = self._files()
        number = int(files[-1].stem.split("-")[1]) + 1 if files else 0
        write_state(state, self._folder / f"checkpoint-{number:08d}.pt")
        for old in files[:-1]:
            old.unlink()
