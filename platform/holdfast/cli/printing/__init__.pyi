from .console import note, show, table, tell, write_json
from .progress import ProgressView, bars, import_bars
from .summaries import matrix_table, summary, trials

__all__ = [
    "ProgressView",
    "bars",
    "import_bars",
    "matrix_table",
    "note",
    "show",
    "summary",
    "table",
    "tell",
    "trials",
    "write_json",
]
