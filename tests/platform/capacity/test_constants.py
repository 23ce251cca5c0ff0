"""Constants between and beyond what was measured, and files that hold none."""

import json
from pathlib import Path

import pytest

from holdfast.base import ConfigError
from holdfast.capacity import Constant, load_constants


def test_between_two_points_is_on_the_line_and_beyond_them_no_less() -> None:
    rising = Constant(value=((100.0, 1.0), (200.0, 3.0)), unit="s", source="")
    assert [rising.at(x) for x in (50, 100, 150, 200, 400)] == [1, 1, 2, 3, 7]
    falling = Constant(value=((100.0, 3.0), (200.0, 1.0)), unit="s", source="")
    assert [falling.at(x) for x in (50, 150, 4000)] == [3, 2, 1]
    assert Constant(value=5.0, unit="s", source="").at(7) == 5


def test_a_recall_takes_the_first_point_that_reaches_it() -> None:
    lists = Constant(value=((0.9, 10.0), (0.99, 50.0)), unit="lists", source="")
    assert [lists.first_from(recall) for recall in (0.5, 0.9, 0.95, 0.999)] == [10, 10, 50, 50]


def test_what_comes_with_the_package_names_a_source_for_each() -> None:
    constants = load_constants()
    assert constants.machine
    assert all(each.source and each.unit for each in constants.by_name.values())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"machine": "x", "by_name": {}}',
        '{"machine": "x", "by_name": {"images": {"value": 0, "unit": "", "source": ""}}}',
        '{"machine": "x", "by_name": {"images": {"value": [], "unit": "", "source": ""}}}',
        '{"machine": "x", "by_name": {"images": {"value": NaN, "unit": "", "source": ""}}}',
    ],
)
def test_a_file_without_constants_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "constants.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match="holds no constants"):
        load_constants(file)
    with pytest.raises(ConfigError, match="holds no constants"):
        load_constants(tmp_path / "missing.json")


def test_one_that_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "constants.json"
    one = {"value": 1.0, "unit": "s", "source": "mine"}
    file.write_text(json.dumps({"machine": "x", "by_name": {"images": one}}))
    with pytest.raises(ConfigError, match="no 'request'"):
        load_constants(file)["request"]
