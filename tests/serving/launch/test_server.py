"""What `serve_forever` refuses before it starts anything."""

import socket
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from holdfast.base import ConfigError, HoldfastError, StoreError
from holdfast.entries import Lease, LeaseHeldError
from holdfast.store import open_store
from holdfast.store.places import pin_down
from holdfast_serving import serve_forever
from holdfast_serving.launch import server as module


@pytest.fixture(autouse=True)
def _no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*arguments: Any) -> Any:
        raise AssertionError("Ray was about to be started")

    monkeypatch.setattr(module, "start_ray", unexpected)
    monkeypatch.setattr(module, "prepare_serving", unexpected)
    monkeypatch.delenv("HOLDFAST_API_KEYS", raising=False)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="--port"):
            serve_forever(tmp_path / "store", port=taken.getsockname()[1])


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("203.0.113.7", 0), ("no such host", 0)])
def test_an_address_that_cannot_be_listened_on(tmp_path: Path, host: str, port: int) -> None:
    with pytest.raises(ConfigError, match="Cannot listen"):
        serve_forever(tmp_path / "store", host=host, port=port)


def test_malformed_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_API_KEYS", "root:whatever-key")
    with pytest.raises(ConfigError, match="HOLDFAST_API_KEYS"):
        serve_forever(tmp_path / "store", port=0)


def test_a_damaged_store(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "holdfast.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError):
        serve_forever(tmp_path / "store", port=0)


def test_a_store_that_another_server_writes_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "prepare_serving", lambda *arguments: ("127.0.0.1", nullcontext()))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with (
        open_store(tmp_path / "store") as store,
        Lease.take(store),
        pytest.raises(LeaseHeldError, match="stop that process"),
    ):
        serve_forever(tmp_path / "store", port=0)


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder here"):
        serve_forever(tmp_path / "store", port=0, sources=[str(tmp_path / "photos")])
    assert not (tmp_path / "store").exists()


def test_an_unknown_database(tmp_path: Path) -> None:
    with pytest.raises(HoldfastError):
        serve_forever("mysql://somewhere/else", artifacts=str(tmp_path), port=0)


def test_a_relative_store_is_pinned_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert pin_down("store") == str(tmp_path / "store")
    assert pin_down("sqlite:///here.db") == f"sqlite:///{tmp_path}/here.db"
    remote = "postgresql+psycopg://me:secret@host/db"
    assert pin_down(remote) == remote
