from .adapting import embed_views, fit_adapter
from .allocator import keep_freed_memory
from .averaging import State
from .calibrating import FittedShift, Meeting, choose_images, fit_shift
from .checkpoints import Checkpoints, FolderCheckpoints, read_state, write_state
from .contents import describe_contents, find_changes, outline_contents
from .datasets import Datasets, Embedded, embed_datasets, validation_indices
from .distillation import DistillationConfig, check_distillation, distillation_plan
from .learner import Learner, LearningConfig, Term
from .lesson import Lesson
from .perturbation import check_perturbation
from .progress import Progress, Watcher, ignore_progress
from .ranks import Ranks
from .sequence import Ancestor, Learned, Publisher, SequencePlan, run_sequence

__all__ = [
    "Ancestor",
    "Checkpoints",
    "Datasets",
    "DistillationConfig",
    "Embedded",
    "FittedShift",
    "FolderCheckpoints",
    "Learned",
    "Learner",
    "LearningConfig",
    "Lesson",
    "Meeting",
    "Progress",
    "Publisher",
    "Ranks",
    "SequencePlan",
    "State",
    "Term",
    "Watcher",
    "check_distillation",
    "check_perturbation",
    "choose_images",
    "describe_contents",
    "distillation_plan",
    "embed_datasets",
    "embed_views",
    "find_changes",
    "fit_adapter",
    "fit_shift",
    "ignore_progress",
    "keep_freed_memory",
    "outline_contents",
    "read_state",
    "run_sequence",
    "validation_indices",
    "write_state",
]
