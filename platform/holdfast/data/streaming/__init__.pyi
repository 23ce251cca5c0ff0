from .ahead import ahead
from .images import StreamedImages, in_batches
from .reading import Reader, Reading, encoded_steps, read_here
from .schedule import Schedule
from .survey import read_survey, write_survey

__all__ = [
    "Reader",
    "Reading",
    "Schedule",
    "StreamedImages",
    "ahead",
    "encoded_steps",
    "in_batches",
    "read_here",
    "read_survey",
    "write_survey",
]
