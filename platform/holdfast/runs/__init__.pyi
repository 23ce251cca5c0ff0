from .adopt import Candidate, adopt_model, try_model
from .bases import find_base, with_base
from .bridge import Bridged, build_bridge
from .datasets import load_datasets, load_own_training, own_reader
from .device import device_here
from .distill import distill_experiment
from .evaluate import evaluate_lineage, has_report, require_same_data, restore_report
from .export import export_version
from .galleries import with_gallery
from .learn import RunOutcome, learn_experiment, learn_here, refuse_distillation
from .parents import with_parent
from .patience import PatientPublisher, patiently
from .publisher import open_publisher
from .run_folder import RunCheckpoints, RunFolder
from .run_lock import holding_run, require_run
from .tracking import telling, tracked
from .trial import TrialCheckpoints, TrialPublisher, read_trial, write_trial

__all__ = [
    "Bridged",
    "Candidate",
    "PatientPublisher",
    "RunCheckpoints",
    "RunFolder",
    "RunOutcome",
    "TrialCheckpoints",
    "TrialPublisher",
    "read_trial",
    "write_trial",
    "adopt_model",
    "build_bridge",
    "device_here",
    "distill_experiment",
    "evaluate_lineage",
    "export_version",
    "find_base",
    "has_report",
    "holding_run",
    "learn_experiment",
    "learn_here",
    "load_datasets",
    "load_own_training",
    "open_publisher",
    "patiently",
    "own_reader",
    "refuse_distillation",
    "require_run",
    "require_same_data",
    "restore_report",
    "telling",
    "tracked",
    "try_model",
    "with_base",
    "with_gallery",
    "with_parent",
]
