"""The runtime environment of a job, in Ray's words; secrets travel in a file that no listing shows."""

import os
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.base import ConfigError, hide_in_url, hide_secrets, is_secret, read_values
from holdfast.jobs.release import this_release
from holdfast.jobs.submission.job_secrets import HOOK, SECRETS, write_secrets
from holdfast.jobs.submission.release import SUBMITTED_BY

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def job_environment(folder: Path, runtime_env: Path | None, variables: Sequence[str]) -> dict[str, Any]:
    """Ray's `runtime_env` of a job whose folder is `folder`.

    Args:
        runtime_env: a YAML file in Ray's words; the files of a `working_dir` of this machine go to `folder`.
        variables: `NAME=VALUE`, or `NAME` for the value that it has here. Those that hold a secret, by their
            name or by a password in their value, are taken by name only, and written to a file of the job.

    Raises ConfigError: a variable that is not set here, a secret with its value.
    """
    found = {} if runtime_env is None else read_values(runtime_env)
    _take_working_dir(found, folder)
    plain: dict[str, str] = {str(name): str(value) for name, value in (found.get("env_vars") or {}).items()}
    for name, value in plain.items():
        _refuse_value(name, value, f"env_vars of {runtime_env}")
    secrets: dict[str, str] = {}
    for given in variables:
        name, mark, value = given.partition("=")
        if not _NAME.fullmatch(name):
            raise ConfigError(f"--env {name!r} names no variable: it is NAME or NAME=VALUE.")
        if mark:
            _refuse_value(name, value, "--env")
        elif name not in os.environ:
            raise ConfigError(
                f"--env {name}: there is no such variable here, so there is nothing to pass on."
            )
        value = value if mark else os.environ[name]
        (secrets if _holds_secret(name, value) else plain)[name] = value
    if secrets:
        if "worker_process_setup_hook" in found:
            raise ConfigError(
                f"{runtime_env}: worker_process_setup_hook cannot go with a secret of --env, which takes "
                f"its place ({', '.join(secrets)}). Set that one where the cluster's machines are started."
            )
        write_secrets(folder, secrets)
        found["worker_process_setup_hook"] = HOOK
    plain[SUBMITTED_BY] = this_release()
    return {**found, "working_dir": str(folder), "env_vars": plain}


def shell_command(arguments: Sequence[str], folder: Path) -> str:
    """What the head's shell runs."""
    command = shlex.join(["python", "-m", "holdfast", *arguments])
    return f". ./{SECRETS} && {command}" if (folder / SECRETS).exists() else command


def _refuse_value(name: str, value: str, where: str) -> None:
    if _holds_secret(name, value):
        raise ConfigError(
            f"{where}: {name} holds a secret, which whoever sees the cluster's jobs would read. Set it here "
            f"and pass its name alone: --env {name}."
        )


def _holds_secret(name: str, value: str) -> bool:
    return is_secret(name) or {hide_secrets(value), hide_in_url(value)} != {value}


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
