from .backfill import work_on_backfill
from .cluster import look_at_cluster
from .embed import embed_source
from .resources import require_resources
from .runtime import join_cluster, joins_cluster, leave_threads_to_ray, prepare_environment, start_own
from .submission import (
    Job,
    Luggage,
    job_environment,
    job_logs,
    list_jobs,
    require_submitters_release,
    runs_as_job,
    stop_job,
    store_options,
    submit_job,
)
from .train import run_experiment
from .tuning import tune_experiment

__all__ = [
    "Job",
    "Luggage",
    "embed_source",
    "job_environment",
    "job_logs",
    "join_cluster",
    "joins_cluster",
    "leave_threads_to_ray",
    "list_jobs",
    "look_at_cluster",
    "prepare_environment",
    "require_resources",
    "require_submitters_release",
    "run_experiment",
    "runs_as_job",
    "start_own",
    "stop_job",
    "store_options",
    "submit_job",
    "tune_experiment",
    "work_on_backfill",
]
