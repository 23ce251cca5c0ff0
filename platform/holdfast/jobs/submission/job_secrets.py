"""Secrets of a job, in a file of its folder that no listing shows.

Its shell reads the file before the command, and every process that Ray starts for the job reads it as it
begins: what the command may open, its workers on other machines may open as well.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

SECRETS = "secrets.env"
HOOK = "holdfast.jobs.submission.job_secrets.take_secrets"
"""What Ray calls in each process of the job, in the job's folder (its `worker_process_setup_hook`)."""


def write_secrets(folder: Path, secrets: Mapping[str, str]) -> None:
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items()]
    file = folder / SECRETS
    file.touch(0o600)
    file.write_text("".join(lines), "utf-8")


def take_secrets() -> None:
    """Set the variables that the file in the current folder names."""
    words = iter(shlex.split(Path(SECRETS).read_text("utf-8")))
    for word in words:
        if word == "export":
            name, _, value = next(words).partition("=")
            os.environ[name] = value
