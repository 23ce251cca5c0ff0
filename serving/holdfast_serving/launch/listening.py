"""The sockets that clients connect to: the server's own, which no proxy takes with it when it dies."""

import contextlib
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

from holdfast.base import ConfigError
from holdfast_serving.launch.keeper import DOOR, sockets_at

BACKLOG = 4096
"""Connections that wait for a proxy at most; the system may allow fewer."""


class Listening:
    """Listens at addresses (IPv4 and IPv6) and a port, and hands copies of its sockets to who asks
    at a socket in `folder`, which must be private.

    Nobody can connect before the first one has asked. From then on who connects waits for whoever takes it.

    Raises ConfigError if the address cannot be listened on.
    """

    def __init__(self, folder: Path, addresses: Sequence[str], port: int) -> None:
        self._sockets: list[socket.socket] = []
        self._door = socket.socket(socket.AF_UNIX)
        try:
            self.move_to(addresses, port)
        except ConfigError:
            self.close()
            raise
        self._door.bind(str(folder / DOOR))
        self._door.listen()
        threading.Thread(target=self._hand_out, name="listening", daemon=True).start()

    def move_to(self, addresses: Sequence[str], port: int) -> None:
        """Hands out sockets of another address from now on. Raises ConfigError if none can listen there."""
        both = any(":" not in address for address in addresses)
        made: list[socket.socket] = []
        try:
            for address in addresses:
                made.append(_bound(address, port, only_its_own=both))
        except OSError as error:
            for each in made:
                each.close()
            raise ConfigError(
                f"Cannot listen on {address} port {port}: {error.strerror}. Choose another --host or --port."
            ) from None
        self._replace(made)

    def take_over_from(self, folder: Path) -> None:
        """Hands out the sockets of another server, whose folder this is, in place of its own: those who are
        connected there, or wait for it, notice nothing. Raises what `sockets_at` raises."""
        self._replace([socket.socket(fileno=number) for number in sockets_at(folder / DOOR)])

    def close(self) -> None:
        """Whoever has copies may still take connections."""
        with contextlib.suppress(OSError):
            # Wakes the thread that waits at it.
            self._door.shutdown(socket.SHUT_RDWR)
        for each in (self._door, *self._sockets):
            each.close()

    def _replace(self, sockets: list[socket.socket]) -> None:
        before, self._sockets = self._sockets, sockets
        for each in before:
            each.close()

    def _hand_out(self) -> None:
        while True:
            try:
                asking, _ = self._door.accept()
                with asking:
                    for each in self._sockets:
                        each.listen(BACKLOG)
                    socket.send_fds(asking, [b"\0"], [each.fileno() for each in self._sockets])
            except OSError:
                if self._door.fileno() < 0:
                    return


def _bound(address: str, port: int, only_its_own: bool) -> socket.socket:
    """`only_its_own`: an IPv6 address does not stand for IPv4, too."""
    is_new = ":" in address
    made = socket.socket(socket.AF_INET6 if is_new else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_new and only_its_own:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made
