"""What `serve_forever` refuses before it starts anything."""

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray.serve._private.api import call_user_app_builder_with_args_if_necessary

from holdfast.base import ConfigError, ConflictError, HoldfastError, Process, StoreError
from holdfast.entries import Lease, LeaseHeldError
from holdfast.store import open_store
from holdfast.store.places import pin_down
from holdfast_serving import ServingConfig, serve_forever
from holdfast_serving.launch import application, free_port
from holdfast_serving.launch import server as module
from holdfast_serving.launch.deployments import build_application
from holdfast_serving.launch.keeper import DOOR
from holdfast_serving.launch.succession import OnCluster
from holdfast_serving.launch.whereabouts import Whereabouts, find_server, place_of
from tests.fixtures.waiting import wait_until


@pytest.fixture(autouse=True)
def _no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*arguments: Any) -> Any:
        raise AssertionError("Ray was about to be started")

    monkeypatch.setattr("holdfast_serving.launch.running.start_ray", unexpected)
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
    monkeypatch.setattr(module, "prepare_serving", lambda *arguments: ("127.0.0.1", None))
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


def test_a_server_that_is_there_is_named_and_may_be_taken_over_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    port, folder = free_port(), tmp_path / "holdfast-before"
    folder.mkdir()
    with open_store(tmp_path / "store") as store:
        before = Whereabouts(Process.this(), folder, ("127.0.0.1",), port, store.where, place_of(store))
    before.tell()
    assert find_server(("127.0.0.1",), port) == before
    assert find_server(("127.0.0.1",), port + 1) is None
    assert find_server(("0.0.0.0",), port) is None
    with pytest.raises(ConfigError, match="--take-over takes over from it"):
        serve_forever(tmp_path / "store", port=port)
    with pytest.raises(ConfigError, match="listens without HAProxy"):
        serve_forever(tmp_path / "store", port=port, take_over=True)
    (folder / DOOR).touch()
    with pytest.raises(ConfigError, match="is another store"):
        serve_forever(tmp_path / "other", port=port, take_over=True)
    before.succeed()
    assert find_server(("127.0.0.1",), port) is None


def test_a_server_that_died_or_told_nonsense_is_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name, text in (("holdfast-a", "{"), ("holdfast-b", "{}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "server.json").write_text(text)
    dead = replace(Process.this(), started="0")
    (tmp_path / "holdfast-c").mkdir()
    Whereabouts(dead, tmp_path / "holdfast-c", ("127.0.0.1",), 8000, "store", "place").tell()
    assert find_server(("127.0.0.1",), 8000) is None


def test_one_server_looks_after_an_application_until_another_one_takes_it_over(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        first, second = OnCluster(store, takes_over=False), OnCluster(store, takes_over=False)
        first.begin()
        with pytest.raises(ConflictError, match="--take-over takes over from it"):
            second.begin()
        after = OnCluster(store, takes_over=True)
        after.begin()
        assert not first.has_come()
        assert after.complete(lambda seconds: False)
        wait_until(first.has_come)
        first.close()
        with pytest.raises(ConflictError):
            second.begin()
        assert not after.has_come()
        after.close()
        second.begin()
        second.close()


def test_more_gateways_at_least_than_at_most_are_refused(tmp_path: Path) -> None:
    config = ServingConfig.model_validate({"store": str(tmp_path / "store"), "autoscaling": {"max": 2}})
    with pytest.raises(ConfigError, match=r"replicas is 3, which are at least, and autoscaling\.max 2"):
        serve_forever(config.store, port=0, replicas=3, config=config)


def test_gpus_are_for_gateways_and_not_for_the_writer() -> None:
    gateway = build_application(ServingConfig(store="any", cpus=2, gpus=0.25))._bound_deployment
    asked = gateway.ray_actor_options or {}
    assert (asked["num_cpus"], asked["num_gpus"]) == (2, 0.25)
    writer = gateway.init_args[1]._bound_deployment
    assert not (writer.ray_actor_options or {}).get("num_gpus")


def test_an_application_that_nobody_could_ask_is_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast_serving.launch.builder.refuse_sqlite_on_many_nodes", lambda where: None)
    with pytest.raises(StoreError, match="holds no store"):
        application(ServingConfig(store=str(tmp_path / "none")))
    with open_store(tmp_path / "store") as store:
        with pytest.raises(StoreError, match="holdfast keys create"):
            application(ServingConfig(store=store.where))
        store.keys.create("read")
        assert application(ServingConfig(store=store.where)) is not None


def test_the_nodes_of_a_cluster_may_name_the_store_of_an_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Serve calls it, with the `args` of a file."""
    monkeypatch.setattr("holdfast_serving.launch.builder.refuse_sqlite_on_many_nodes", lambda where: None)
    with pytest.raises(StoreError, match="HOLDFAST_STORE on every node"):
        call_user_app_builder_with_args_if_necessary(application, {"replicas": 2})
    with open_store(tmp_path / "store") as store:
        store.keys.create("read")
    monkeypatch.setenv("HOLDFAST_STORE", str(tmp_path / "store"))
    built = call_user_app_builder_with_args_if_necessary(application, {"replicas": 2})
    (config, _) = built._bound_deployment.init_args
    assert (config.store, config.replicas) == (str(tmp_path / "store"), 2)
