"""A small store with three versions, and servers over it: in this process, and under Ray Serve."""

import base64
import contextlib
import copy
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
import uvicorn
from fastapi.testclient import TestClient
from PIL import Image

from holdfast.index import open_index
from holdfast.models import Encoder, ModelConfig, Preprocessing
from holdfast.search import Gallery
from holdfast.store import Compatibility, Draft, Store, open_store
from holdfast_serving.config import ServingConfig
from holdfast_serving.http.app import create_app
from holdfast_serving.replica.replica import Replica
from holdfast_serving.writer.backfiller import Backfiller
from holdfast_serving.writer.writer import StoreWriter
from tests.fixtures.databases import empty_database
from tests.fixtures.waiting import wait_until

DIMENSION = 16


@pytest.fixture(scope="session")
def encoders() -> dict[str, Encoder]:
    """v1; v2 that learned nothing from it; v3 close to v1, as training with a regularizer would make it."""
    config = ModelConfig(dimension=DIMENSION, width=0.25, preprocessing=Preprocessing(size=16))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = Encoder(config).eval()
        independent = Encoder(config).eval()
        close = copy.deepcopy(first)
        with torch.no_grad():
            for parameter in close.parameters():
                parameter.add_(0.01 * parameter.std().nan_to_num() * torch.randn_like(parameter))
    return {"v1": first, "v2": independent, "v3": close}


def publish_three(store: Store, encoders: dict[str, Encoder], folder: Path) -> None:
    """v1, v2 and v3, v1 live and writing: v1 and v3 may search each other, v2 nobody."""
    for task, (name, encoder) in enumerate(encoders.items()):
        encoder.save(folder / name)
        parent = None if task == 0 else f"v{task}"
        draft = Draft("run", 1, task, parent, folder / name, "name: test", "data", {"recall": 50.0})
        assert store.versions.publish(draft).name == name
    store.compatibility.record(
        [
            Compatibility("v3", "v1", 60.0, 50.0, 8.0, 12.0, True, "test"),
            Compatibility("v1", "v3", 55.0, 50.0, 3.0, 7.0, True, "test"),
            Compatibility("v2", "v1", 1.0, 50.0, -51.0, -47.0, False, "test"),
        ]
    )
    store.traffic.promote("v1")


