from .augmentation import Augmentation
from .config import PHOTOGRAPHS, AugmentConfig
from .mixup import draw_mixup, mix_images

__all__ = ["PHOTOGRAPHS", "AugmentConfig", "Augmentation", "draw_mixup", "mix_images"]
