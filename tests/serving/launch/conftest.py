"""Two servers under Ray Serve for all files here, since one takes long to start: nothing befalls the one, and
clients and signals ill-treat the other."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.served import Served
from tests.fixtures.waiting import wait_until


@dataclass(frozen=True)
class Server(Served):
    """A real server in its own process, under Ray Serve."""

    process: subprocess.Popen[str]
    said: Path
    """The file of its stderr."""

    def processes(self, name: str) -> list[int]:
        """Ids of this server's own processes with `name` in their title."""
        parents: dict[int, int] = {}
        titles: dict[int, str] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    stat = (folder / "stat").read_text()
                    titles[int(folder.name)] = (folder / "cmdline").read_text(errors="replace")
                except OSError:
                    continue
                parents[int(folder.name)] = int(stat[stat.rindex(")") + 1 :].split()[1])

        def is_mine(pid: int) -> bool:
            while pid > 1:
                if pid == self.process.pid:
                    return True
                pid = parents.get(pid, 0)
            return False

        return [pid for pid, title in titles.items() if name in title and is_mine(pid)]


@pytest.fixture(scope="session")
def start_server(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts servers over copies of the template; they are stopped at the end of the session."""
    servers: list[Server] = []
    # How many threads a replica has is Ray's decision.
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}

    def start(host: str = "127.0.0.1", **settings: Any) -> Server:
        """A first start, which makes a key and shows it. `settings` go to ServingConfig."""
        folder = tmp_path_factory.mktemp("served")
        store = Path(shutil.copytree(template, folder / "store"))
        config = {"store": str(store), "sources": [str(store)], **settings}
        code = (
            "from holdfast_serving import ServingConfig, serve_forever\n"
            f"config = ServingConfig.model_validate({config!r})\n"
            f"serve_forever(config.store, {host!r}, port=0, config=config)"
        )
        said = folder / "said"
        with said.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-c", code],
                env={**environment, "HOLDFAST_API_KEYS": ""},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        assert process.stdout is not None
        ready = process.stdout.readline()
        urls = [word for word in ready.split() if word.startswith("http")]
        if not urls:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"the server did not start: {ready}{said.read_text()}")
        key = wait_until(lambda: [word for word in said.read_text().split() if word.startswith("hf_")])[0]
        servers.append(Server(urls[0], key, store, process, said))
        return servers[-1]

    yield start
    for server in servers:
        server.process.terminate()
    for server in servers:
        try:
            server.process.wait(60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.process.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def server(start_server: Callable[..., Any]) -> Any:
    """A first start, which makes a key. The last test of test_served.py stops it."""
    return start_server()


@pytest.fixture(scope="session")
def battered(start_server: Callable[..., Any]) -> Any:
    """At all addresses, impatient, with a log of its requests. The last test of test_killed.py stops it."""
    return start_server(host="::", limits={"receive_seconds": 2}, access_log=True)
