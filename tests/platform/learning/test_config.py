"""How one task is learned, and what an experiment need not say of it."""

from holdfast.learning import LearningConfig
from holdfast.learning.config import PROJECTING


def test_an_epoch_of_many_images_has_larger_batches() -> None:
    assert LearningConfig().batch_for(1_000_000) == 256
    assert PROJECTING.batch_for(400) == 64
    assert PROJECTING.batch_for(32_001) == 65
    assert PROJECTING.batch_for(500_000) == 1000


def test_a_batch_that_is_said_stays() -> None:
    said = LearningConfig(batch_size=128).over(PROJECTING)
    assert said.batch_for(1_000_000) == 128
    assert said.epochs == PROJECTING.epochs
    assert LearningConfig(epochs=3).over(PROJECTING).batch_for(500_000) == 1000
