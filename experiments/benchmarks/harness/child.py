"""Measurements in a process of their own, whose memory and threads nothing else has touched."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from experiments.benchmarks.harness.places import REPOSITORY


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
    done = subprocess.run(
        module_command(module, *arguments),
        env=module_environment(**(environment or {})),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise RuntimeError(f"{module} {' '.join(arguments)} ended with {done.returncode}:\n{said}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
