"""Shared by all tests: one thread, a cache of their own, long files first, the real data where they lie."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Several files run at a time, and what is as small as in tests is quicker on one thread. Read when torch,
# faiss and OpenBLAS are loaded, here and in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Ray's processes would get only what others leave of a busy machine, and tests of others run beside them.
os.environ.setdefault("RAY_worker_niceness", "0")
# Else each process that a test starts compiles all of Holdfast anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest
import torch
from hypothesis import settings

from tests.fixtures.clusters import cluster  # noqa: F401
from tests.fixtures.databases import postgres  # noqa: F401

SHARING = {
    "tests/serving/launch/test_killed.py": "servers",
    "tests/serving/launch/test_served.py": "servers",
    "tests/serving/launch/test_on_cluster.py": "a cluster",
    "tests/deploy/test_on_cluster.py": "a cluster",
    "tests/platform/jobs/submission/test_submit.py": "a cluster",
    "tests/platform/jobs/test_backfill.py": "a cluster",
    "tests/platform/jobs/test_gpus.py": "a cluster",
    "tests/platform/jobs/test_on_nodes.py": "a cluster",
    "tests/platform/jobs/test_train_on_ray.py": "a cluster",
    "tests/platform/jobs/test_stream_on_ray.py": "a cluster",
    "tests/experiments/benchmarks/codes/test_codes.py": "a process that forks",
    "tests/experiments/benchmarks/papers/test_papers.py": "a process that forks",
    "tests/experiments/benchmarks/transfer/test_transfer.py": "a process that forks",
}
"""Files that run in one process, since they share what takes long to start."""

sys.dont_write_bytecode = False
settings.register_profile("holdfast", deadline=None)
settings.load_profile("holdfast")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin first, so that in the end no worker waits for the other one's long file."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """As `--dist loadfile`, but that files which share something count as one."""
    from xdist.scheduler import LoadFileScheduling

    class Sharing(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return SHARING.get(file, file)

    return Sharing(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded images go to a folder of the tests, and no store is named from outside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOLDFAST_CACHE", str(tmp_path_factory.mktemp("cache")))
        for name in ("HOLDFAST_STORE", "HOLDFAST_ARTIFACTS"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """A run in this process leaves it as many threads as it found."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data sets; the test skips where they are missing."""
    default = Path(__file__).parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("HOLDFAST_DATA", default)).resolve()
    if not (folder / "omniglot.parquet").is_file():
        pytest.skip(f"no real data in {folder}: set HOLDFAST_DATA to a folder with omniglot.parquet")
    return folder
