from .augmenting import PHOTOGRAPHS, Augmentation, AugmentConfig, draw_mixup, mix_images
from .batches import Batches
from .classes import Classes, number_classes
from .config import Column, DataConfig, EvaluateConfig, SplitConfig
from .decode import load_images, tell
from .features import Featurizer
from .image_set import ImageSet
from .loading import Evaluation, draw_sample, load_evaluation, load_training
from .overlap import require_disjoint
from .rows import row_notes
from .selection import select
from .shares import draw_evenly
from .sources.files import expand, locate
from .sources.listing import Block, Encoded, Listing, Survey, VectorListing
from .sources.opening import open_any, open_source
from .sources.source import Source, SourceConfig, VectorSource
from .sources.table import conform, of_split, require_values, some
from .sources.vectors.layout import VectorColumns, read_columns
from .sources.vectors.tables import NOTES
from .stream import StreamConfig, Task, build_stream, note_measured
from .streaming import (
    Reader,
    Reading,
    Schedule,
    StreamedImages,
    ahead,
    encoded_steps,
    in_batches,
    read_here,
)

__all__ = [
    "PHOTOGRAPHS",
    "AugmentConfig",
    "Augmentation",
    "Batches",
    "Block",
    "Classes",
    "Column",
    "DataConfig",
    "Encoded",
    "EvaluateConfig",
    "Evaluation",
    "Featurizer",
    "ImageSet",
    "Listing",
    "NOTES",
    "Reader",
    "Reading",
    "Schedule",
    "Source",
    "SourceConfig",
    "SplitConfig",
    "StreamConfig",
    "StreamedImages",
    "Survey",
    "Task",
    "VectorColumns",
    "VectorListing",
    "VectorSource",
    "ahead",
    "build_stream",
    "conform",
    "draw_evenly",
    "draw_mixup",
    "draw_sample",
    "encoded_steps",
    "expand",
    "in_batches",
    "load_evaluation",
    "load_images",
    "load_training",
    "locate",
    "mix_images",
    "note_measured",
    "number_classes",
    "of_split",
    "open_any",
    "open_source",
    "read_columns",
    "read_here",
    "require_disjoint",
    "require_values",
    "row_notes",
    "select",
    "some",
    "tell",
]
