from .checks import Check, Said, Verdict
from .examination import Examination, Finding, examine
from .patient import Patient

__all__ = [
    "Check",
    "Examination",
    "Finding",
    "Patient",
    "Said",
    "Verdict",
    "examine",
]
