"""A job and the cluster that runs it are of one release."""

import os

from holdfast.base import ConfigError
from holdfast.jobs.release import this_release

SUBMITTED_BY = "HOLDFAST_SUBMITTED_BY"
"""The variable of a job that says which release submitted it."""


def runs_as_job() -> bool:
    """Whether this process is a job that `holdfast submit` submitted."""
    return SUBMITTED_BY in os.environ


def require_submitters_release() -> None:
    """Raises ConfigError where this process is a job that another release of Holdfast submitted."""
    there, here = os.environ.get(SUBMITTED_BY), this_release()
    if there not in (None, here):
        raise ConfigError(
            f"Holdfast {there} submitted this job, and the cluster has Holdfast {here}: install the same on "
            "both."
        )
