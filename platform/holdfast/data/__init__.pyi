from .augment import Augmentation, AugmentConfig
from .batches import Batches
from .config import Column, DataConfig, EvaluateConfig, SplitConfig
from .decode import load_images, tell
from .files import expand, locate
from .image_set import ImageSet
from .listing import Encoded, Listing
from .loading import Evaluation, load_evaluation, load_training
from .opening import open_source
from .overlap import require_disjoint
from .rows import row_notes
from .selection import select
from .source import Source, SourceConfig
from .stream import StreamConfig, Task, build_stream
from .table import require_values, some

__all__ = [
    "AugmentConfig",
    "Augmentation",
    "Batches",
    "Column",
    "DataConfig",
    "Encoded",
    "EvaluateConfig",
    "Evaluation",
    "ImageSet",
    "Listing",
    "Source",
    "SourceConfig",
    "SplitConfig",
    "StreamConfig",
    "Task",
    "build_stream",
    "expand",
    "load_evaluation",
    "load_images",
    "load_training",
    "locate",
    "open_source",
    "require_disjoint",
    "require_values",
    "row_notes",
    "select",
    "some",
    "tell",
]
