"""What a version has to have shown as a shadow before it answers anybody."""

import math
from collections.abc import Iterator

from pydantic import Field, model_validator

from holdfast.base import ConflictError, Settings
from holdfast.store.traffic.figures import Figure, ShadowFigures
from holdfast.store.traffic.shadow import Shadowed


class GateError(ConflictError):
    """A version has not shown as a shadow what is required of it: names each figure, and what to do."""

    code = "shadow_gate"


class ShadowGate(Settings):
    """Bounds for the figures of a shadow; each is judged by the worse end of its interval."""

    queries: int | None = Field(default=None, ge=1)
    """That the shadow and the live version both answered, at least."""
    overlap: float | None = Field(default=None, ge=0, le=1)
    """Mean share of the first ten hits that both have, at least."""
    negative_flips: float | None = Field(default=None, ge=0, le=1)
    """Share of the queries with known relevance that only the live version got right, at most."""
    errors: float | None = Field(default=None, ge=0, le=1)
    """Share of the queries that the shadow did not answer, at most."""
    latency_ratio: float | None = Field(default=None, gt=0)
    """The shadow's latency by the live version's, at most."""

    @model_validator(mode="after")
    def some_bound(self) -> "ShadowGate":
        if all(bound is None for bound in self.model_dump().values()):
            raise ValueError(
                f"nothing is required: name at least one of {', '.join(type(self).model_fields)}"
            )
        return self

    def require(self, name: str, live: str | None, found: Shadowed | None) -> str:
        """What was shown, in words for the record.

        Raises GateError if `name` is not the shadow of now, or has not shown all of it.
        """
        if found is None or found.shadow != name:
            now = "there is none" if found is None else f"that is {found.shadow}"
            raise GateError(
                f"{name} is required to have answered as the shadow of {live}, and {now}: make it one "
                f"(holdfast promote {name} --shadow 1), wait for queries, and try again."
            )
        faults = list(self._faults(found.figures))
        if faults:
            raise GateError(
                f"{name} has not shown as the shadow of {live} what is required: {'; '.join(faults)}. "
                "GET /v1/traffic/shadow has all figures (holdfast traffic --shadow). Let it see more queries "
                "where an interval is wide, or require less."
            )
        return self._shown(found.figures)

    def _faults(self, figures: ShadowFigures) -> Iterator[str]:
        if self.queries is not None and figures.queries < self.queries:
            yield f"queries is {figures.queries:,} and has to be {self.queries:,} at least"
        if self.overlap is not None:
            yield from _below("overlap", figures.overlap, self.overlap)
        if self.negative_flips is not None:
            yield from _above("negative_flips", figures.negative_flips, self.negative_flips, figures.judged)
        if self.errors is not None:
            asked = figures.queries + figures.failed
            yield from _above("errors", figures.errors, self.errors, asked)
        if self.latency_ratio is not None:
            yield from _above("latency_ratio", figures.latency_ratio, self.latency_ratio, None)

    def _shown(self, figures: ShadowFigures) -> str:
        named = [name for name, bound in self.model_dump().items() if bound is not None and name != "queries"]
        said = []
        for name in named:
            figure = getattr(figures, name)
            said.append(f"{name} {figure.value:.4g} [{figure.low:.4g}, {figure.high:.4g}]")
        return ", ".join([f"as the shadow {figures.queries:,} queries", *said])


def _below(name: str, figure: Figure | None, least: float) -> Iterator[str]:
    if figure is None:
        yield f"{name} is not known yet, as no query was compared, and has to be {least:g} at least"
    elif figure.low < least:
        yield (
            f"{name} is {figure.value:.4g}, {figure.low:.4g} at the worse end of its interval, and has to be "
            f"{least:g} at least"
        )


def _above(name: str, figure: Figure | None, most: float, total: int | None) -> Iterator[str]:
    if figure is None:
        known = (
            "of no query it is known which entries are relevant (`relevant` of a search says so)"
            if name == "negative_flips"
            else "no query was compared"
        )
        yield f"{name} is not known yet, as {known}, and has to be {most:g} at most"
    elif figure.high > most:
        # Of a share that is no event yet, only more queries can tell more.
        enough = math.ceil(3.8415 * (1 - most) / most) if most > 0 else 0
        hint = ""
        if total is not None and figure.value == 0 and enough:
            hint = f" (none in {total:,}; {enough:,} without one would do)"
        yield (
            f"{name} is {figure.value:.4g}, {figure.high:.4g} at the worse end of its interval{hint}, and "
            f"has to be {most:g} at most"
        )
