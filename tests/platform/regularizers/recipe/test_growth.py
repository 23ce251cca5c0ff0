"""Weights that follow how much was learned before, by hand."""

import pytest
from pydantic import ValidationError

from holdfast.regularizers import (
    RECIPE,
    CorrelationDistillationConfig,
    FeatureDistillationConfig,
    PrototypeAlignmentConfig,
)


def test_a_weight_grows_with_the_power_of_what_was_learned_before():
    assert FeatureDistillationConfig(weight=20, growth=0.5).weight_at(9) == 60
    assert CorrelationDistillationConfig(weight=3, growth=1).weight_at(4) == 12
    assert FeatureDistillationConfig(weight=20, growth=0.5).weight_at(0.25) == 10
    assert FeatureDistillationConfig(weight=7).weight_at(9) == 7


def test_what_cannot_grow_does_not():
    assert PrototypeAlignmentConfig(weight=4).weight_at(9) == 4


def test_a_weight_never_shrinks_with_more_to_keep():
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        FeatureDistillationConfig(growth=-0.5)


def test_the_recipe_keeps_frame_and_shape_alike_as_the_lineage_grows():
    feature, correlation, *_ = RECIPE
    assert feature.growth == correlation.growth
