"""A small store with three versions, and servers over it in this process."""

import base64
import contextlib
import copy
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from holdfast.index import open_index
from holdfast.models import Encoder, ModelConfig, Preprocessing
from holdfast.search import Gallery
from holdfast.store import Compatibility, Draft, Store, open_store
from holdfast_serving.config import ServingConfig
from holdfast_serving.http.app import create_app
from holdfast_serving.replica.replica import Replica
from holdfast_serving.writer.writer import StoreWriter
from tests.fixtures.databases import empty_database
from tests.fixtures.served import Served, serving_here

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
