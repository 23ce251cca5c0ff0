"""Checks of this machine: software, processors, memory, disks, files, clock."""

import os
import platform
import re
import shutil
import time
from importlib import metadata

from holdfast.base import THREADS_VARIABLE, cpu_count
from holdfast.doctor.checks import Check, Said, fail, ok, warn
from holdfast.doctor.memory import available_memory, gibibytes
from holdfast.doctor.patient import Patient

NETWORK_FILES = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "glusterfs"})
FEW_FILES = 1024
LOW_DISK, NO_DISK = 2 * 2**30, 64 * 2**20
LOW_MEMORY = 2**30
YEAR_OF_THIS_CODE = 2025
"""A clock that shows an earlier one was never set."""


def software(patient: Patient) -> Said:
    """Whether what Holdfast needs is here, in a version that it works with."""
    from packaging.requirements import Requirement

    wrong = []
    for line in metadata.requires("holdfast") or ():
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} is {found} and has to be {wanted.specifier}")
    if wrong:
        return fail(f"{'; '.join(wrong)}: pip install --upgrade holdfast.")
    return ok(
        f"Holdfast {metadata.version('holdfast')}, Python {platform.python_version()}, "
        f"PyTorch {metadata.version('torch')}, Ray {metadata.version('ray')}."
    )


def threads(patient: Patient) -> Said:
    """Whether what tells OpenMP how to compute is what helps."""
    cpus = cpu_count()
    first = patient.environment.get(THREADS_VARIABLE, "").split(",")[0].strip()
    if first and not (first.isdecimal() and int(first) > 0):
        return warn(f"{THREADS_VARIABLE}={first} is no number, and is ignored: unset it, or set 1 to {cpus}.")
    if first and int(first) > cpus:
        return warn(
            f"{THREADS_VARIABLE}={first}, and this process may use {cpus} CPUs: threads that wait for each "
            f"other make it slower. Unset it, or set at most {cpus}."
        )
    if patient.environment.get("OMP_WAIT_POLICY", "").strip().upper() == "ACTIVE":
        return warn(
            "OMP_WAIT_POLICY=ACTIVE: threads spin while they wait, which makes a step several times as slow "
            "beside any other program. Unset it, or set PASSIVE."
        )
    return ok(f"{cpus} CPUs, {first or cpus} threads.")


def processors(patient: Patient) -> Said:
    """Whether others leave anything of the processors."""
    cpus = cpu_count()
    wanted = os.getloadavg()[1] if hasattr(os, "getloadavg") else 0.0
    if wanted > 2 * cpus:
        return warn(
            f"{wanted:.1f} processes wanted a CPU at a time in the last 5 minutes, and there are {cpus}: "
            "everything takes that much longer. See which ones (top), and stop some or take more CPUs."
        )
    return ok(f"{wanted:.1f} processes wanted one of {cpus} CPUs at a time in the last 5 minutes.")


def memory(patient: Patient) -> Said:
    """Whether there is memory left."""
    free, total = available_memory()
    if free < LOW_MEMORY:
        return warn(
            f"{gibibytes(free)} of {gibibytes(total)} memory are available: the next thing that grows is "
            "ended by the system. Close something, raise the container's limit, or take a larger machine."
        )
    return ok(f"{gibibytes(free)} of {gibibytes(total)} memory are available.")


def disk(patient: Patient) -> Said:
    """Whether there is space where something is written, and whether it can be."""
    said = []
    for folder in patient.folders:
        free = shutil.disk_usage(folder).free
        if free < NO_DISK:
            return fail(
                f"The disk of {folder} is full ({gibibytes(free)} left): writes are refused until some space "
                "is free. Nothing that was acknowledged is lost."
            )
        if not os.access(folder, os.W_OK) or _is_read_only(str(folder)):
            return fail(
                f"{folder} cannot be written: give this user the right to, or see whether the disk is "
                "mounted read-only."
            )
        if free < LOW_DISK:
            return warn(f"The disk of {folder} has {gibibytes(free)} left: free some before it is full.")
        said.append(f"{gibibytes(free)} at {folder}")
    return ok(f"Free: {', '.join(said)}.")


def open_files(patient: Patient) -> Said:
    """Whether as many files and connections may be open as a server has."""
    try:
        from resource import RLIMIT_NOFILE, getrlimit
    except ImportError:
        return ok("This system has no limit of its own on open files.")
    limit, most = getrlimit(RLIMIT_NOFILE)
    if 0 <= limit < FEW_FILES:
        return warn(
            f"A process may have {limit:,} files and connections open: beside Ray's own a server soon needs "
            f"more. Start it after: ulimit -n {most if most > 0 else 65536}"
        )
    return ok(f"{limit:,} files and connections may be open at once." if limit >= 0 else "No limit.")


def clock(patient: Patient) -> Said:
    """Whether the clock was ever set; `database_clock` compares it."""
    year = time.gmtime().tm_year
    if year < YEAR_OF_THIS_CODE:
        return fail(
            f"This machine's clock shows the year {year}: leases, keys and certificates go by it. Set it "
            "(timedatectl set-ntp true)."
        )
    return ok(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC.")


def _is_read_only(folder: str) -> bool:
    return bool(hasattr(os, "ST_RDONLY") and os.statvfs(folder).f_flag & os.ST_RDONLY)


def file_system(folder: str, mounts: str) -> str:
    """The kind of file system that a folder is on, of a table such as /proc/mounts; empty if none fits."""
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), fields[1])
        if (folder == point or folder.startswith(f"{point.rstrip('/')}/")) and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


MACHINE = (
    Check("software", software),
    Check("threads", threads),
    Check("processors", processors),
    Check("memory", memory),
    Check("disk", disk),
    Check("open files", open_files),
    Check("clock", clock),
)
