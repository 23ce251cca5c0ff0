"""Where an interrupted sequence goes on from."""

import hashlib
import io
import re
import warnings
from pathlib import Path
from typing import Any, Protocol

import torch

from holdfast.base import StoreError, remove_drafts, whole_file

State = dict[str, Any]

FORMAT = 3
"""Of what is written; raised with every change that an earlier or a later Holdfast could not read."""
_MARK = re.compile(rb"holdfast-checkpoint-(\d{1,9})\n")
_TORCH = b"PK\x03\x04"
_DIGEST = 32


class DamagedError(StoreError):
    """A checkpoint that is cut short, or whose content is not what was written."""


class OtherFormatError(StoreError):
    """A checkpoint that another version of Holdfast wrote."""


class Checkpoints(Protocol):
    """Keeps the newest state of a sequence. Workers that learn together have the same one: what the first of
    them saves counts."""

    def latest(self) -> State | None: ...
    def save(self, state: State) -> None: ...


def write_state(state: State, file: Path) -> None:
    """Write a state, with its format and a checksum; after a crash at any moment the file is whole or absent.

    Raises DataError where the disk is full or refuses.
    """
    with whole_file(file) as draft, draft.open("wb") as handle:
        handle.writelines(pack_state(state))


def pack_state(state: State) -> tuple[bytes | memoryview, ...]:
    """What a file of a state holds, part after part."""
    content = io.BytesIO()
    torch.save(state, content)
    packed = content.getbuffer()
    return b"holdfast-checkpoint-%d\n" % FORMAT, hashlib.sha256(packed).digest(), packed


def read_state(file: Path) -> State:
    """Read a state. Tensors and plain containers only: no code can hide in it.

    Raises DamagedError for a file that is not as it was written, OtherFormatError for one that is not of
    `FORMAT`, and OSError for one that cannot be read.
    """
    data = file.read_bytes()
    mark = _MARK.match(data)
    if mark is None and data.startswith(_TORCH):
        raise _other_format(file, "no format number")
    if mark is None:
        raise DamagedError(f"{file} is damaged: it does not begin as a checkpoint does.")
    if int(mark[1]) != FORMAT:
        raise _other_format(file, f"format {int(mark[1])}")
    start = mark.end() + _DIGEST
    promised, data = data[mark.end() : start], data[start:]
    if hashlib.sha256(data).digest() != promised:
        raise DamagedError(f"{file} is damaged: its SHA-256 is not the one that was written with it.")
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch answers damage with almost any exception
        raise DamagedError(f"{file} is damaged: {error}") from error
    if not isinstance(state, dict):
        raise DamagedError(f"{file} is damaged: it holds no state.")
    return state


def _other_format(file: Path, found: str) -> OtherFormatError:
    return OtherFormatError(
        f"{file} has {found}, and this Holdfast reads format {FORMAT}: finish the run with the Holdfast that "
        "began it, or start over with --fresh."
    )


class FolderCheckpoints:
    """Checkpoints in a folder of this machine; the newest two are kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("checkpoint-*.pt"))

    def latest(self) -> State | None:
        """The newest whole state. Damaged ones that are newer are named, and removed.

        Raises StoreError where none is whole, where one is of another format, and where one cannot be read,
        which says nothing against it.
        """
        damaged: list[Path] = []
        for file in reversed(self._files()):
            try:
                state = read_state(file)
            except DamagedError:
                damaged.append(file)
                continue
            except OSError as error:
                raise StoreError(f"{file} cannot be read: {error.strerror or error}.") from error
            for bad in damaged:
                bad.unlink(missing_ok=True)
                warnings.warn(f"{bad} is damaged: going on from {file.name}, the one before.", stacklevel=2)
            return state
        if damaged:
            raise StoreError(
                f"No checkpoint in {self._folder} is whole ({', '.join(file.name for file in damaged)}): "
                "restore one from a backup, or start over with --fresh."
            )
        return None

    def save(self, state: State) -> None:
        files = self._files()
        number = int(files[-1].stem.split("-")[1]) + 1 if files else 0
        write_state(state, self._folder / f"checkpoint-{number:08d}.pt")
        for old in files[:-1]:
            old.unlink()
        remove_drafts(self._folder)
