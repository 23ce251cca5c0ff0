"""A server in a process of its own, for as long as somebody asks it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from experiments.benchmarks.harness.child import module_environment

KEY = "a-key-for-the-benchmark"
SERVE = (
    "import json, sys; from holdfast_serving import serve_forever; "
    "serve_forever(port=0, **json.loads(sys.argv[1]))"
)


@dataclass(frozen=True)
class Running:
    """A server that has said where it is; `pid` is of its main process."""

    url: str
    pid: int


def running_holdfast(**options: Any) -> AbstractContextManager[str]:
    """Holdfast's server on a free port, which `KEY` may ask everything; `options` are `serve_forever`'s."""
    return running(holdfast_command(**options))


def holdfast_command(**options: Any) -> list[str]:
    return [sys.executable, "-c", SERVE, json.dumps(options)]


@contextlib.contextmanager
def running(command: Sequence[str]) -> Iterator[str]:
    """The URL of a server that is `started`."""
    with started(command, f"admin:{KEY}") as server:
        yield server.url


@contextlib.contextmanager
def started(command: Sequence[str], keys: str) -> Iterator[Running]:
    """A server in a process group of its own, from the line with its URL on; it is stopped in the end.

    Args:
        keys: `HOLDFAST_API_KEYS`; empty for those of its store.

    Raises RuntimeError with its last words if it does not start.
    """
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command,
            env=module_environment(HOLDFAST_API_KEYS=keys, PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            urls = [word for word in first.split() if word.startswith("http://")]
            if not urls:
                process.wait(60)
                said.seek(0)
                raise RuntimeError(f"{' '.join(command)} did not start: {first}{said.read()[-2000:]}")
            yield Running(urls[0], process.pid)
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
