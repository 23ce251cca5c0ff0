from .device import device_here
from .distill import distill_experiment
from .evaluate import evaluate_lineage, has_report, require_same_data, restore_report
from .export import export_version
from .run_lock import holding_run, require_run
from .trial import NoCheckpoints, TrialPublisher

__all__ = [
    "NoCheckpoints",
    "TrialPublisher",
    "device_here",
    "distill_experiment",
    "evaluate_lineage",
    "export_version",
    "has_report",
    "holding_run",
    "require_run",
    "require_same_data",
    "restore_report",
]
