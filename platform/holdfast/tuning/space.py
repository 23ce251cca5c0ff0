"""What a key of an experiment may be in a sweep."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from holdfast.base import Settings

GRID_POINTS = 5


class _Where(Settings):
    """What all kinds have."""

    when: dict[str, tuple[Any, ...]] = Field(default_factory=dict, exclude_if=lambda value: not value)
    """Only where these other keys of the space have one of these values; else the experiment's value stays.
    Of a choice among mappings its `kind` stands for it."""

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether the key is set beside these values of the keys before it."""
        return all(key in values and named(values[key]) in allowed for key, allowed in self.when.items())


class _Span(_Where):
    low: float
    high: float
    points: int = Field(default=GRID_POINTS, ge=2, exclude_if=lambda value: value == GRID_POINTS)
    """How many values a grid takes, the ends among them."""

    @model_validator(mode="after")
    def _is_a_range(self) -> "_Span":
        if self.low >= self.high:
            raise ValueError(f"low has to be less than high, and {self.low:g} is not less than {self.high:g}")
        return self


class Uniform(_Span):
    """A number, all of them alike likely; a whole one where the key's value is."""

    kind: Literal["uniform"] = "uniform"

    def grid(self) -> list[float]:
        step = (self.high - self.low) / (self.points - 1)
        return [self.low + step * number for number in range(self.points - 1)] + [self.high]

    def at(self, share: float) -> float:
        """The value below which so large a share of the range lies."""
        return self.low + share * (self.high - self.low)


class LogUniform(_Span):
    """A positive number, all orders of magnitude alike likely; a whole one where the key's value is."""

    kind: Literal["loguniform"] = "loguniform"
    low: float = Field(gt=0)
    high: float = Field(gt=0)

    def grid(self) -> list[float]:
        step = (self.high / self.low) ** (1 / (self.points - 1))
        return [self.low * step**number for number in range(self.points - 1)] + [self.high]

    def at(self, share: float) -> float:
        """The value below which so large a share of the range lies."""
        return float(self.low * (self.high / self.low) ** share)


class Choice(_Where):
    """One of `values`."""

    kind: Literal["choice"] = "choice"
    values: tuple[Any, ...] = Field(min_length=1)

    def grid(self) -> list[Any]:
        return list(self.values)


Range = Annotated[Uniform | LogUniform | Choice, Field(discriminator="kind")]


def named(value: Any) -> Any:
    """What stands for a choice in a condition, and for people."""
    return value.get("kind", value) if isinstance(value, dict) else value
