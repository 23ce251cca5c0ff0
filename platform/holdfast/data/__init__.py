"""Images: sources -> decoded image sets -> a stream of tasks -> batches."""

from holdfast.data.augment import Augmentation, AugmentConfig
from holdfast.data.batches import Batches
from holdfast.data.config import Column, DataConfig, EvaluateConfig, SplitConfig
from holdfast.data.decode import Decoder, load_images
from holdfast.data.image_set import ImageSet
from holdfast.data.loading import Evaluation, load_evaluation, load_training
from holdfast.data.overlap import require_disjoint
from holdfast.data.selection import select
from holdfast.data.source import Source, open_source
from holdfast.data.stream import StreamConfig, Task, build_stream

__all__ = [
    "AugmentConfig",
    "Augmentation",
    "Batches",
    "Column",
    "DataConfig",
    "Decoder",
    "EvaluateConfig",
    "Evaluation",
    "ImageSet",
    "Source",
    "SplitConfig",
    "StreamConfig",
    "Task",
    "build_stream",
    "load_evaluation",
    "load_images",
    "load_training",
    "open_source",
    "require_disjoint",
    "select",
]
