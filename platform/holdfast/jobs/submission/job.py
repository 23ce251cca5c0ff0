"""Submitting a command to a Ray cluster as a job, and following it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.job_submission import JobDetails, JobStatus
from rich.console import Console

from holdfast.base import ClusterError, ConfigError, hide_in_url, hide_secrets
from holdfast.jobs.submission.dashboard import Dashboard, asking, connect, dashboard_url
from holdfast.jobs.submission.environment import shell_command

ENDED = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED)
WHAT = "holdfast"
"""Under which a job's metadata say what it does."""
AGENT_SECONDS = 90
"""How long a cluster may take to be ready for jobs after its dashboard answers."""
SILENT_SECONDS = 15
"""How long a dashboard may not answer before it counts as lost, and a job may wait before that is said."""


@dataclass(frozen=True)
class Job:
    """A command for the head node.

    Args:
        arguments: of `holdfast`, with the verb.
        folder: what travels; it is the command's working directory there.
        what: it does, in a few words, for listings.
        runtime_env: of Ray, see `job_environment`.
        resources: of the command itself, in the words of Ray's `submit_job`: `entrypoint_num_cpus` ...
    """

    arguments: list[str]
    folder: Path
    what: str
    runtime_env: Mapping[str, Any]
    resources: Mapping[str, Any] = field(default_factory=dict)


def submit_job(
    job: Job, address: str, follow: bool, console: Console, submitted: Callable[[str], None]
) -> dict[str, Any]:
    """Run a command on the cluster whose dashboard is at `address`, where Holdfast must be installed in the
    same version.

    Args:
        follow: stay, and show what it says until it has ended.
        submitted: gets the submission id.

    Returns:
        `job` (the submission id), `status` (of Ray), `exit_code` (None while it runs).

    Raises:
        ConfigError: the cluster cannot be reached, or has another Ray. ClusterError: it takes no job, or its
        dashboard is lost while it is followed.
    """
    url = dashboard_url(address)
    client = connect(url)
    _require_same_ray(url, client)
    name = _submit(url, client, job)
    submitted(name)
    if not follow:
        return outcome(name, asking(url, lambda: client.get_job_info(name)))
    try:
        return outcome(name, follow_job(url, client, name, console))
    except KeyboardInterrupt:
        console.print(f"The job goes on. {_how_to_look(url, name)}", soft_wrap=True, markup=False)
        raise


def outcome(name: str, info: JobDetails) -> dict[str, Any]:
    """What `submit_job` returns. One that was stopped, or never began, has the exit code 1."""
    code = None
    if info.status in ENDED:
        code = 0 if info.status == JobStatus.SUCCEEDED else info.driver_exit_code or 1
    return {"job": name, "status": info.status.value, "exit_code": code}


def _require_same_ray(url: str, client: Dashboard) -> None:
    found = asking(url, lambda: client._do_request("GET", "/api/version").json())
    there = found.get("ray_version")
    if there != ray.__version__:
        raise ConfigError(
            f"The cluster at {hide_in_url(url)} runs Ray {there}, and this machine Ray {ray.__version__}: "
            f"install ray=={there} here, or start the cluster anew with {ray.__version__}."
        )


def _submit(url: str, client: Dashboard, job: Job) -> str:
    """Submit; a cluster that has just started answers before its nodes can take a job."""
    request: dict[str, Any] = {
        "entrypoint": shell_command(job.arguments, job.folder),
        "runtime_env": dict(job.runtime_env),
        "metadata": {WHAT: job.what},
        **job.resources,
    }
    deadline = time.monotonic() + AGENT_SECONDS
    while True:
        try:
            return asking(url, lambda: str(client.submit_job(**request)))
        except ClusterError as error:
            if "No available agent" not in str(error.__cause__):
                raise
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"The cluster takes no job: after {AGENT_SECONDS} s none of its nodes has an agent. "
                    "Look at 'ray status' there."
                ) from error
        time.sleep(1)


def follow_job(url: str, client: Dashboard, job: str, console: Console) -> JobDetails:
    """Show what a job says until it has ended."""
    shown, heard, since, told = 0, time.monotonic(), time.monotonic(), False
    while True:
        try:
            info = asking(url, lambda: client.get_job_info(job))
            logs = asking(url, lambda: client.get_job_logs(job))
        except ClusterError as error:
            if time.monotonic() - heard < SILENT_SECONDS and "does not exist" not in str(error):
                time.sleep(1)
                continue
            raise ClusterError(f"{error} The job goes on. {_how_to_look(url, job)}") from error
        heard = time.monotonic()
        if len(logs) > shown:
            text = hide_secrets(logs[shown:].rstrip("\n"))
            console.print(text, highlight=False, markup=False, soft_wrap=True)
            shown = len(logs)
        if info.status in ENDED:
            if info.status != JobStatus.SUCCEEDED:
                said = hide_secrets(" ".join((info.message or "").split()))[:300]
                if "No module named holdfast" in logs:
                    said = "Holdfast is not installed where the cluster's head runs Python."
                console.print(f"Job {job} has {info.status.value}. {said}", soft_wrap=True, markup=False)
            return info
        if info.status == JobStatus.PENDING and not told and heard - since > SILENT_SECONDS:
            console.print(f"The job waits to be started: {info.message}", soft_wrap=True, markup=False)
            told = True
        time.sleep(1)


def _how_to_look(url: str, job: str) -> str:
    address = hide_in_url(url)
    return (
        f"holdfast jobs logs {job} --follow --address {address} shows it, and "
        f"holdfast jobs stop {job} --address {address} ends it."
    )
