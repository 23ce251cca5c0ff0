"""Which files of a folder this machine has seen to be intact, so that not every process reads them all."""

import hashlib
import json
import platform
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

BOOT = Path("/proc/sys/kernel/random/boot_id")


def are_intact(folder: Path, digests: Mapping[str, str]) -> bool:
    """Whether files have their SHA-256 (hex, by name). They are read where this machine has not done so since
    it was started, or where they were written since. Raises OSError where one is missing."""
    noted = _noted(folder)
    unseen = [name for name in digests if noted.get(name) != _state(folder / name)]
    for name in unseen:
        with open(folder / name, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digests[name]:
                return False
    if unseen:
        note_intact(folder, unseen)
    return True


def note_intact(folder: Path, names: Iterable[str]) -> None:
    """Remember that files are intact as they are; where that cannot be written they are read again."""
    file = _note_file(folder)
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        noted = _noted(folder) | {name: _state(folder / name) for name in names}
        temporary.write_text(json.dumps({"boot": _boot(), "files": noted}))
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)


def _noted(folder: Path) -> dict[str, Any]:
    try:
        noted = json.loads(_note_file(folder).read_bytes())
        return dict(noted["files"]) if noted["boot"] == _boot() else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _state(file: Path) -> list[int]:
    """Changes with every way of writing to a file or of replacing it."""
    status = file.stat()
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _note_file(folder: Path) -> Path:
    """One a machine, since several may share the folder."""
    host = hashlib.sha256(platform.node().encode()).hexdigest()[:16]
    return folder / f"intact-{host}.json"


def _boot() -> str:
    """Of the machine's run: what was in memory and not on disk as it stopped may be lost."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""
