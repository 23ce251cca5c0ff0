"""How much memory this process may still take."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def available_memory(
    meminfo: Path = Path("/proc/meminfo"),
    own: Path = Path("/proc/self/cgroup"),
    root: Path = Path("/sys/fs/cgroup"),
) -> tuple[int, int]:
    """Bytes that are available, and bytes in all: of this machine, at most what its cgroups grant."""
    free, total = _of_machine(meminfo)
    for used, limit in _of_groups(own, root):
        free, total = min(free, max(0, limit - used)), min(total, limit)
    return free, total


def gibibytes(count: float) -> str:
    """For a sentence."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 / 10 else f"{count / 2**20:.0f} MiB"


def _of_machine(meminfo: Path) -> tuple[int, int]:
    try:
        lines = (line.partition(":") for line in meminfo.read_text().splitlines())
        found = {name: 1024 * int(value.split()[0]) for name, _, value in lines}
        return found["MemAvailable"], found["MemTotal"]
    except (OSError, KeyError, ValueError, IndexError):
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return pages, pages


def _of_groups(own: Path, root: Path) -> Iterator[tuple[int, int]]:
    """What each group above this process uses but could give back at once, and may use."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        names = ("memory.current", "memory.max", "inactive_file")
        folders = [root]
        if "memory" in controllers.split(","):
            names = ("memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file")
            folders = [root / "memory"]
        elif controllers:
            continue
        for group in (PurePosixPath(path), *PurePosixPath(path).parents):
            for folder in folders:
                inside = folder / str(group).lstrip("/")
                used, limit = _number(inside / names[0]), _number(inside / names[1])
                if used is not None and limit is not None:
                    yield used - _stat(inside / "memory.stat", names[2]), limit


def _number(file: Path) -> int | None:
    """None for `max`, and where there is no such file."""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _stat(file: Path, name: str) -> int:
    try:
        rows = (line.split() for line in file.read_text().splitlines())
        return int(dict(row for row in rows if len(row) == 2).get(name, "0"))
    except (OSError, ValueError):
        return 0
