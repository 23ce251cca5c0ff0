"""What the Ray cluster at RAY_ADDRESS is, without joining it."""

import json
import os
import platform
import subprocess
import sys

from holdfast.base import ConfigError
from holdfast.jobs.runtime import cluster_address

ANSWER_SECONDS = 15.0

# In a process of its own: Ray's client in C++ retries for minutes, and ends a process that it disappoints.
_ASK = """
import json, sys
from ray._raylet import GcsClient
found = GcsClient(address=sys.argv[1]).internal_kv_get(b"CLUSTER_METADATA", b"cluster", timeout=10)
print("FOUND", found.decode() if found else "{}")
"""


def look_at_cluster() -> str:
    """A sentence that says which cluster answers at RAY_ADDRESS.

    Raises ConfigError, with what to do, where none answers, or one of another Ray or Python.
    """
    address = cluster_address()
    if address == "auto":
        return "RAY_ADDRESS=auto: whichever cluster runs on this machine is joined."
    found = _ask(address)
    import ray

    here = {"ray_version": ray.__version__, "python_version": platform.python_version()}
    for name, what in (("ray_version", "Ray"), ("python_version", "Python")):
        there = found.get(name)
        if there is not None and there != here[name]:
            raise ConfigError(
                f"The cluster at RAY_ADDRESS={address} runs {what} {there}, and this machine {here[name]}: "
                f"they cannot join. Install {what} {there} here, or start the cluster anew with {here[name]}."
            )
    return (
        f"The cluster at RAY_ADDRESS={address} answers, with the same Ray {here['ray_version']} and Python."
    )


def _ask(address: str) -> dict[str, str]:
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _ASK, address],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            env=os.environ,
        )
    except subprocess.TimeoutExpired:
        asked = None
    lines = asked.stdout.splitlines() if asked is not None else []
    answer = next((line for line in lines if line.startswith("FOUND ")), None)
    if answer is None:
        raise ConfigError(
            f"What listens at RAY_ADDRESS={address} does not answer as a Ray cluster of this machine's kind: "
            "see that it is the head's port (mostly 6379), that the cluster has the same Ray, and that both "
            "have the same token (ray get-auth-token)."
        )
    found: dict[str, str] = json.loads(answer.removeprefix("FOUND "))
    return found
