from .backfill import work_on_backfill
from .cluster import look_at_cluster
from .embed import embed_source
from .resources import require_resources
from .runtime import join_cluster, joins_cluster, leave_threads_to_ray, prepare_environment, start_own
from .submit import submit_experiment
from .train import run_experiment
from .tune import tune_experiment

__all__ = [
    "embed_source",
    "join_cluster",
    "joins_cluster",
    "leave_threads_to_ray",
    "look_at_cluster",
    "prepare_environment",
    "require_resources",
    "run_experiment",
    "start_own",
    "submit_experiment",
    "tune_experiment",
    "work_on_backfill",
]
