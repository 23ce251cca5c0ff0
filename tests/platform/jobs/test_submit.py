"""Submission to a Ray cluster that was started separately."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from holdfast.store import open_store
from holdfast_serving.ports import free_port


@pytest.fixture
def cluster():
    """A head node of its own, with a token; yields the dashboard's address and the environment for it."""
    ray, port, dashboard = Path(sys.executable).with_name("ray"), free_port(), free_port()
    # Short, because Ray puts sockets below it and their paths may have 107 bytes.
    folder = tempfile.mkdtemp(prefix="hf-", dir="/tmp")
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "PATH": f"{ray.parent}:{os.environ['PATH']}",
    }
    environment.pop("RAY_ADDRESS", None)
    head = subprocess.Popen(
        [ray, "start", "--head", "--block", f"--port={port}", f"--dashboard-port={dashboard}", "--num-cpus=2",
         "--include-dashboard=true", "--dashboard-host=127.0.0.1", "--node-ip-address=127.0.0.1",
         f"--temp-dir={folder}", "--object-store-memory=200000000",
         # Agents of two clusters that want the same port leave one of them without, and it takes no job.
         f"--dashboard-agent-listen-port={free_port()}"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        assert head.poll() is None, "the cluster did not start"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", dashboard)) == 0:
                break
        time.sleep(0.5)
    yield f"http://127.0.0.1:{dashboard}", environment
    os.killpg(head.pid, signal.SIGKILL)
    head.wait()
    shutil.rmtree(folder, ignore_errors=True)


def submit(arguments, environment):
    return subprocess.run(
        [sys.executable, "-m", "holdfast", "submit", *map(str, arguments)],
        env=environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def test_a_submitted_run_learns_on_the_cluster(cluster, tiny_file, tmp_path):
    address, environment = cluster
    command = ["run", tiny_file, "--store", tmp_path / "store", "--set", "learning.epochs=1", "--workers", 1]
    done = submit(["--address", address, "--json", "--", *command], environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "SUCCEEDED"
    with open_store(tmp_path / "store") as opened:
        assert [version.name for version in opened.versions()] == ["v1", "v2", "v3"]


def test_no_cluster_is_one_sentence(tiny_file, tmp_path):
    for address in (f"http://127.0.0.1:{free_port()}", "nonsense"):
        done = submit(["--address", address, "--", "run", tiny_file, "--store", tmp_path], os.environ)
        assert done.returncode == 2
        assert "No Ray cluster answers at" in done.stderr
        assert "Traceback" not in done.stderr
