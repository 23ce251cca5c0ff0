"""Whether a network can be made and can learn as an experiment says, before anything is learned."""

from holdfast.learning.config import LearningConfig
from holdfast.learning.parts import require_no_batch_statistics
from holdfast.models import Encoder, ModelConfig, build_learnable


def check_learnable(model: ModelConfig, learning: LearningConfig) -> None:
    """Raises ConfigError where weights, images, LoRA's targets or parts of a batch do not fit the network."""
    network = build_learnable(model)
    network.begin(model)
    if learning.accumulate > 1 and isinstance(network, Encoder):
        require_no_batch_statistics(network)
