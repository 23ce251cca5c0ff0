"""Learning one task (`Learner`) and all tasks (`run_sequence`). Pure PyTorch: Ray is not known here."""

from holdfast.learning.adapting import embed_views, fit_adapter
from holdfast.learning.allocator import keep_freed_memory
from holdfast.learning.calibrating import FittedShift, Meeting, choose_images, fit_shift
from holdfast.learning.checkpoints import Checkpoints, FolderCheckpoints, read_state, write_state
from holdfast.learning.contents import describe_contents, find_changes, outline_contents
from holdfast.learning.datasets import Datasets, Embedded, embed_datasets, validation_indices
from holdfast.learning.distillation import DistillationConfig, check_distillation, distillation_plan
from holdfast.learning.learner import Learner, LearningConfig, Term
from holdfast.learning.lesson import Lesson
from holdfast.learning.perturbation import check_perturbation
from holdfast.learning.progress import Progress, Watcher
from holdfast.learning.ranks import Ranks
from holdfast.learning.sequence import Ancestor, Learned, Publisher, SequencePlan, run_sequence

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
    "keep_freed_memory",
    "outline_contents",
    "read_state",
    "run_sequence",
    "validation_indices",
    "write_state",
]
