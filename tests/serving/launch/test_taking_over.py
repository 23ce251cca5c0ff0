"""A server is replaced by another one while clients search, embed and write; not one request fails."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.entries import Entries, refuse_if_held
from holdfast.store import open_store
from holdfast_serving.launch import free_port
from tests.fixtures.waiting import wait_until
from tests.serving.launch.steady_clients import steady_clients

pytestmark = pytest.mark.long

KEY = "an-admin-key"


@pytest.fixture
def serve(template: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `holdfast serve` over one store, and waits until it says that it serves."""
    started: list[subprocess.Popen[str]] = []
    store = Path(shutil.copytree(template, tmp_path / "store"))

    def start(*options: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", "serve", "--store", store, *options],
            env={**os.environ, "HOLDFAST_API_KEYS": f"admin:{KEY}"},
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
    for process in started:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_a_server_takes_over_from_another_one_and_no_request_fails(
    serve: Callable[..., subprocess.Popen[str]], data_uri: Callable[..., str], tmp_path: Path
) -> None:
    port = str(free_port())
    before = serve("--port", port)
    assert f"http://127.0.0.1:{port}" in before.stdout.readline(), before.stderr.read()  # type: ignore[union-attr]
    with steady_clients(f"http://127.0.0.1:{port}", KEY, data_uri(1)) as outcomes:
        wait_until(lambda: len(outcomes.statuses) > 20)
        after = serve("--port", port, "--take-over")
        assert f"http://127.0.0.1:{port}" in after.stdout.readline(), after.stderr.read()  # type: ignore[union-attr]
        taken = len(outcomes.statuses)
        assert before.wait(60) == 0
        wait_until(lambda: len(outcomes.statuses) > taken + 40)
    assert not outcomes.failures, (len(outcomes.statuses), outcomes.failures[:5])
    assert before.stderr.read() == ""  # type: ignore[union-attr]
    with open_store(tmp_path / "store") as store:
        stored = {entry.id for batch in Entries(store).scan() for entry in batch}
    assert set(outcomes.acknowledged) <= stored
    after.terminate()
    assert after.wait(60) == 0
    assert after.stderr.read() == ""  # type: ignore[union-attr]
    assert free_port("127.0.0.1", int(port)) == int(port)
    with open_store(tmp_path / "store") as store:
        refuse_if_held(store)
