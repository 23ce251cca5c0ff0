"""How many processors this process may use, and how many threads somebody has allowed it."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
THREADS_VARIABLE = "OMP_NUM_THREADS"


def cpu_count() -> int:
    """The CPUs that this process may use: those it may run on, at most as many as its cgroups pay for."""
    return max(1, min([_runnable(), *(math.ceil(quota - 1e-6) for quota in cpu_quotas())]))


def has_quota() -> bool:
    """Whether a cgroup pays for fewer CPUs than this process may run on, which is all OpenMP looks at."""
    return cpu_count() < _runnable()


def thread_count(cpus: int | None = None) -> int:
    """How many threads may compute at once on so many CPUs, by default on all; OMP_NUM_THREADS at most."""
    cpus = cpus or cpu_count()
    first = os.environ.get(THREADS_VARIABLE, "").split(",")[0].strip()
    return min(cpus, int(first)) if first.isdecimal() and int(first) > 0 else cpus


def cpu_quotas(own: Path = OWN_CGROUPS, root: Path = CGROUPS) -> Iterator[float]:
    """The CPUs that each cgroup above this process pays for, of both versions of cgroups.

    A container may see its own group as the root, or the path that its host knows: what is not there is
    stepped over.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        groups = [PurePosixPath(path), *PurePosixPath(path).parents]
        if not controllers:
            for mounted in ("", "unified"):
                for group in groups:
                    yield from _quota_of_v2(root / mounted / str(group).lstrip("/") / "cpu.max")
        elif "cpu" in controllers.split(","):
            for mounted in (controllers, "cpu"):
                for group in groups:
                    yield from _quota_of_v1(root / mounted / str(group).lstrip("/"))


def _runnable() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quota_of_v2(file: Path) -> Iterator[float]:
    quota, _, period = _read(file).partition(" ")
    yield from _ratio(quota, period)


def _quota_of_v1(folder: Path) -> Iterator[float]:
    yield from _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> Iterator[float]:
    """Nothing for `max` and -1, which stand for no limit."""
    if quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0:
        yield int(quota) / int(period)


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
