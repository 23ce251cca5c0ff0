"""A port that stays free until the server takes it."""

import socket
from pathlib import Path

import pytest

from holdfast_serving.launch.ports import RANGE, addresses_of, free_port


def test_a_free_port_is_none_that_the_system_hands_out() -> None:
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not set(RANGE) & set(range(low, high + 1))
    assert {free_port() in RANGE for _ in range(20)} == {True}


def test_what_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr("holdfast_serving.launch.ports.RANGE", range(port, port + 1))
        with pytest.raises(OSError, match="no port is free"):
            free_port()
        with pytest.raises(OSError, match="in use"):
            free_port(port=port)
    assert free_port() == port == free_port(port=port)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::", "0.0.0.0", "localhost"])
def test_any_host_gives_a_port_that_is_free_at_all_its_addresses(host: str) -> None:
    addresses = addresses_of(host)
    port = free_port(host)
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as probe:
            probe.bind((address, port))


def test_a_port_that_is_taken_at_one_address_of_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast_serving.launch.ports.addresses_of", lambda host: ("127.0.0.1", "::1"))
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", free_port("::1")))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            free_port("two addresses", taken.getsockname()[1])
