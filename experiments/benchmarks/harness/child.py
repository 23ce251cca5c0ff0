"""Measurements in a process of their own, whose memory and threads nothing else has touched."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.benchmarks.harness.forking import run_forked
from experiments.benchmarks.harness.places import REPOSITORY

_forks = False


def fork_children() -> None:
    """From now on `measure_in_child` forks, as the quick form does."""
    global _forks
    _forks = True


def module_command(module: str, *arguments: str) -> list[str]:
    """How a module of this package is started, in `module_environment`."""
    return [sys.executable, "-m", module, *arguments]


def module_environment(**more: str) -> dict[str, str]:
    """This process's environment, in which this package is found from every folder."""
    path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, **more}


def measure_in_child(
    module: str, arguments: list[str], environment: Mapping[str, str] | None = None, timeout: float = 900
) -> dict[str, Any]:
    """Run a module of this package; its last line on stdout is a JSON object, and the answer.

    Raises RuntimeError with the end of what the child said, if it fails.
    """
    run = run_forked if _forks else _run_anew
    code, output, errors = run(module, arguments, module_environment(**(environment or {})), timeout)
    if code != 0:
        said = (errors or output).strip()[-2000:]
        raise RuntimeError(f"{module} {' '.join(arguments)} ended with {code}:\n{said}")
    answer: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return answer


def _run_anew(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], timeout: float
) -> tuple[int, str, str]:
    done = subprocess.run(
        module_command(module, *arguments),
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
