"""Weights that follow how much was learned before, by hand."""

import pytest
from pydantic import ValidationError

from holdfast.regularizers import (
    RECIPE,
    CorrelationDistillationConfig,
    FeatureDistillationConfig,
    Grows,
    PrototypeAlignmentConfig,
    weight_at,
)


def test_a_weight_grows_with_the_power_of_what_was_learned_before():
    assert weight_at(FeatureDistillationConfig(weight=20, growth=0.5), 20, 9) == 60
    assert weight_at(CorrelationDistillationConfig(growth=1), 3, 4) == 12
    assert weight_at(FeatureDistillationConfig(weight=20, growth=0.5), 20, 0.25) == 10
    assert weight_at(FeatureDistillationConfig(), 7, 9) == 7


def test_what_cannot_grow_does_not():
    config = PrototypeAlignmentConfig(weight=4)
    assert not isinstance(config, Grows)
    assert weight_at(config, 4, 9) == 4


def test_a_weight_never_shrinks_with_more_to_keep():
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        FeatureDistillationConfig(growth=-0.5)


def test_the_recipe_keeps_frame_and_shape_alike_as_the_lineage_grows():
    feature, correlation, *_ = RECIPE
    assert feature.growth == correlation.growth
