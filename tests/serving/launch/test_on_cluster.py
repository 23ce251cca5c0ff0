"""Servers on a cluster that runs before and after them."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from holdfast_serving.launch import free_port
from tests.fixtures.clusters import Cluster

pytestmark = pytest.mark.long


@pytest.fixture
def serve(cluster: Cluster, template: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `holdfast serve` on the cluster; what still runs at the end is stopped."""
    store = Path(shutil.copytree(template, tmp_path / "store"))
    started: list[subprocess.Popen[str]] = []

    def start(port: int, *options: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", "serve", "--store", store, "--port", str(port), *options],
            env={**cluster.environment, "HOLDFAST_API_KEYS": "admin:an-admin-key"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _is_served(port: int) -> bool:
    return httpx.get(f"http://127.0.0.1:{port}/livez", timeout=30).status_code == 200


def test_a_port_is_free_again_and_the_ready_line_is_true(serve: Callable[..., subprocess.Popen[str]]) -> None:
    """A clean stop leaves nothing; what runs is not talked over by a server at another port."""
    first, second = free_port(), free_port()
    server = serve(first)
    assert f"http://127.0.0.1:{first}" in server.stdout.readline(), server.stderr.read()  # type: ignore[union-attr]
    assert _is_served(first)
    refused = serve(second, "--take-over")
    assert refused.wait(120) == 2
    assert f"listens on 127.0.0.1 port {first} already, for holdfast" in refused.stderr.read()  # type: ignore[union-attr]
    assert _is_served(first)
    server.terminate()
    assert server.wait(120) == 0
    assert free_port("127.0.0.1", first) == first
    again = serve(second)
    assert f"http://127.0.0.1:{second}" in again.stdout.readline(), again.stderr.read()  # type: ignore[union-attr]
    assert _is_served(second)


def test_too_many_replicas_are_one_sentence(serve: Callable[..., subprocess.Popen[str]]) -> None:
    server = serve(free_port(), "--replicas", "3", "--set", "cpus=1")
    assert server.wait(120) == 2
    assert (
        "The server needs 3 CPUs, 3 times 1 CPU on one machine, and the cluster has 2" in server.stderr.read()
    )  # type: ignore[union-attr]
