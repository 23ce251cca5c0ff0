"""Which classes the classifier of the parent knows."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from holdfast.regularizers.regularizer import Classifier, Setting


def rows_of(classifier: Classifier | None, class_names: Sequence[str]) -> Tensor:
    """The classifier's row for each class, int64 (classes,); -1 where it does not know the class."""
    rows = {} if classifier is None else {name: row for row, name in enumerate(classifier.classes)}
    return torch.tensor([rows.get(name, -1) for name in class_names], dtype=torch.int64)


def may_share_classes(setting: Setting) -> bool:
    """Whether any task can have a class of the version that it starts from.

    The classes of a parent from an earlier run are not in the setting, so a stream of one task may.
    """
    return len(setting.classes) < 2 or any(set(old) & set(new) for old, new in pairwise(setting.classes))
