"""The port goes from one server's sockets to another's, or stays where it is; without Ray."""

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.base import NotReadyError, Process
from holdfast_serving.launch import free_port, taking_over
from holdfast_serving.launch.keeper import DOOR, sockets_at
from holdfast_serving.launch.listening import Listening
from holdfast_serving.launch.taking_over import take_port
from holdfast_serving.launch.whereabouts import Whereabouts, successor_of

LOOPBACK = ("127.0.0.1",)


@pytest.fixture
def before(tmp_path: Path) -> Iterator[Whereabouts]:
    """A server that listens, as far as its sockets go."""
    (tmp_path / "before").mkdir()
    port = free_port()
    with closing(Listening(tmp_path / "before", LOOPBACK, port)):
        yield Whereabouts(Process.this(), tmp_path / "before", LOOPBACK, port, "store", "place")


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    """Of the server that is to take over, at a port that nobody knows."""
    (tmp_path / "after").mkdir()
    with closing(Listening(tmp_path / "after", LOOPBACK, free_port())) as made:
        yield made


@pytest.mark.parametrize("missing", [None, "no version is live yet"])
def test_who_waits_in_the_queue_is_served_by_the_server_that_takes_over(
    before: Whereabouts,
    listening: Listening,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    missing: str | None,
) -> None:
    monkeypatch.setattr(taking_over, "_missing", lambda address: missing)
    monkeypatch.setattr(taking_over, "_reload_proxies", lambda: None)
    (first,) = sockets_at(before.folder / DOOR)
    with socket.create_connection((LOOPBACK[0], before.port), 5) as waits:
        assert take_port(listening, before, "http://hidden", lambda seconds: False)
        assert successor_of(before.folder) == str(Process.this())
        socket.socket(fileno=first).close()
        (number,) = sockets_at(tmp_path / "after" / DOOR)
        with socket.socket(fileno=number) as taken:
            assert taken.getsockname() == (LOOPBACK[0], before.port)
            accepted, address = taken.accept()
            accepted.close()
        assert address == waits.getsockname()


def test_a_server_that_does_not_get_ready_leaves_the_one_before_as_it_is(
    before: Whereabouts, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_over, "_missing", lambda address: "it is slow")
    assert not take_port(listening, before, "http://hidden", lambda seconds: True)
    monkeypatch.setattr(taking_over, "READY_SECONDS", 0.0)
    with pytest.raises(NotReadyError, match=r"it is slow.* goes on"):
        take_port(listening, before, "http://hidden", lambda seconds: False)
    assert successor_of(before.folder) is None


def test_a_server_that_lets_go_of_its_sockets_meanwhile_cannot_be_taken_over_from(
    before: Whereabouts, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_over, "_missing", lambda address: None)
    (before.folder / DOOR).unlink()
    with pytest.raises(NotReadyError, match="could not be taken over"):
        take_port(listening, before, "http://hidden", lambda seconds: False)
    assert successor_of(before.folder) is None


def test_the_place_of_a_server_that_died_meanwhile_is_taken_as_well(
    listening: Listening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_over, "_missing", lambda address: None)
    monkeypatch.setattr(taking_over, "_reload_proxies", lambda: None)
    dead, port = replace(Process.this(), started="0"), free_port()
    before = Whereabouts(dead, tmp_path, LOOPBACK, port, "store", "place")
    assert take_port(listening, before, "http://hidden", lambda seconds: False)
    (number,) = sockets_at(tmp_path / "after" / DOOR)
    with socket.socket(fileno=number), socket.create_connection((LOOPBACK[0], port), 5):
        pass
