"""Submitting a run to a Ray cluster as a job."""

import os
import shlex
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from ray.job_submission import JobStatus, JobSubmissionClient
from rich.console import Console

from holdfast.errors import ConfigError
from holdfast.store.artifacts import Artifacts
from holdfast.store.places import VARIABLE, pin_down, sqlite_file

ENDED = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED)
AGENT_SECONDS = 90
"""How long a cluster may take to be ready for jobs after its dashboard answers."""


def submit_experiment(
    experiment: Path,
    overrides: list[str],
    store: str,
    address: str,
    follow: bool,
    console: Console,
    fresh: bool = False,
    artifacts: str | None = None,
) -> dict[str, Any]:
    """Run an experiment on the cluster whose dashboard is at `address`.

    Only the experiment file travels. Data paths, `store` and `artifacts` mean what they mean on the cluster's
    head node, where Holdfast must be installed in the same version.

    Returns:
        `job` (the submission id), `status` (of Ray), `store`.

    Raises:
        ConfigError: the cluster cannot be reached.
    """
    try:
        client = JobSubmissionClient(address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"No Ray cluster answers at {address}: {str(error).splitlines()[0]} "
            f"Give the dashboard's address, such as http://127.0.0.1:8265."
        ) from error
    where = pin_down(store)
    if sqlite_file(where) is None:
        artifacts = artifacts or os.environ.get(VARIABLE)
    with tempfile.TemporaryDirectory(prefix="holdfast-submit-") as folder:
        shutil.copy(experiment, Path(folder) / "experiment.yaml")
        options = [part for override in overrides for part in ("--set", override)]
        options += ["--fresh"] if fresh else []
        options += ["--artifacts", Artifacts(artifacts).uri] if artifacts else []
        entrypoint = ["python", "-m", "holdfast", "run", "experiment.yaml", "--store", where, *options]
        job = _submit(client, shlex.join(entrypoint), folder, experiment.name)
    console.print(f"Submitted {experiment} as {job} to {address}; its store is {where}.", soft_wrap=True)
    if follow:
        _follow(client, job, console)
    return {"job": job, "status": client.get_job_status(job).value, "store": where}


def _submit(client: JobSubmissionClient, entrypoint: str, folder: str, name: str) -> str:
    """Submit; a cluster that has just started answers before its nodes can take a job."""
    deadline = time.monotonic() + AGENT_SECONDS
    while True:
        try:
            job: str = client.submit_job(
                entrypoint=entrypoint, runtime_env={"working_dir": folder}, metadata={"holdfast": name}
            )
            return job
        except RuntimeError as error:
            if "No available agent" not in str(error):
                raise
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"The cluster takes no job: after {AGENT_SECONDS} s none of its nodes has an agent. "
                    "Look at 'ray status' there."
                ) from error
        time.sleep(1)


def _follow(client: JobSubmissionClient, job: str, console: Console) -> None:
    shown = 0
    while True:
        ended = client.get_job_status(job) in ENDED
        logs = client.get_job_logs(job)
        if len(logs) > shown:
            console.print(logs[shown:].rstrip("\n"), highlight=False, markup=False, soft_wrap=True)
            shown = len(logs)
        if ended:
            return
        time.sleep(1)
