"""All that a figure depends on besides chance: the machine, the code, the sizes."""

import contextlib
import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

from experiments.benchmarks.harness.places import REPOSITORY
from holdfast.evaluation import describe_machine


def describe_context(quick: bool) -> dict[str, Any]:
    """What decides whether two figures may stand beside each other.

    Whether OpenMP's threads spin or sleep while they wait (`OMP_WAIT_POLICY`) moves a step by some percent.
    """
    waiting = os.environ.get("OMP_WAIT_POLICY") or "default"
    return {
        "machine": describe_machine(),
        "omp_wait_policy": waiting,
        "code": code_fingerprint(),
        "quick": quick,
    }


def code_fingerprint(root: Path = REPOSITORY) -> str:
    """Hash of the program and of the experiments, whether committed or not."""
    digest = hashlib.sha256()
    places = [*(root / folder for folder in ("platform", "serving")), root / "experiments" / "benchmarks"]
    files = [file for place in places for file in place.rglob("*.py")]
    files += (root / "experiments").glob("*.yaml")
    for file in sorted(files):
        digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def current_commit() -> str | None:
    """Short hash of the commit, with -dirty where files were changed since; None outside a repository."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return None
