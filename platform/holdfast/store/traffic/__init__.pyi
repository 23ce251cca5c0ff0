from .changing import FIELDS, VERSIONS
from .figures import Figure, ShadowFigures, Tally
from .gate import GateError, ShadowGate
from .log import TrafficLog
from .record import Traffic, aliases
from .schedule import Scheduled, Schedules, Step, ramp
from .shadow import Shadowed, Shadows

__all__ = [
    "FIELDS",
    "ramp",
    "Figure",
    "GateError",
    "Scheduled",
    "Schedules",
    "ShadowFigures",
    "ShadowGate",
    "Shadowed",
    "Shadows",
    "Step",
    "Tally",
    "Traffic",
    "TrafficLog",
    "VERSIONS",
    "aliases",
]
