"""When a server is whole again after a part of it was killed."""

import contextlib
import csv
import io
import socket
import time

from experiments.benchmarks.harness.processes import Processes
from holdfast_serving.client import ApiError, Client, RetryConfig


class Whole:
    """A server whose proxy leads to so many gateways, and whose writer commits.

    `kinds` are those of its processes that may be killed.
    """

    kinds = ("gateway", "writer", "proxy", "keeper", "proxy manager")

    def __init__(self, url: str, key: str, pid: int, gateways: int) -> None:
        self.processes = Processes(pid)
        self._gateways = gateways
        self._client = Client(url, key, timeout=5, retry=RetryConfig(attempts=1))

    def wait(self, seconds: float) -> float:
        """Seconds until it is whole. Raises TimeoutError after so many."""
        begun = time.monotonic()
        while not self.is_whole():
            if time.monotonic() - begun > seconds:
                raise TimeoutError(f"the server is not whole after {seconds:.0f} s: {self.processes.kinds()}")
            time.sleep(0.2)
        return time.monotonic() - begun

    def is_whole(self) -> bool:
        there = self.processes.kinds()
        if not all(there[kind] for kind in self.kinds) or self._reached() < self._gateways:
            return False
        with contextlib.suppress(ApiError):
            self._client.delete_entries(ids=["nobody"])
            return True
        return False

    def _reached(self) -> int:
        """To how many gateways the newest proxy leads."""
        folder = self.processes.folder_of("keeper")
        if folder is None:
            return 0
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(folder / "admin.sock"))
            connection.sendall(b"show stat\n")
            said = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
            rows = csv.DictReader(io.StringIO(said.removeprefix("# ")))
            return sum("gateway" in row["svname"] and row["status"] == "UP" for row in rows)
        return 0
