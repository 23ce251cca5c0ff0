"""A machine of its own on this host: network, mounts, processes and name in namespaces (Linux, root).

What is installed on the host is installed on it, and cannot be written. `/tmp` (with the home folder and the
cache), `/dev/shm` and `/etc/hosts` are its own, and empty whenever it starts.
"""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from experiments.benchmarks.harness.places import REPOSITORY
from experiments.benchmarks.nodes.network import Network
from experiments.benchmarks.nodes.steps import Step

SPACES = ("--mount", "--uts", "--ipc", "--net", "--pid")
SHARED_MEMORY = "600m"
HOME = "/tmp/home"
# Debian's way with the machine's own name, from which nobody else reaches it.
HOSTS = "127.0.0.1 localhost\n127.0.1.1 {name}\n"
START = """
set -e
mount --make-rprivate /
mount --bind "$MACHINE/hosts" /etc/hosts
[ ! -d "$HIDDEN" ] || mount -t tmpfs -o ro,size=4k hidden "$HIDDEN"
mount --bind "$REPOSITORY" "$REPOSITORY"
mount -o remount,bind,ro "$REPOSITORY"
mount --bind "$MACHINE/tmp" /tmp
mount -o remount,bind,ro /
mount -t tmpfs -o "size=$SHARED" shared /dev/shm
hostname "$NAME"
ulimit -n "$(ulimit -Hn)"
echo ready
# Whoever loses its parent is the first process's to bury.
sleep infinity & wait
"""


class Machine:
    """One machine, which is off until it is started.

    Args:
        folder: of the host, below which each start has a folder; what the machine wrote can be read there.
        environment: of all that runs on it, beside what every machine has.
        hidden: a folder of the host that is empty there.
    """

    def __init__(
        self,
        name: str,
        address: str,
        network: Network,
        folder: Path,
        environment: Mapping[str, str],
        hidden: Path,
    ) -> None:
        self.name, self.address = name, address
        self._network, self._folder, self._hidden = network, folder, hidden
        self._environment = {**_installed(), **environment}
        self._starts = itertools.count(1)
        self._outer: subprocess.Popen[str] | None = None
        self._first = 0
        self.disk = folder
        """The folder of this start, seen from the host; its `tmp` is the machine's `/tmp`."""

    def start(self) -> None:
        """Switch it on, as bare as at first."""
        self.disk = self._folder / f"{self.name}-{next(self._starts)}"
        for part in ("tmp/home/work", "tmp/cache"):
            (self.disk / part).mkdir(parents=True)
        (self.disk / "tmp").chmod(0o1777)
        (self.disk / "hosts").write_text(HOSTS.format(name=self.name))
        given = {
            "MACHINE": str(self.disk),
            "HIDDEN": str(self._hidden),
            "REPOSITORY": str(REPOSITORY),
            "SHARED": SHARED_MEMORY,
            "NAME": self.name,
        }
        spaces = (*SPACES, "--fork", "--kill-child=KILL", "--mount-proc")
        self._outer = subprocess.Popen(
            # It goes with the thread that starts it, however that ends.
            ["setpriv", "--pdeathsig", "KILL", "unshare", *spaces, "bash", "-c", START],
            env={**os.environ, **given},
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._outer.stdout is not None
        assert self._outer.stderr is not None
        if self._outer.stdout.readline() != "ready\n":
            raise RuntimeError(f"the machine {self.name} did not start: {self._outer.stderr.read()}")
        self._first = int(Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text())
        self._network.connect(self._first, self.address)

    def kill(self) -> None:
        """Cut its power: all of its processes are gone at once, and nobody closes its connections."""
        if self._outer is not None:
            os.kill(self._first, signal.SIGKILL)
            self._outer.wait(60)
            self._outer = None

    def begin(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command on it; what it says on both streams is read as one."""
        return subprocess.Popen(
            self._within(command),
            env={**self._environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(
        self, *command: str, seconds: float = 300, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on it to its end, whatever its exit code is."""
        return subprocess.run(
            self._within(command),
            env={**self._environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def answer(self, *command: str, seconds: float = 300, **environment: str) -> str:
        """What a command says on standard output. Raises RuntimeError where it fails."""
        done = self.run(*command, seconds=seconds, **environment)
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[-2000:]
            raise RuntimeError(f"{' '.join(command)} on {self.name} ended with {done.returncode}:\n{said}")
        return done.stdout

    def processes(self, pattern: str) -> list[int]:
        """The ids, as it counts them, of its processes whose command line matches."""
        found = self.run("pgrep", "--full", pattern)
        return [int(line) for line in found.stdout.split()]

    def path(self, inside: str) -> Path:
        """A file of its `/tmp`, as this host sees it."""
        return self.disk / inside.lstrip("/")

    def _within(self, command: tuple[str, ...]) -> list[str]:
        return [
            *("nsenter", "--target", str(self._first), *SPACES),
            *("sh", "-c", f'cd {HOME}/work && exec "$@"', "sh", *command),
        ]


def wait_for(what: str, is_so: Callable[[], object], seconds: float, pause: float = 0.5) -> float:
    """Seconds until it is so. Raises TimeoutError after so many."""
    begun = time.monotonic()
    while not is_so():
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"{what}: not after {seconds:.0f} s")
        time.sleep(pause)
    return time.monotonic() - begun


def share_nothing(step: Step, machines: Sequence[Machine], data: Path) -> None:
    """Checks that no machine has the data, or a file that another one wrote, or writes what all have."""
    for machine in machines:
        machine.answer("sh", "-c", f"for at in /tmp /dev/shm; do touch $at/of-{machine.name}; done")
    seen = [machine.answer("sh", "-c", "ls /tmp /dev/shm | grep of-").split() for machine in machines]
    step.check(
        "each machine sees its own files alone",
        seen == [2 * [f"of-{machine.name}"] for machine in machines],
    )
    step.check(
        "no machine has the data", not any(machine.run("ls", str(data)).stdout for machine in machines)
    )
    written = [machine.run("touch", str(REPOSITORY / "written")).returncode for machine in machines]
    step.check("what is installed cannot be written", all(written))


def _installed() -> dict[str, str]:
    """What finds the programs of the host, and this checkout, on every machine."""
    places = [REPOSITORY / "platform", REPOSITORY / "serving"]
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return {
        "PATH": os.pathsep.join(programs),
        "PYTHONPATH": os.pathsep.join(map(str, places)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": HOME,
        "HOLDFAST_CACHE": "/tmp/cache",
        "LANG": "C.UTF-8",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
