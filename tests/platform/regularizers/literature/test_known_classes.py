import pytest
import torch

from holdfast.models import ModelConfig
from holdfast.regularizers import Classifier, Setting
from holdfast.regularizers.literature.known_classes import may_share_classes, rows_of


def setting(*classes: tuple[str, ...]) -> Setting:
    return Setting("class-incremental", classes, ModelConfig(), None)


def test_rows_are_found_by_name():
    classifier = Classifier(torch.eye(3), ("b", "x", "a"))
    assert rows_of(classifier, ("a", "b", "c")).tolist() == [2, 0, -1]
    assert rows_of(None, ("a", "b")).tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("classes", "may"),
    [
        ((("a", "b"), ("c", "d")), False),
        ((("a", "b"), ("c", "d"), ("a", "b")), False),
        ((("a", "b"), ("c", "d"), ("d", "e")), True),
        ((("a", "b"), ("a", "b", "c")), True),
        ((("a", "b"),), True),
    ],
)
def test_only_the_task_before_counts(classes, may):
    assert may_share_classes(setting(*classes)) is may
