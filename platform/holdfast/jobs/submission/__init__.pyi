from .environment import job_environment
from .job import Job, submit_job
from .listing import job_logs, list_jobs, stop_job
from .luggage import Luggage
from .release import require_submitters_release, runs_as_job
from .store_options import store_options

__all__ = [
    "Job",
    "Luggage",
    "job_environment",
    "job_logs",
    "list_jobs",
    "require_submitters_release",
    "runs_as_job",
    "stop_job",
    "store_options",
    "submit_job",
]
