from .events import (
    Begun,
    Ended,
    Event,
    Pair,
    Stepped,
    TaskEnded,
    TrialBegun,
    TrialEnded,
    TrialReported,
    VersionPublished,
)
from .kinds import AnyTrackerConfig
from .mlflow import MLflowConfig
from .telling import Tracking, check_trackers
from .tensorboard import TensorBoardConfig
from .tracker import Tracker, TrackerConfig, tell
from .wandb import WandbConfig

__all__ = [
    "AnyTrackerConfig",
    "Begun",
    "Ended",
    "Event",
    "MLflowConfig",
    "Pair",
    "Stepped",
    "TaskEnded",
    "TensorBoardConfig",
    "Tracker",
    "TrackerConfig",
    "Tracking",
    "TrialBegun",
    "TrialEnded",
    "TrialReported",
    "VersionPublished",
    "WandbConfig",
    "check_trackers",
    "tell",
]
