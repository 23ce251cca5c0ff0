"""Machines that are too small, too full, or set up badly."""

import os
import shutil
import time
from collections import namedtuple
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from holdfast.doctor import Finding
from holdfast.doctor.machine import file_system
from holdfast.doctor.memory import available_memory

Look = Callable[..., dict[str, Finding]]
Usage = namedtuple("Usage", "total used free")


def test_a_machine_in_order_is_well(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    found = look()
    named = ("software", "threads", "processors", "disk", "open files", "clock")
    assert {name: found[name].verdict for name in named} == dict.fromkeys(named, "ok")


@pytest.mark.parametrize(
    ("variables", "advice"),
    [
        ({"OMP_NUM_THREADS": "400"}, "Unset it, or set at most"),
        ({"OMP_NUM_THREADS": "many"}, "is no number"),
        ({"OMP_NUM_THREADS": "0"}, "is no number"),
        ({"OMP_WAIT_POLICY": "active"}, "set PASSIVE"),
    ],
)
def test_threads_that_make_it_slower(look: Look, variables: dict[str, str], advice: str) -> None:
    threads = look(**variables)["threads"]
    assert threads.verdict == "warn"
    assert advice in threads.sentence


@pytest.mark.parametrize(("free", "verdict"), [(0, "fail"), (2**30, "warn"), (2**40, "ok")])
def test_a_disk_that_is_full(
    look: Look, free: int, verdict: str, monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(2**40, 2**40 - free, free))
    disk = look()["disk"]
    assert disk.verdict == verdict
    assert ("free" in disk.sentence) or verdict == "ok"


def test_others_that_keep_the_processors_busy(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (900.0, 900.0, 900.0))
    assert "900.0 processes wanted a CPU" in look()["processors"].sentence


def test_software_of_another_version(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    found = metadata.version

    def version(name: str) -> str:
        if name == "typer":
            raise metadata.PackageNotFoundError(name)
        return "0.0.1" if name == "ray" else found(name)

    monkeypatch.setattr(metadata, "version", version)
    software = look()["software"]
    assert software.verdict == "fail"
    assert "ray is 0.0.1 and has to be >=" in software.sentence
    assert "typer is missing" in software.sentence


def test_a_clock_that_was_never_set(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "gmtime", lambda *seconds: time.struct_time((1970, 1, 1, 0, 0, 0, 3, 1, 0)))
    assert look()["clock"].verdict == "fail"


def test_a_network_file_system_is_known_by_its_mount() -> None:
    mounts = "/dev/sda1 / ext4 rw 0 0\nserver:/home /mnt/my\\040home nfs4 rw 0 0\n/dev/b /mnt/my xfs rw 0 0\n"
    assert file_system("/mnt/my home/store/holdfast.db", mounts) == "nfs4"
    assert file_system("/mnt/my/holdfast.db", mounts) == "xfs"
    assert file_system("/mnt/mystery", mounts) == "ext4"


def test_memory_is_what_the_smallest_cgroup_grants(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 900 kB\n")
    (tmp_path / "own").write_text("0::/box/inner\n")
    (tmp_path / "box" / "inner").mkdir(parents=True)
    for folder, limit, used in (("box", "307200", "204800"), ("box/inner", "max", "1024")):
        (tmp_path / folder / "memory.max").write_text(limit)
        (tmp_path / folder / "memory.current").write_text(used)
        (tmp_path / folder / "memory.stat").write_text("anon 5\ninactive_file 102400\n")
    assert available_memory(tmp_path / "meminfo", tmp_path / "own", tmp_path) == (204800, 307200)
    assert available_memory(tmp_path / "meminfo", tmp_path / "none", tmp_path) == (900 * 1024, 1000 * 1024)
