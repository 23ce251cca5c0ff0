"""What Ray starts in HAProxy's place: keeps one HAProxy going, and clients do not see it die.

    python keeper.py FOLDER -f CONFIG ...

The sockets that clients connect to are the server's (`listening.py`). While a killed HAProxy is started
again, some hundredths of a second, those who connect wait in the kernel's queue. Where this process is
killed, its HAProxy goes on until Ray has started the next one, which tells all earlier ones to finish what
they began. One that knows of no application any more, as Serve's first after such a death, leaves the sockets
to the earlier ones, or to the one that comes next.

Ray takes HAProxy for ready when its admin socket names the process that Ray has started. So what Ray asks it
goes through this process, which puts its own number in place of HAProxy's.

Needs the standard library only, and no package: it starts anew with each change of the replicas.
"""

import contextlib
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

PIDS = "haproxy.pids"
DOOR = "listening.sock"
SCRIPT, WATCHER = "worker", "watcher"
SEEN = "application.seen"
MOST_SOCKETS = 16
READY_SECONDS = 20.0
POLL_SECONDS = 0.005
APPLICATION = re.compile(r"^backend (?!default_)", re.MULTILINE)
HEARD = (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM)


def mended(config: str, folder: Path, admin: Path, binds: str) -> str:
    """HAProxy's configuration as Ray wrote it, as a server needs it that listens at sockets which it has,
    bounds what it waits for and answers errors in one shape.

    Args:
        folder: has `defaults.cfg`, `frontend.cfg` and `503.http`.
        admin: the admin socket of this HAProxy.
        binds: what HAProxy listens at.
    """
    rules = {
        r"^( *)stats socket .*$": rf"\1stats socket {admin} mode 600 level admin",
        # They would listen on all interfaces, at ports that another server on this machine may have.
        r"^(frontend prometheus|listen stats)$\n(^[ \t].*$\n?|^\n)*": "",
        r"^(frontend http_frontend$\n *bind ).*$": rf"\1{binds}",
        r"^( *errorfile 50[234]) .*$": rf"\1 {folder}/503.http",
        # While no application is there, Ray answers 404 in plain text, which no client takes for a start.
        r"^(backend default_backend$\n *)http-request return .*$": r"\1http-request deny deny_status 503",
    }
    for found, put in rules.items():
        config = re.sub(found, put, config, flags=re.MULTILINE)
    for section in ("defaults", "frontend"):
        more = (folder / f"{section}.cfg").read_text().rstrip()
        begins = re.compile(f"^{section}( http_frontend)?$", re.MULTILINE)
        config = begins.sub(lambda begun, more=more: f"{begun[0]}\n{more}", config)  # type: ignore[misc]
    return config


class Haproxy:
    """The HAProxy of this keeper: at most one at a time."""

    def __init__(self, folder: Path, config: Path, is_reached: bool) -> None:
        """`is_reached`: whether it takes those who connect to the server."""
        self.is_reached = is_reached
        self.admin = config.with_name(f"worker-{os.getpid()}.sock")
        self.pid = 0
        self._script, self._watcher = folder / SCRIPT, folder / WATCHER
        self._sockets: list[int] = []
        self._state = config.with_name("state")
        self._config = config.with_name(f"worker-{os.getpid()}.cfg")
        binds = f"unix@{config.with_name('nobody.sock')}"
        if is_reached:
            self._sockets = sockets_at(folder / DOOR)
            for number in self._sockets:
                os.set_inheritable(number, True)
            binds = ",".join(f"fd@{number}" for number in self._sockets)
        self._config.write_text(mended(config.read_text(), folder, self.admin, binds))

    def start(self) -> None:
        """Raises RuntimeError if it ends, or cannot be asked in time."""
        command = ["/bin/sh", str(self._script), "-db", "-f", str(self._config)]
        self.pid = os.posix_spawn(command[0], command, os.environ, setsigmask=())
        self._watch()
        until = time.monotonic() + READY_SECONDS
        while not self.asked(b"show info\n").startswith(b"Name: "):
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                raise RuntimeError("HAProxy ended while it started")
            if time.monotonic() > until:
                raise RuntimeError(f"HAProxy was not ready after {READY_SECONDS:.0f} seconds")
            time.sleep(POLL_SECONDS)

    def _watch(self) -> None:
        """Has it ended when the server is gone, by a process that holds no socket of the server's."""
        command = ["/bin/sh", str(self._watcher), str(self.pid)]
        without = [(os.POSIX_SPAWN_CLOSE, number) for number in self._sockets]
        # It goes on in the background by itself.
        os.waitpid(os.posix_spawn(command[0], command, os.environ, file_actions=without, setsigmask=()), 0)

    def start_again(self) -> None:
        # What was up and down when the last one took over says nothing of now.
        self._state.unlink(missing_ok=True)
        self.start()

    def ended(self) -> int | None:
        """Its exit code, negative for a signal; None while it lives."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None

    def tell(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def asked(self, command: bytes) -> bytes:
        """What it answers at its admin socket, nothing where it does not."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self.admin))
            connection.sendall(command)
            return b"".join(iter(lambda: connection.recv(65536), b""))
        return b""

    def close(self) -> None:
        for file in (self._config, self.admin):
            file.unlink(missing_ok=True)


