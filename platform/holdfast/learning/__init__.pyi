from .allocator import keep_freed_memory
from .averaging import State
from .checkpoints import FolderCheckpoints, read_state, write_state
from .contents import describe_contents, find_changes, outline_contents
from .datasets import Datasets, Embedded, embed_datasets, validation_indices
from .distillation import DistillationConfig, check_distillation, distillation_plan
from .learner import Learner, LearningConfig, Term
from .lesson import Lesson
from .perturbation import check_perturbation
from .progress import Progress, Watcher, ignore_progress
from .randomness import derive_seed
from .ranks import Ranks
from .sequence import Ancestor, Learned, SequencePlan, run_sequence

__all__ = [
    "Ancestor",
    "Datasets",
    "DistillationConfig",
    "Embedded",
    "FolderCheckpoints",
    "Learned",
    "Learner",
    "LearningConfig",
    "Lesson",
    "Progress",
    "Ranks",
    "SequencePlan",
    "State",
    "Term",
    "Watcher",
    "check_distillation",
    "check_perturbation",
    "derive_seed",
    "describe_contents",
    "distillation_plan",
    "embed_datasets",
    "find_changes",
    "ignore_progress",
    "keep_freed_memory",
    "outline_contents",
    "read_state",
    "run_sequence",
    "validation_indices",
    "write_state",
]
