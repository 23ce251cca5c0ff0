"""Which trackers an experiment may list."""

from typing import Annotated

from holdfast.base import Kinds
from holdfast.tracking.mlflow import MLflowConfig
from holdfast.tracking.tensorboard import TensorBoardConfig
from holdfast.tracking.tracker import TrackerConfig
from holdfast.tracking.wandb import WandbConfig

AnyTrackerConfig = Annotated[TrackerConfig, Kinds(MLflowConfig, TensorBoardConfig, WandbConfig)]
"""A built-in tracker, or one of another package."""