def answer_ray(door: socket.socket, haproxy: Haproxy) -> None:
    """Hands on what Ray asks, one connection after the other, for ever."""
    ours = b"Pid: %d" % os.getpid()
    while True:
        connection, _ = door.accept()
        with contextlib.suppress(OSError), connection:
            connection.settimeout(5)
            command = connection.recv(65536)
            until = time.monotonic() + 2
            # It may be on its way back.
            while not (said := haproxy.asked(command)) and time.monotonic() < until:
                time.sleep(POLL_SECONDS)
            connection.sendall(re.sub(rb"^Pid: \d+", ours, said, flags=re.MULTILINE))


def keep(haproxy: Haproxy, admin: Path, earlier: Sequence[int]) -> int:
    """Starts HAProxy, takes over from those before, and starts it again when it dies. Returns its exit code
    when it ends otherwise."""
    haproxy.start()
    door = _admin_socket(admin)
    threading.Thread(target=answer_ray, args=(door, haproxy), daemon=True).start()
    for pid in earlier:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGUSR1)
    finishing = False
    while True:
        number = signal.sigwait(HEARD)
        if number != signal.SIGCHLD:
            finishing = True
            haproxy.tell(number)
        elif (code := haproxy.ended()) is not None:
            if finishing or code == 0:
                return max(0, code)
            haproxy.start_again()


def earlier_ones(folder: Path) -> list[int]:
    """The keepers of this folder and their HAProxies that live."""
    found = []
    pids = folder / PIDS
    for pid in map(int, pids.read_text().split()) if pids.exists() else ():
        with contextlib.suppress(OSError):
            # The number may belong to another process by now.
            if str(folder) in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(pid)
    return found


def sockets_at(door: Path) -> list[int]:
    """Numbers of copies of a server's listening sockets. Raises OSError where that server has ended, and
    RuntimeError where it has none."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(door))
        _, numbers, _, _ = socket.recv_fds(connection, 1, MOST_SOCKETS)
    if not numbers:
        raise RuntimeError("the server has no socket to listen at: another program may have taken its port")
    return numbers


def _admin_socket(path: Path) -> socket.socket:
    """In place of that of the one before, without a moment between them."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(partial))
    door.listen()
    partial.replace(path)
    return door


def main() -> int:
    folder, arguments = Path(sys.argv[1]), sys.argv[2:]
    config = Path(arguments[arguments.index("-f") + 1])
    # Before a thread or a child is there that could take them.
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    # Ray ends the group of a process that has died, and HAProxy is to outlive all but the server.
    os.setpgid(0, 0)
    earlier = earlier_ones(folder)
    with (folder / PIDS).open("a") as pids:
        pids.write(f"{os.getpid()}\n")
    knows = APPLICATION.search(config.read_text()) is not None
    seen = folder / SEEN
    if knows:
        seen.touch()
    try:
        haproxy = Haproxy(folder, config, is_reached=knows or not seen.exists())
    except (RuntimeError, OSError) as error:
        sys.exit(str(error))
    try:
        return keep(haproxy, config.with_name("admin.sock"), earlier if haproxy.is_reached else ())
    except RuntimeError as error:
        haproxy.tell(signal.SIGKILL)
        sys.exit(str(error))
    finally:
        haproxy.close()


if __name__ == "__main__":
    sys.exit(main())
