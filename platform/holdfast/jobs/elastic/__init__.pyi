from .relay import Relay
from .telling import TellsHost
from .trainer import HoldfastTrainer
from .wishes import Wishes

__all__ = ["HoldfastTrainer", "Relay", "TellsHost", "Wishes"]
