from .adapters import AdapterContract
from .heads import HeadContract
from .index import IndexContract
from .index_rows import Opened
from .regularizers import RegularizerContract
from .sources import SourceContract, VectorSourceContract
from .store import tiny_store
from .tasks import tiny_encoder, tiny_task
from .trackers import TrackerContract, tracked_run, tracked_sweep
from .trunks import TrunkContract
from .vectors import unit_vectors

__all__ = [
    "AdapterContract",
    "HeadContract",
    "IndexContract",
    "Opened",
    "RegularizerContract",
    "SourceContract",
    "TrackerContract",
    "TrunkContract",
    "VectorSourceContract",
    "tiny_encoder",
    "tiny_store",
    "tiny_task",
    "tracked_run",
    "tracked_sweep",
    "unit_vectors",
]
