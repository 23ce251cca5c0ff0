"""Rounds of SIGKILL at random moments, checked against a log of what was acknowledged.

    python -m experiments.benchmarks.failures.killed_rounds --rounds 200 --database sqlite
    python -m experiments.benchmarks.failures.killed_rounds --rounds 200 --database postgresql

A writer (group commit under the lease) and a searcher are under a load of upserts, deletes and searches. At a
random moment SIGKILL hits one of them, or both; what died is started again, and then the database, the
answers and a fresh index have to agree with what was acknowledged (`acknowledgements.py` says how). The last
line is JSON; the exit code is 1 if anything was lost, there twice, or stale. `--database postgresql` starts a
server of its own for as long as it lasts.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from experiments.benchmarks.failures import killed_processes
from experiments.benchmarks.failures.acknowledgements import Answer, Log, Row, Write
from experiments.benchmarks.failures.killed_processes import ASKING, DIMENSION, vector_of
from experiments.benchmarks.harness.child import module_command, module_environment
from experiments.benchmarks.harness.postgres import running_postgres
from holdfast.entries import Entries
from holdfast.search import Gallery
from holdfast.store import Compatibility, Store, open_store

VERSIONS = ("v1", ASKING)
IDS = 80
MOST_SECONDS = 0.5  # of load before a kill
SEARCHES = 3  # in progress at once
PATIENCE = 60.0
KILLS = ("writer", "searcher", "all")


class Child:
    """One of the two processes. `heard` are its answers that nobody has taken yet."""

    def __init__(self, role: str, place: tuple[str, str], bell: threading.Condition) -> None:
        self._process = subprocess.Popen(
            module_command(killed_processes.__name__, role, *place),
            env=module_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._role = role
        self._bell = bell
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.heard: deque[Any] = deque()
        self.owes = 0

    def ask(self, request: list[Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        self.owes += 1

    def greeting(self) -> Any:
        """What it says when it is ready. Raises RuntimeError with its last words if it never is."""
        with self._bell:
            self._bell.wait_for(lambda: self.heard or not self._reader.is_alive(), PATIENCE)
        if not self.heard:
            raise RuntimeError(f"The {self._role} did not start: {self.kill()}")
        return self.heard.popleft()

    def take(self) -> list[Any]:
        """The answers since the last call."""
        taken = [self.heard.popleft() for _ in range(len(self.heard))]
        self.owes -= len(taken)
        return taken

    def finish(self) -> list[Any]:
        """All answers that it still owes. Raises RuntimeError if one does not come."""
        with self._bell:
            self._bell.wait_for(lambda: len(self.heard) >= self.owes or not self._reader.is_alive(), PATIENCE)
        if len(self.heard) < self.owes:
            raise RuntimeError(f"The {self._role} owes {self.owes - len(self.heard)} answers: {self.kill()}")
        return self.take()

    def kill(self) -> str:
        """SIGKILL; what it had said before can still be taken. Returns what it said on standard error."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        said = self._process.stderr.read()
        # What it never read is still in the pipe's buffer on this side.
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(BrokenPipeError):
                pipe.close()
        return said

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._bell:
                # A line without an end is what a killed process was about to say.
                if line.endswith("\n"):
                    self.heard.append(json.loads(line))
                self._bell.notify_all()
        with self._bell:
            self._bell.notify_all()


