"""The runtime environment of a job, in Ray's words; secrets travel in a file that no listing shows."""

import os
import re
import shlex
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from holdfast.base import ConfigError, is_secret, read_values
from holdfast.jobs.submission.release import SUBMITTED_BY

SECRETS = "secrets.env"
"""In the job's folder: what its shell reads before the command."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def job_environment(folder: Path, runtime_env: Path | None, variables: Sequence[str]) -> dict[str, Any]:
    """Ray's `runtime_env` of a job whose folder is `folder`.

    Args:
        runtime_env: a YAML file in Ray's words; the files of a `working_dir` of this machine go to `folder`.
        variables: `NAME=VALUE`, or `NAME` for the value that it has here. Those whose names say that they are
            secrets are taken by name only, and written to a file of the job.

    Raises ConfigError: a variable that is not set here, a secret with its value.
    """
    found = {} if runtime_env is None else read_values(runtime_env)
    _take_working_dir(found, folder)
    plain: dict[str, str] = {str(name): str(value) for name, value in (found.get("env_vars") or {}).items()}
    for name in plain:
        _refuse_value(name, f"env_vars of {runtime_env}")
    secrets: dict[str, str] = {}
    for given in variables:
        name, mark, value = given.partition("=")
        if not _NAME.fullmatch(name):
            raise ConfigError(f"--env {name!r} names no variable: it is NAME or NAME=VALUE.")
        if mark:
            _refuse_value(name, "--env")
        elif name not in os.environ:
            raise ConfigError(
                f"--env {name}: there is no such variable here, so there is nothing to pass on."
            )
        (secrets if is_secret(name) else plain)[name] = value if mark else os.environ[name]
    if secrets:
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items()]
        file = folder / SECRETS
        file.touch(0o600)
        file.write_text("".join(lines), "utf-8")
    plain[SUBMITTED_BY] = version("holdfast")
    return {**found, "working_dir": str(folder), "env_vars": plain}


def shell_command(arguments: Sequence[str], folder: Path) -> str:
    """What the head's shell runs."""
    command = shlex.join(["python", "-m", "holdfast", *arguments])
    return f". ./{SECRETS} && {command}" if (folder / SECRETS).exists() else command


def _refuse_value(name: str, where: str) -> None:
    if is_secret(name):
        raise ConfigError(
            f"{where}: {name} is a secret, and its value would be shown to whoever sees the cluster's jobs. "
            f"Set it here and pass its name alone: --env {name}."
        )


def _take_working_dir(found: dict[str, Any], folder: Path) -> None:
    given = found.pop("working_dir", None)
    if given is None:
        return
    if "://" in str(given):
        raise ConfigError(
            f"working_dir: {given} cannot be joined with the files of the job. Name a folder of this "
            "machine, or give its code as py_modules."
        )
    if not Path(given).is_dir():
        raise ConfigError(f"working_dir: {given} is no folder of this machine.")
    excluded = [str(each).strip("/") for each in found.pop("excludes", None) or ()]
    ignored = shutil.ignore_patterns(".git", "__pycache__", ".venv", *excluded)
    shutil.copytree(given, folder, ignore=ignored, dirs_exist_ok=True)
