"""One small store whose live version takes images and text, served for all tests of clients."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from holdfast.store import open_store
from holdfast_serving.client import Client, ConflictError, GalleryAnswer
from tests.fixtures.endpoints import adopt_endpoint, adopt_vectors, running_vendor


@pytest.fixture(scope="session")
def served(
    serve_folder: Callable[[Path], AbstractContextManager[Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """`v1`, called `clip`, embeds images and text; `theirs` is a version of vectors alone, of 6 numbers."""
    folder = tmp_path_factory.mktemp("clients") / "store"
    with running_vendor() as vendor:
        with open_store(folder) as store:
            assert adopt_endpoint(store, vendor, "clip") == "v1"
            assert adopt_vectors(store, "theirs", 6) == "v2"
            store.traffic.promote("v1")
        with serve_folder(folder) as running:
            yield running


@pytest.fixture(scope="session")
def client(served: Any) -> Iterator[Client]:
    with Client(served.url, served.key) as opened:
        yield opened


@pytest.fixture(autouse=True)
def emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test finds what another one wrote."""
    yield
    if "served" in request.fixturenames:
        client: Client = request.getfixturevalue("client")
        while sum(applied(client).entries.values()):
            client.delete_many(found for version in ("clip", "theirs") for found in some_ids(client, version))


def applied(client: Client) -> GalleryAnswer:
    """The gallery once searches see all that is written: until then its counts and answers are older."""
    while (gallery := client.get_gallery()).seq < gallery.last_seq:
        time.sleep(0.01)
    return gallery


def some_ids(client: Client, version: str) -> list[str]:
    numbers = [1.0] + [0.0] * (client.get_model(version).dimension - 1)
    seq = client.get_gallery().last_seq
    try:
        return [hit.id for hit in client.search(vector=numbers, model=version, k=1000, min_seq=seq).hits]
    except ConflictError:  # there are only entries of the other one
        return []