class Rounds:
    """A store under load, and the log of what it acknowledged.

    Args:
        store: with versions v1 and v2 of 8 dimensions, of which v2 may search v1, and no entries.
        place: its database and its artifacts, for other processes.
    """

    def __init__(self, store: Store, place: tuple[str, str], seed: int = 0) -> None:
        self.log = Log()
        self.kills: Counter[str] = Counter()
        self.violations: list[str] = []
        self.slowest_take = 0.0
        self._store, self._place = store, place
        self._random = random.Random(seed)
        self._bell = threading.Condition()
        self._writes = 0
        self._epoch = 0
        self._children: dict[str, Child] = {}

    def __enter__(self) -> "Rounds":
        self._start(KILLS[:2])
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children.values():
            child.kill()

    def play(self, victim: str | None = None) -> str:
        """One round; returns who was killed, by chance one of `KILLS`."""
        victim = victim or self._random.choice(KILLS)
        window = self._random.choice((1, 4, 32))
        self._load(self._random.uniform(0.0, MOST_SECONDS), window)
        victims = KILLS[:2] if victim == "all" else (victim,)
        for name in victims:
            self._children[name].kill()
        for name, child in self._children.items():
            self._hear(name, child.take() if name in victims else child.finish())
        # Whoever has the lease knows that nothing of the dead writer is on its way any more.
        self._start(victims)
        self._check()
        self.kills[victim] += 1
        return victim

    def _start(self, names: tuple[str, ...]) -> None:
        for name in names:
            self._children[name] = Child(name, self._place, self._bell)
        for name in names:
            first = self._children[name].greeting()
            if name == "writer":
                epoch, seconds = first
                if epoch != self._epoch + 1:
                    self.violations.append(f"Writer {epoch} follows writer {self._epoch}.")
                self._epoch, self.slowest_take = epoch, max(self.slowest_take, seconds)

    def _load(self, seconds: float, window: int) -> None:
        writer, searcher = self._children["writer"], self._children["searcher"]
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            while writer.owes < window:
                write = self._next_write()
                self.log.asks(write)
                writer.ask([write.number, write.puts, write.gone])
            while searcher.owes < SEARCHES:
                searcher.ask([self._random.randrange(1000), self.log.promised])
            with self._bell:
                self._bell.wait_for(lambda: writer.heard or searcher.heard, left)
            for name, child in self._children.items():
                self._hear(name, child.take())

    def _next_write(self) -> Write:
        self._writes += 1
        size = self._random.choice((1, 1, 3, 20))
        names = [f"e{number}" for number in self._random.sample(range(IDS), size)]
        if self._random.random() < 0.3:
            return Write(self._writes, gone=tuple(names[:3]))
        return Write(self._writes, puts=tuple((name, self._random.choice(VERSIONS)) for name in names))

    def _hear(self, name: str, answers: list[Any]) -> None:
        for answer in answers:
            if name == "searcher":
                min_seq, seq, entries = answer
                self.log.answers(Answer(min_seq, seq, tuple(tuple(entry) for entry in entries)))
            elif isinstance(answer[1], str):
                self.violations.append(f"Write {answer[0]} was refused: {answer[1]}")
            else:
                self.log.acknowledges(*answer)

    def _check(self) -> None:
        """The database and all answers agree with the log, the searcher's next one and a fresh index with
        the database."""
        last = Entries(self._store).last_seq()
        searcher = self._children["searcher"]
        searcher.ask([0, last])
        self._hear("searcher", searcher.finish())
        self.violations += self.log.settle(_rows(self._store), last)
        self.violations += Gallery(self._store).verify().problems


def _rows(store: Store) -> list[Row]:
    rows = []
    for changes in Entries(store).all_changes():
        for name, seq, version, vector, attributes in zip(
            changes.ids, changes.seqs, changes.versions, changes.vectors, changes.attributes, strict=True
        ):
            if vector is None:
                rows.append(Row(name, seq))
                continue
            write = int(json.loads(attributes)["write"])
            # A vector of another write than the attributes would be half of each.
            whole = vector == vector_of(write).astype("<f4").tobytes()
            rows.append(Row(name, seq, version, write if whole else -1))
    return rows


@contextmanager
def fresh_store(database: str) -> Iterator[tuple[Store, tuple[str, str]]]:
    """A store for `Rounds` that is gone afterwards, and where it is."""
    from experiments.benchmarks.harness.published import publish_untrained
    from holdfast.models import ModelConfig

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-killed-")))
        where = str(folder / "store")
        if database == "postgresql":
            where = stack.enter_context(running_postgres())
        place = (where, str(folder / "artifacts"))
        store = stack.enter_context(open_store(*place))
        model = ModelConfig(dimension=DIMENSION, width=0.125)
        assert tuple(publish_untrained(store, folder, model, task) for task in range(2)) == VERSIONS
        store.compatibility.record([Compatibility(ASKING, "v1", 0.7, 0.6, 0.05, 0.15, True, "none")])
        yield store, place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    # Whoever stops it finds no process left over.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.perf_counter()
    with fresh_store(arguments.database) as (store, place), Rounds(store, place, arguments.seed) as rounds:
        for number in range(1, arguments.rounds + 1):
            victim = rounds.play()
            if number % 10 == 0 or rounds.violations:
                _tell(f"round {number} of {arguments.rounds}: killed {victim}; {summary(rounds)}")
            if rounds.violations:
                break
    for violation in rounds.violations[:20]:
        _tell(violation)
    answer = {"database": arguments.database, "rounds": sum(rounds.kills.values()), **summary(rounds)}
    print(json.dumps({**answer, "seconds": round(time.perf_counter() - started, 1)}))
    sys.exit(1 if rounds.violations else 0)


def summary(rounds: Rounds) -> dict[str, Any]:
    log = rounds.log
    return {
        "kills": dict(sorted(rounds.kills.items())),
        "acknowledged": log.acknowledged,
        "kept_unacknowledged": log.unacknowledged,
        "absent_unacknowledged": log.absent,
        "answers": log.checked,
        "slowest_take_ms": round(1000 * rounds.slowest_take, 1),
        "violations": len(rounds.violations),
    }


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
