"""A small store with three versions, and servers over it: in this process, and under Ray Serve."""

import base64
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

from holdfast.gallery import Gallery
from holdfast.models import Encoder, ModelConfig, Preprocessing
from holdfast.store import Compatibility, Draft, Store, open_store
from holdfast_serving.app import create_app
from holdfast_serving.config import ServingConfig
from holdfast_serving.replica import Replica
from holdfast_serving.writer import StoreWriter

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


@pytest.fixture(scope="session")
def template(encoders: dict[str, Encoder], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with v1, v2 and v3, v1 live and writing: v1 and v3 may search each other, v2 nobody."""
    folder = tmp_path_factory.mktemp("template")
    with open_store(folder / "store") as store:
        for task, (name, encoder) in enumerate(encoders.items()):
            encoder.save(folder / name)
            parent = None if task == 0 else f"v{task}"
            draft = Draft("run", 1, task, parent, folder / name, "name: test", "data", {"recall": 50.0})
            assert store.publish(draft).name == name
        store.record_compatibility(
            [
                Compatibility("v3", "v1", 60.0, 50.0, 8.0, 12.0, True, "test"),
                Compatibility("v1", "v3", 55.0, 50.0, 3.0, 7.0, True, "test"),
                Compatibility("v2", "v1", 1.0, 50.0, -51.0, -47.0, False, "test"),
            ]
        )
        store.traffic.promote("v1")
    return folder / "store"


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

    def start(**settings: Any) -> TestClient:
        config = ServingConfig(store=store.where, **settings)
        replica = Replica(config, store, Gallery(store), StoreWriter(store))
        client = TestClient(create_app(replica), raise_server_exceptions=False)
        client.__enter__()
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


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
