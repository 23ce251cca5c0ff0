"""What was measured once, each figure with where it comes from."""

import json
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from holdfast.base import ConfigError, Settings

Figure = Annotated[float, Field(gt=0)]
Points = Annotated[tuple[tuple[float, Figure], ...], Field(min_length=1)]


class Constant(Settings):
    """A figure.

    Attributes:
        value: a number, or (x, y) with ascending x where it depends on one thing.
        unit: of the number, and of what x.
        source: the command that measured it, and where; or whose word it is.
    """

    value: Figure | Points
    unit: str
    source: str

    def at(self, x: float) -> float:
        """On the line between the two nearest points. Beyond the last one on the line through the last two,
        where it rises; else, and before the first one, as there."""
        if isinstance(self.value, float):
            return self.value
        (first, lowest), (last, highest) = self.value[0], self.value[-1]
        if x <= first or len(self.value) == 1:
            return lowest
        pairs = list(pairwise(self.value))
        (left, low), (right, high) = next((pair for pair in pairs if x <= pair[1][0]), pairs[-1])
        if x > last and high < low:
            return highest
        return low + (high - low) * (x - left) / (right - left)

    def first_from(self, x: float) -> float:
        """Of the first point at x or beyond, of the last one where there is none."""
        if isinstance(self.value, float):
            return self.value
        return next((y for each, y in self.value if each >= x), self.value[-1][1])

    @property
    def number(self) -> float:
        """Of a constant that depends on nothing."""
        return self.at(0.0)


class Constants(Settings):
    """All that a plan rests on.

    Attributes:
        machine: that they were measured on.
        by_name: `code_scan.sq8` and the like; what is in the packaged file is what a plan asks for.
    """

    machine: str
    by_name: dict[str, Constant] = Field(min_length=1)

    def __getitem__(self, name: str) -> Constant:
        """Raises ConfigError where the file does not have it."""
        if name not in self.by_name:
            raise ConfigError(
                f"The constants have no {name!r}: measure them with "
                "`python -m experiments.benchmarks.scale.constants -o FILE` of this release."
            )
        return self.by_name[name]


def load_constants(file: Path | None = None) -> Constants:
    """Those of a file, by default those that came with the package.

    Raises ConfigError if the file cannot be read, or holds something else.
    """
    where = files("holdfast.capacity").joinpath("constants.json") if file is None else file
    try:
        return Constants.model_validate(json.loads(where.read_text()))
    except (OSError, ValueError, ValidationError) as error:
        raise ConfigError(
            f"{file} holds no constants for a plan: give what "
            "`python -m experiments.benchmarks.scale.constants -o FILE` wrote."
        ) from error
