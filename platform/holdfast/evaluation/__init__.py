"""Retrieval metrics, the compatibility matrix, confidence intervals and the report. Plain numpy and torch."""

from holdfast.evaluation.compatibility import (
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
from holdfast.evaluation.examples import example_queries, thumbnail
from holdfast.evaluation.intervals import Interval, bootstrap, bootstrap_many, paired_bootstrap
from holdfast.evaluation.machine import describe_machine
from holdfast.evaluation.mixed import assign_versions, deal, mix, summarize_mixed
from holdfast.evaluation.report import Report
from holdfast.evaluation.retrieval import Outcome, Part, Scores, score, score_parts
from holdfast.evaluation.write import draw_report, write_report

__all__ = [
    "Comparison",
    "Interval",
    "Outcome",
    "Part",
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
    "example_queries",
    "forgetting",
    "mix",
    "negative_flips",
    "paired_bootstrap",
    "score",
    "score_parts",
    "summarize_mixed",
    "thumbnail",
    "update_gain",
    "update_gains",
    "draw_report",
    "write_report",
]
