from .allocator import keep_freed_memory
from .checking import check_learnable
from .config import LearningConfig
from .datasets import Datasets, Embedded, embed_datasets, validation_indices
from .distillation import DistillationConfig, check_distillation, distillation_plan
from .learned import Ancestor, Learned, Publisher
from .learner import Learner, Term
from .perturbation import check_perturbation
from .plan import SequencePlan
from .progress import PUBLISHED, Progress, Watcher, ignore_progress
from .randomness import derive_seed
from .ranks import Ranks
from .resuming import (
    FolderCheckpoints,
    State,
    describe_contents,
    find_changes,
    outline_contents,
    pack_state,
    read_state,
    write_state,
)
from .sequence import run_sequence
from .task_images import TaskImages, turned_classes

__all__ = [
    "PUBLISHED",
    "Ancestor",
    "Datasets",
    "DistillationConfig",
    "Embedded",
    "FolderCheckpoints",
    "Learned",
    "Learner",
    "LearningConfig",
    "Progress",
    "Publisher",
    "Ranks",
    "SequencePlan",
    "State",
    "TaskImages",
    "Term",
    "Watcher",
    "check_distillation",
    "check_learnable",
    "check_perturbation",
    "derive_seed",
    "describe_contents",
    "distillation_plan",
    "embed_datasets",
    "find_changes",
    "ignore_progress",
    "keep_freed_memory",
    "outline_contents",
    "pack_state",
    "read_state",
    "run_sequence",
    "turned_classes",
    "validation_indices",
    "write_state",
]
