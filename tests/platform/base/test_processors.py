"""CPUs by affinity and by the quotas of cgroups, threads by OMP_NUM_THREADS."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.base import cpu_count, cpu_quotas, thread_count
from holdfast.scaling import ScalingConfig


@pytest.fixture
def groups(tmp_path: Path) -> Callable[[str, dict[str, str]], list[float]]:
    """Quotas of a process in groups that are described as the kernel does it."""

    def find(own: str, files: dict[str, str]) -> list[float]:
        for name, content in files.items():
            (tmp_path / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "fs" / name).write_text(content)
        (tmp_path / "own").write_text(own)
        return list(cpu_quotas(tmp_path / "own", tmp_path / "fs"))

    return find


def test_the_second_version_of_cgroups(groups):
    own = "0::/kubepods/pod1/container\n"
    files = {
        "kubepods/cpu.max": "max 100000\n",
        "kubepods/pod1/cpu.max": "250000 100000\n",
        "kubepods/pod1/container/cpu.max": "50000 100000\n",
    }
    assert groups(own, files) == [0.5, 2.5]


def test_a_container_that_sees_its_own_group_as_the_root(groups):
    assert groups("0::/\n", {"cpu.max": "150000 100000\n"}) == [1.5]
    assert groups("0::/../other\n", {}) == [1.5]


def test_the_first_version_of_cgroups(groups):
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "cpu/docker/cpu.cfs_quota_us": "-1\n",
        "cpu/docker/cpu.cfs_period_us": "100000\n",
    }
    assert groups("4:memory:/docker\n3:cpu,cpuacct:/docker/x\n", files) == [3.0]
    assert groups("3:cpu:/docker\n", files) == []


def test_threads_are_no_more_than_the_variable_says(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert thread_count(8) == 8
    assert thread_count() == cpu_count()
    for text, threads in (("3", 3), ("3,2", 3), ("16", 8), ("0", 8), ("many", 8), ("", 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert thread_count(8) == threads


def test_a_worker_gets_its_share_and_what_the_experiment_says(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert ScalingConfig(workers=0).cpus == 1
    assert ScalingConfig(workers=0, cpus_per_worker=3).cpus == 3


@pytest.fixture
def one_cpu() -> Iterator[Path]:
    """A cgroup with a quota of one CPU; needs root and the first version of cgroups, or the second."""
    for root, limits in (
        (Path("/sys/fs/cgroup/cpu"), {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000"}),
        (Path("/sys/fs/cgroup"), {"cpu.max": "100000 100000"}),
    ):
        group = root / f"holdfast-{uuid.uuid4().hex}"
        try:
            group.mkdir()
            for name, value in limits.items():
                (group / name).write_text(value)
        except OSError:
            if group.is_dir():
                group.rmdir()
            continue
        yield group
        group.rmdir()
        return
    pytest.skip("only root can make a cgroup, where the kernel lets it")


def test_a_real_quota_leaves_one_thread_to_torch_and_faiss(one_cpu):
    code = (
        "from holdfast.jobs.runtime import prepare_environment; prepare_environment()\n"
        "import faiss, torch; from holdfast.base.processors import cpu_count\n"
        "print(cpu_count(), torch.get_num_threads(), faiss.omp_get_max_threads())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        ["sh", "-c", f'echo $$ > {one_cpu}/cgroup.procs && exec "$@"', "sh", sys.executable, "-c", code],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.stdout.split() == ["1", "1", "1"], done.stderr
