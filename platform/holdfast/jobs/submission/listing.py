"""The jobs of a cluster that Holdfast submitted, or anybody else."""

from datetime import UTC, datetime
from typing import Any

from ray.job_submission import JobDetails
from rich.console import Console

from holdfast.base import ClusterError, hide_in_url, hide_secrets
from holdfast.jobs.submission.dashboard import Dashboard, asking, connect, dashboard_url
from holdfast.jobs.submission.job import WHAT, follow_job, outcome


def list_jobs(address: str) -> list[dict[str, Any]]:
    """The submitted jobs, newest first: `job`, `what` (the verb and its file), `status` of Ray, `started` and
    `seconds`, `message`. Raises ConfigError, ClusterError."""
    url = dashboard_url(address)
    client = connect(url)
    found = asking(url, client.list_jobs)
    jobs = [each for each in found if each.submission_id]
    jobs.sort(key=lambda each: each.start_time or 0, reverse=True)
    return [_told(each) for each in jobs]


def job_logs(address: str, job: str, follow: bool, console: Console) -> dict[str, Any]:
    """Show what a job has said, and with `follow` what it says until it ends; returns its state and
    `exit_code`, None while it runs."""
    url, client = _of(address, job)
    if follow:
        follow_job(url, client, job, console)
    else:
        text = hide_secrets(asking(url, lambda: client.get_job_logs(job)).rstrip("\n"))
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    info = asking(url, lambda: client.get_job_info(job))
    return _told(info) | outcome(job, info)


def stop_job(address: str, job: str) -> bool:
    """End a job; False if it had ended before."""
    url, client = _of(address, job)
    return bool(asking(url, lambda: client.stop_job(job)))


def _of(address: str, job: str) -> tuple[str, Dashboard]:
    url = dashboard_url(address)
    client = connect(url)
    known = [str(each.submission_id) for each in asking(url, client.list_jobs) if each.submission_id]
    if job not in known:
        there = f"there are {', '.join(known[-5:])}" if known else "it has none"
        raise ClusterError(f"The cluster at {hide_in_url(url)} has no job {job!r}: {there}.")
    return url, client


def _told(job: JobDetails) -> dict[str, Any]:
    begun, ended = job.start_time, job.end_time
    now = datetime.now(UTC).timestamp() * 1000
    return {
        "job": job.submission_id,
        "what": (job.metadata or {}).get(WHAT) or hide_secrets(job.entrypoint or ""),
        "status": job.status.value,
        "started": None
        if not begun
        else datetime.fromtimestamp(begun / 1000, UTC).isoformat(timespec="seconds"),
        "seconds": None if not begun else round(((ended or now) - begun) / 1000, 1),
        "message": hide_secrets(" ".join((job.message or "").split()))[:300],
    }
