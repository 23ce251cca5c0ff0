import pytest
from pydantic import ValidationError

from holdfast.data import Column, DataConfig, EvaluateConfig, SplitConfig


def test_a_whole_config() -> None:
    config = DataConfig.model_validate(
        {
            "source": "parquet:x.parquet",
            "train": {"split": "background"},
            "evaluate": {"split": "evaluation", "queries": "drawer <= 5"},
            "columns": {"drawer": {"of": "sample_id", "pattern": r"_(\d+)$"}},
        }
    )
    assert config.evaluate.queries == "drawer <= 5"
    assert config.undecodable == "refuse"
    assert DataConfig.model_validate_json(config.model_dump_json()) == config


def test_queries_are_a_quarter_unless_said() -> None:
    assert EvaluateConfig(split="test").queries == 0.25


@pytest.mark.parametrize("queries", [0, 1, -0.5, float("nan"), "drawer <="])
def test_impossible_queries(queries: object) -> None:
    with pytest.raises(ValidationError):
        EvaluateConfig.model_validate({"queries": queries})


@pytest.mark.parametrize("pattern", ["(", r"\d+"])
def test_a_pattern_needs_a_group(pattern: str) -> None:
    with pytest.raises(ValidationError, match=r"regular expression|group"):
        Column(of="sample_id", pattern=pattern)


def test_a_mistyped_selection_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ValidationError, match="Cannot understand the selection"):
        SplitConfig(where="drawer = 5")


def test_evaluating_the_training_images_is_refused() -> None:
    with pytest.raises(ValidationError, match="same images"):
        DataConfig(source="glyphs:", train=SplitConfig(), evaluate=EvaluateConfig())
    DataConfig(source="glyphs:", train=SplitConfig(where="x < 1"), evaluate=EvaluateConfig(where="x >= 1"))
