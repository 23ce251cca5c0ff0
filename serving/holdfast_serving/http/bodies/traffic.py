"""What changes the traffic: now, by a rollback, or at a moment to come."""

from typing import Annotated

from pydantic import AwareDatetime, Field, model_validator

from holdfast.store import ShadowGate
from holdfast_serving.http.api import Seq
from holdfast_serving.http.bodies.body import Body, VersionName

KeyNames = Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=100)]


class TrafficChange(Body):
    """A compare-and-swap: fields that are left out stay as they are."""

    expect_epoch: Seq = Field(description="The epoch that GET /v1/traffic answered.")
    query_version: VersionName | None = None
    write_version: VersionName | None = None
    canary_version: VersionName | None = None
    canary_share: float | None = Field(default=None, ge=0, le=1)
    canary_keys: KeyNames | None = Field(
        default=None, description="Names of keys whose queries all go to the canary."
    )
    shadow_version: VersionName | None = Field(
        default=None, description="Answers queries beside the live version, unseen; null takes it away."
    )
    shadow_share: float | None = Field(default=None, ge=0, le=1)
    force: bool = False
    require: ShadowGate | None = Field(
        default=None,
        description="What a version has to have shown as the shadow before it answers queries: 409 else.",
    )
    note: str = Field(default="", max_length=1000)


class Ramp(Body):
    """A canary that grows: a step for each share, so many seconds apart."""

    shares: list[Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1, max_length=50)
    every_seconds: float = Field(gt=0, le=30 * 86400)


class ScheduleRequest(Body):
    """A change of the traffic at a moment; fields that are left out stay as they are then."""

    at: AwareDatetime = Field(description="With its zone: 2026-12-01T03:00:00+01:00.")
    query_version: VersionName | None = None
    write_version: VersionName | None = None
    canary_version: VersionName | None = None
    canary_share: float | None = Field(default=None, ge=0, le=1)
    canary_keys: KeyNames | None = None
    shadow_version: VersionName | None = None
    shadow_share: float | None = Field(default=None, ge=0, le=1)
    ramp: Ramp | None = Field(
        default=None,
        description="Of the canary_version, from `at` on; a step that fails ends it.",
    )
    force: bool = False
    require: ShadowGate | None = None
    why: str = Field(default="", max_length=1000)

    @model_validator(mode="after")
    def one_share(self) -> "ScheduleRequest":
        if self.ramp is not None and (self.canary_version is None or self.canary_share is not None):
            raise ValueError("a ramp needs a canary_version, and takes the place of canary_share")
        return self


class RollbackRequest(Body):
    expect_epoch: Seq | None = Field(default=None, description="The epoch that GET /v1/traffic answered.")
    force: bool = False
    note: str = Field(default="", max_length=1000, description="Why; kept in the history.")
