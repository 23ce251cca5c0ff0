"""Which process this is, and whether another one that wrote down the same is still alive."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process of one machine.

    Args:
        host: the machine's name, for people.
        machine: within which its pid means something: this start of this machine, and the namespace of the
            container. Empty where that cannot be told.
        pid: as its machine counts.
        started: when it began, in the machine's own unit: a pid is given again to others.
    """

    host: str
    machine: str
    pid: int
    started: str

    @classmethod
    def this(cls) -> "Process":
        return cls(socket.gethostname(), _machine(), os.getpid(), _state_and_start(os.getpid())[1])

    def is_dead(self) -> bool:
        """Whether it certainly runs no more; False for one that cannot be seen from here."""
        if not self.machine or self.machine != _machine():
            return False
        state, started = _state_and_start(self.pid)
        # A zombie has only not been buried yet.
        return state in ("", "Z", "X") or started != self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _state_and_start(pid: int) -> tuple[str, str]:
    """Of a process of this machine, as Linux tells it; empty where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "", ""
    # The name in brackets may itself hold brackets and blanks.
    fields = stat[stat.rindex(")") + 1 :].split()
    return fields[0], fields[19]
