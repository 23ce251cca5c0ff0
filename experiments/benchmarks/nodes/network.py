"""A bridge of this host, and a wire from it into each network namespace that is connected.

Linux, root and iproute2 (`ip`).
"""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Interface

PROGRAMS = ("ip", "unshare", "nsenter", "setpriv")


class Network:
    """A subnet of its own. `gateway` is this host's address in it."""

    def __init__(self, number: int) -> None:
        self._bridge = f"hfb{number}"
        self._wires = itertools.count()
        self._number = number
        self.gateway = self.address(1)

    def address(self, number: int) -> str:
        """The address of the machine of this number, from 2 to 254."""
        return f"10.213.{self._number % 256}.{number}"

    @property
    def subnet(self) -> str:
        return str(IPv4Interface(f"{self.gateway}/24").network)

    def open(self) -> None:
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self.gateway}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")

    def close(self) -> None:
        """Wires go with the namespaces that they lead into."""
        _ip("link", "delete", self._bridge)

    def connect(self, pid: int, address: str) -> None:
        """Give the network namespace of a process an interface `eth0` with this address."""
        wire = f"hf{self._number}x{next(self._wires)}"
        _ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        _ip("link", "set", wire, "master", self._bridge, "up")
        within = ("nsenter", "--target", str(pid), "--net", "ip")
        _run(*within, "addr", "add", f"{address}/24", "dev", "eth0")
        _run(*within, "link", "set", "eth0", "up")
        _run(*within, "link", "set", "lo", "up")
        _run(*within, "route", "add", "default", "via", self.gateway)


@contextmanager
def own_network() -> Iterator[Network]:
    """A network as long as the block lasts. Raises what `require_means` raises."""
    require_means()
    network = Network(os.getpid() % 10_000)
    network.open()
    try:
        yield network
    finally:
        network.close()


def require_means() -> None:
    """Raises PermissionError unless this is root, FileNotFoundError for a program that is missing."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise PermissionError(
            "Machines in namespaces of their own need root: run it as root, on a Linux machine or in a "
            "container that may mount and has CAP_NET_ADMIN."
        )
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise FileNotFoundError(
            f"Machines in namespaces of their own need {' and '.join(missing)}: apt-get install iproute2 "
            "util-linux."
        )


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
