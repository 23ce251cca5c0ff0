"""The processes of a server, by what they do: which ones they are, what they hold in memory, their end.

Linux only (/proc).
"""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

TITLES = {
    "gateway": "ServeReplica:holdfast:gateway",
    "writer": "ServeReplica:holdfast:writer",
    "proxy": "/haproxy\0",
    "keeper": "launch/keeper.py\0",
    "proxy manager": "ray::HAProxyManager",
    "fallback proxy": "ray::ProxyActor",
    "controller": "ray::ServeController",
}
"""What is in the command lines of each kind. The proxy is HAProxy; the keeper starts it again."""
PROC = Path("/proc")


class Processes:
    """Those of the server with this process id, which has a session of its own: so those are found as well
    whose parent was killed."""

    def __init__(self, server: int) -> None:
        self._session = os.getsid(server)

    def of(self, kind: str) -> list[int]:
        """The ids of those of one kind that live."""
        return [pid for pid, title in self._titles().items() if self._is(kind, title)]

    def kinds(self) -> dict[str, list[int]]:
        titles = self._titles()
        return {kind: [pid for pid, title in titles.items() if self._is(kind, title)] for kind in TITLES}

    def folder_of(self, kind: str) -> Path | None:
        """Of the file that one of them was given with -f; None where there is none."""
        titles = self._titles()
        for title in (title for title in titles.values() if self._is(kind, title)):
            _, _, rest = title.partition("\0-f\0")
            return Path(rest.partition("\0")[0]).parent
        return None

    def kill(self, kind: str) -> int:
        """SIGKILL to one of them; returns its id. Raises ValueError where there is none."""
        pid = min(self.of(kind), default=None)
        if pid is None:
            raise ValueError(f"no {kind} is there to be killed")
        os.kill(pid, signal.SIGKILL)
        return pid

    def _is(self, kind: str, title: str) -> bool:
        first = title.partition("\0")[0] + "\0"
        return TITLES[kind] in (first if kind == "proxy" else title)

    def _titles(self) -> dict[int, str]:
        found = {}
        for folder in PROC.iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    stat = (folder / "stat").read_text()
                    # After the name in parentheses: state, parent, group, session.
                    state, _, _, session = stat[stat.rindex(")") + 1 :].split()[:4]
                    if int(session) == self._session and state != "Z":
                        found[int(folder.name)] = (folder / "cmdline").read_text(errors="replace")
        return found


@dataclass(frozen=True)
class Memory:
    """Of a process, in MiB: resident; of that, what no other process has (`uss`); what is of no file
    (`anonymous`), which neither other processes nor the system's cache move."""

    rss: float
    uss: float
    anonymous: float


def memory_of(pid: int) -> Memory:
    """Raises OSError if it is gone."""
    kib = {}
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]:
        name, value, *_ = line.split()
        kib[name.rstrip(":")] = int(value) / 1024
    return Memory(kib["Rss"], kib["Private_Clean"] + kib["Private_Dirty"], kib["Anonymous"])
