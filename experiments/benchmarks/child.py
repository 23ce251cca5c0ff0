"""Measurements in a process of their own, whose memory and threads nothing else has touched."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parent


def measure_in_child(
    script: str, arguments: list[str], environment: Mapping[str, str] | None = None, timeout: float = 900
) -> dict[str, Any]:
    """Run a file of this folder; its last line on stdout is a JSON object, and the answer.

    Raises RuntimeError with the end of what the child said, if it fails.
    """
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise RuntimeError(f"{script} {' '.join(arguments)} ended with {done.returncode}:\n{said}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
