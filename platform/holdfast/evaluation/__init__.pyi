from .compatibility import (
    Comparison,
    average_compatibility,
    average_multimodel_accuracy,
    compare_pair,
    compare_pairs,
    forgetting,
    negative_flips,
    update_gain,
    update_gains,
)
from .examples import example_queries, thumbnail
from .intervals import Interval, bootstrap, bootstrap_many
from .machine import describe_machine
from .mixed import assign_versions, deal, summarize_mixed
from .report import Matrix, Report
from .retrieval import Outcome, Part, Scores, score, score_parts
from .write import PAGE, REPORT, draw_report, write_report

__all__ = [
    "Comparison",
    "Interval",
    "Matrix",
    "Outcome",
    "PAGE",
    "Part",
    "REPORT",
    "Report",
    "Scores",
    "assign_versions",
    "average_compatibility",
    "average_multimodel_accuracy",
    "bootstrap",
    "bootstrap_many",
    "compare_pair",
    "compare_pairs",
    "deal",
    "describe_machine",
    "draw_report",
    "example_queries",
    "forgetting",
    "negative_flips",
    "score",
    "score_parts",
    "summarize_mixed",
    "thumbnail",
    "update_gain",
    "update_gains",
    "write_report",
]