@pytest.fixture(scope="session")
def template(encoders: dict[str, Encoder], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with what `publish_three` makes."""
    folder = tmp_path_factory.mktemp("template")
    with open_store(folder / "store") as store:
        publish_three(store, encoders, folder)
    return folder / "store"


@pytest.fixture(scope="session")
def postgres_template(
    postgres: str, encoders: dict[str, Encoder], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """The same in PostgreSQL: its URL and its artifacts; skips where there is no server."""
    folder = tmp_path_factory.mktemp("postgres")
    with empty_database(postgres) as url:
        place = url, str(folder / "artifacts")
        with open_store(*place) as store:
            publish_three(store, encoders, folder)
        yield place


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Iterator[Store]:
    """A copy of the template."""
    with open_store(shutil.copytree(template, tmp_path / "store")) as opened:
        yield opened


@pytest.fixture
def admin_key(store: Store) -> str:
    return store.keys.create("admin")


@pytest.fixture
def serve_here(store: Store) -> Iterator[Callable[..., TestClient]]:
    """Starts the app over `store` in this process, without Ray; keyword arguments go to ServingConfig."""
    clients: list[TestClient] = []
    writers: list[StoreWriter] = []

    def start(**settings: Any) -> TestClient:
        config = ServingConfig(store=store.where, **settings)
        writers.append(StoreWriter(store))
        replica = Replica(config, store, Gallery(store, open_index(store, config.index)), writers[-1])
        client = TestClient(create_app(replica), raise_server_exceptions=False)
        client.__enter__()
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)
    for writer in writers:
        writer.close()


@pytest.fixture
def client(serve_here: Callable[..., TestClient], admin_key: str) -> TestClient:
    """The app with an admin key in every request."""
    client = serve_here()
    client.headers["Authorization"] = f"Bearer {admin_key}"
    return client


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    """A PNG of coarse random blocks; the same seed gives the same image."""

    def make(seed: int = 0, size: int = 32) -> bytes:
        blocks = np.random.default_rng(seed).integers(0, 2, (6, 6), dtype=np.uint8) * 255
        image = Image.fromarray(blocks).resize((size, size), Image.Resampling.NEAREST)
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def data_uri(png: Callable[..., bytes]) -> Callable[..., str]:
    def make(seed: int = 0, size: int = 32) -> str:
        return "data:image/png;base64," + base64.b64encode(png(seed, size)).decode()

    return make


@dataclass(frozen=True)
class Served:
    """Where the app is served, a key of it, and the folder of its store."""

    url: str
    key: str
    store: Path

    def http(self, **options: Any) -> httpx.Client:
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=30, **options
        )


@dataclass(frozen=True)
class Server(Served):
    """A real server in its own process, under Ray Serve."""

    process: subprocess.Popen[str]

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


def wait_until_ready(process: subprocess.Popen[str]) -> str:
    """The ready line. Fails with what the server said instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if "serves" not in line:
        process.wait(30)
        assert process.stderr is not None
        pytest.fail(f"the server did not start: {line}{process.stderr.read()}")
    return line


@pytest.fixture(scope="session")
def start_server(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts servers over copies of the template; they are stopped at the end of the session."""
    servers: list[Server] = []
    # How many threads a replica has is Ray's decision.
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}

    def start(key: str | None = "an-admin-key", host: str = "127.0.0.1", **settings: Any) -> Server:
        """Without a key the server makes one, and shows it. `settings` go to ServingConfig."""
        store = Path(shutil.copytree(template, tmp_path_factory.mktemp("served") / "store"))
        config = {"store": str(store), "sources": [str(store)], **settings}
        code = (
            "from holdfast_serving import ServingConfig, serve_forever\n"
            f"config = ServingConfig.model_validate({config!r})\n"
            f"serve_forever(config.store, {host!r}, port=0, config=config)"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**environment, "HOLDFAST_API_KEYS": f"admin:{key}" if key else ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            url = next(word for word in wait_until_ready(process).split() if word.startswith("http"))
            if key is None:
                assert process.stderr is not None
                key = process.stderr.readline().split()[-1]
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        servers.append(Server(url, key, store, process))
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
def server(start_server: Callable[..., Server]) -> Server:
    """The one server that most tests share, since starting Ray takes seconds."""
    return start_server()


@contextlib.contextmanager
def serving_here(folder: Path) -> Iterator[Served]:
    """The app over a store at a port of this process, without Ray and what it puts in front: that starts at
    once."""
    config = ServingConfig(store=str(folder), sources=(str(folder),))
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(open_store(folder))
        writer = stack.enter_context(contextlib.closing(StoreWriter(store)))
        stack.enter_context(contextlib.closing(Backfiller(store, writer.submit_here, config.sources)))
        replica = Replica(config, store, Gallery(store, open_index(store, config.index)), writer)
        running = uvicorn.Server(uvicorn.Config(create_app(replica), port=0, log_level="error"))
        thread = threading.Thread(target=running.run)
        thread.start()
        try:
            wait_until(lambda: running.started)
            (listening,) = running.servers[0].sockets
            port = listening.getsockname()[1]
            yield Served(f"http://127.0.0.1:{port}", store.keys.create("admin"), folder)
        finally:
            running.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def serve_folder() -> Callable[[Path], contextlib.AbstractContextManager[Served]]:
    """`serving_here`, for the files that serve another store than the template."""
    return serving_here


@pytest.fixture(scope="module")
def served_here(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The template served at a port of this process."""
    folder = Path(shutil.copytree(template, tmp_path_factory.mktemp("served") / "store"))
    with serving_here(folder) as served:
        yield served
