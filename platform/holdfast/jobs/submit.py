"""Submitting a run to a Ray cluster as a job."""

import os
import shlex
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ray.job_submission import JobStatus
from rich.console import Console

from holdfast.base import ClusterError, ConfigError, dump_yaml, hide_in_url, hide_secrets, read_values
from holdfast.jobs.dashboard import Dashboard, asking, connect, dashboard_url
from holdfast.store import VARIABLE, pin_down, sqlite_file

ENDED = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED)
AGENT_SECONDS = 90
"""How long a cluster may take to be ready for jobs after its dashboard answers."""
SILENT_SECONDS = 15
"""How long a dashboard may not answer before it counts as lost, and a job may wait before that is said."""
HEADS_STORE = "$HOLDFAST_STORE"
HEADS_ARTIFACTS = f"${VARIABLE}"


def submit_experiment(
    experiment: Path,
    overrides: list[str],
    store: str,
    address: str,
    follow: bool,
    console: Console,
    flags: Sequence[str] = (),
    artifacts: str | None = None,
) -> dict[str, Any]:
    """Run an experiment on the cluster whose dashboard is at `address`.

    Only the experiment file travels, with the overrides in it. Data paths, `store` and `artifacts` mean what
    they mean on the cluster's head node, where Holdfast must be installed in the same version. Whoever sees
    the cluster's jobs sees their commands, so secrets are refused; `$HOLDFAST_STORE` stands for the head's.

    Args:
        flags: further options of the run, such as `--fresh`.

    Returns:
        `job` (the submission id), `status` (of Ray), `store`.

    Raises:
        ConfigError: the cluster cannot be reached, or the store's URL holds a password.
        ClusterError: it takes no job, or while it is followed its dashboard is lost.
    """
    options = _places(store, artifacts)
    url = dashboard_url(address)
    client = connect(url)
    with tempfile.TemporaryDirectory(prefix="holdfast-submit-") as folder:
        (Path(folder) / "experiment.yaml").write_text(dump_yaml(read_values(experiment, overrides)), "utf-8")
        entrypoint = ["python", "-m", "holdfast", "run", "experiment.yaml", *options, *flags]
        job = _submit(url, client, shlex.join(entrypoint), folder, experiment.name)
    where = options[options.index("--store") + 1] if "--store" in options else HEADS_STORE
    shown = hide_in_url(url)
    console.print(
        f"Submitted {experiment} as {job} to {shown}; its store is {where}.", soft_wrap=True, markup=False
    )
    if follow:
        try:
            status = _follow(url, client, job, console)
        except KeyboardInterrupt:
            console.print(f"The job goes on. {_how_to_look(shown, job)}", soft_wrap=True, markup=False)
            raise
    else:
        status = asking(url, lambda: client.get_job_status(job)).value
    return {"job": job, "status": status, "store": where}


def _places(store: str, artifacts: str | None) -> list[str]:
    """The options that say where the store and its files are; none for what the head's environment says."""
    options = []
    where = store if store == HEADS_STORE else pin_down(store)
    if store != HEADS_STORE:
        _refuse_secrets(where, "--store", HEADS_STORE)
        options += ["--store", where]
        if sqlite_file(where) is None:
            artifacts = artifacts or os.environ.get(VARIABLE)
    if artifacts and artifacts != HEADS_ARTIFACTS:
        uri = artifacts if "://" in artifacts else str(Path(artifacts).absolute())
        _refuse_secrets(uri, "--artifacts", HEADS_ARTIFACTS)
        options += ["--artifacts", uri]
    return options


def _refuse_secrets(where: str, option: str, heads: str) -> None:
    if hide_in_url(where) != where:
        raise ConfigError(
            f"{option} {hide_in_url(where)} holds a secret, which whoever sees the jobs there would read. "
            f"Set {heads[1:]} where the head is started and submit with {option} '{heads}', or leave the "
            "secret out and keep it on the head (for PostgreSQL in ~/.pgpass)."
        )


def _submit(url: str, client: Dashboard, entrypoint: str, folder: str, name: str) -> str:
    """Submit; a cluster that has just started answers before its nodes can take a job."""
    job: dict[str, Any] = {
        "entrypoint": entrypoint,
        "runtime_env": {"working_dir": folder},
        "metadata": {"holdfast": name},
    }
    deadline = time.monotonic() + AGENT_SECONDS
    while True:
        try:
            return asking(url, lambda: str(client.submit_job(**job)))
        except ClusterError as error:
            if "No available agent" not in str(error.__cause__):
                raise
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"The cluster takes no job: after {AGENT_SECONDS} s none of its nodes has an agent. "
                    "Look at 'ray status' there."
                ) from error
        time.sleep(1)


def _follow(url: str, client: Dashboard, job: str, console: Console) -> str:
    """Show what the job says until it has ended; returns its status."""
    shown, heard, since, told = 0, time.monotonic(), time.monotonic(), False
    while True:
        try:
            info = asking(url, lambda: client.get_job_info(job))
            logs = asking(url, lambda: client.get_job_logs(job))
        except ClusterError as error:
            if time.monotonic() - heard < SILENT_SECONDS and "does not exist" not in str(error):
                time.sleep(1)
                continue
            raise ClusterError(f"{error} The job goes on. {_how_to_look(hide_in_url(url), job)}") from error
        heard = time.monotonic()
        if len(logs) > shown:
            text = hide_secrets(logs[shown:].rstrip("\n"))
            console.print(text, highlight=False, markup=False, soft_wrap=True)
            shown = len(logs)
        if info.status in ENDED:
            if info.status != JobStatus.SUCCEEDED:
                said = hide_secrets(" ".join((info.message or "").split()))[:300]
                console.print(f"Job {job} has {info.status.value}. {said}", soft_wrap=True, markup=False)
            return str(info.status.value)
        if info.status == JobStatus.PENDING and not told and heard - since > SILENT_SECONDS:
            console.print(f"The job waits to be started: {info.message}", soft_wrap=True, markup=False)
            told = True
        time.sleep(1)


def _how_to_look(url: str, job: str) -> str:
    return f"ray job logs --address {url} --follow {job} shows it, and ray job stop ends it."
