"""What an experiment may say of its workers, and what they take in Ray's words."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.base import ConfigError, parse_settings
from holdfast.scaling import ScalingConfig


def scaling(**given: Any) -> ScalingConfig:
    return parse_settings(ScalingConfig, given, "scaling")


def test_a_number_is_fixed_and_a_span_is_elastic() -> None:
    assert (scaling(workers=3).least, scaling(workers=3).most, scaling(workers=3).elastic) == (3, 3, False)
    elastic = scaling(workers={"min": 1, "max": 4}, cpus_per_worker=1)
    assert (elastic.least, elastic.most, elastic.elastic) == (1, 4, True)
    assert ScalingConfig.model_validate(elastic.model_dump(mode="json")) == elastic


@pytest.mark.parametrize(
    ("given", "each"),
    [
        ({"cpus_per_worker": 2}, {"CPU": 2}),
        ({"cpus_per_worker": 2, "gpu": True}, {"CPU": 2, "GPU": 1}),
        ({"resources_per_worker": {"CPU": 0.5, "GPU": 0.25}}, {"CPU": 0.5, "GPU": 0.25}),
        ({"resources_per_worker": {"CPU": 0, "GPU": 2}}, {"GPU": 2}),
        (
            {"cpus_per_worker": 1, "gpu": True, "accelerator_type": "H100"},
            {"CPU": 1, "GPU": 1, "accelerator_type:H100": 0.001},
        ),
        (
            {"resources_per_worker": {"CPU": 1, "memory": 2.0**30, "disk": 1}},
            {"CPU": 1, "memory": 2.0**30, "disk": 1},
        ),
    ],
)
def test_what_a_worker_takes(given: dict[str, Any], each: dict[str, float]) -> None:
    assert scaling(**given).each == each
    assert scaling(**given).cpus >= 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"workers": -1}, "workers: say a whole number from 0 on, or"),
        ({"workers": "many"}, "workers: say a whole number from 0 on, or"),
        ({"workers": True}, "workers: say a whole number from 0 on, or"),
        ({"workers": {"min": 0, "max": 2}}, "workers: min: Input should be greater than or equal to 1"),
        ({"workers": {"min": 3, "max": 2}}, "workers: min is 3 and max 2"),
        ({"workers": {"max": 2}}, "workers: min: Field required"),
        ({"cpus_per_worker": 1, "resources_per_worker": {"CPU": 1}}, "are one thing"),
        ({"gpu": True, "resources_per_worker": {"GPU": 0}}, "give one of them"),
        ({"resources_per_worker": {"GPU": 1.5}}, "Ray shares one GPU, or gives whole ones"),
        ({"resources_per_worker": {"disk": -1}}, "cannot be below 0"),
        ({"resources_per_worker": {"accelerator_type:A100": 1}}, "say accelerator_type: A100"),
        ({"placement": "NEAR"}, "placement"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        scaling(**given)


def test_a_file_of_before_writes_out_as_before() -> None:
    """What is not said is not there, so that an earlier Holdfast reads it."""
    assert set(scaling(workers=2).model_dump()) == {"workers", "cpus_per_worker", "gpu", "max_failures"}


def test_what_the_documentation_shows_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    (shown,) = re.findall(
        r"^```yaml\n# a-part-of-an-experiment\.yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE
    )
    found = scaling(**yaml.safe_load(shown)["scaling"])
    assert (found.least, found.most, found.gpus) == (1, 4, 0.5)
