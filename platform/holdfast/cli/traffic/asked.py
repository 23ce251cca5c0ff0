"""What was asked of `holdfast promote`, from the words that it was asked in."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from holdfast.base import ConfigError, shown

if TYPE_CHECKING:
    from holdfast.store import ShadowGate

_SPAN = re.compile(r"(?P<count>\d{1,9})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def refuse_both(
    is_canary: bool,
    writes: bool,
    shadow: float | None,
    moment: datetime | None,
    gate: "ShadowGate | None",
    shares: Sequence[float],
    span: timedelta | None,
) -> None:
    if is_canary and writes:
        raise ConfigError(
            "--canary and --writes are two switches: a canary answers a share of the queries, and embeds "
            "no new entries. Take one of them."
        )
    if shadow is not None and (is_canary or writes or moment is not None or gate is not None):
        raise ConfigError(
            "--shadow lets a version answer unseen, now; it goes with none of --canary, --canary-key, "
            "--writes, --at and --require-shadow."
        )
    if (len(shares) > 1) != (span is not None):
        raise ConfigError(
            "--canary with several shares and --every go together: --canary 0.1,0.5 --every 1h."
        )
    if len(shares) > 1 and not all(0 <= share <= 1 for share in shares):
        raise ConfigError("--canary: each of the shares is from 0 to 1.")


def parse_shares(text: str | None) -> list[float]:
    try:
        return [] if text is None else [float(share) for share in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--canary {shown(text)} is no share from 0 to 1, such as 0.05, nor several: 0.01,0.1,0.5."
        ) from None


def parse_span(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = _SPAN.fullmatch(text)
    if found is None or not int(found["count"]):
        raise ConfigError(f"--every {shown(text)} is no length of time: 30s, 10m, 6h and 1d are.")
    return timedelta(**{_UNITS[found["unit"]]: int(found["count"])})


def parse_moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--at {shown(text)} is no moment: write it as 2026-12-01T03:00+01:00.") from None
    if found.tzinfo is None:
        raise ConfigError(f"--at {shown(text)} has no zone: write it with one, as {text}+01:00 or {text}Z.")
    return found


def parse_gate(text: str | None) -> "ShadowGate | None":
    if text is None:
        return None
    from pydantic import ValidationError

    from holdfast.store import ShadowGate

    pairs = [part.partition("=") for part in text.split(",")]
    try:
        return ShadowGate.model_validate({name.strip(): value.strip() for name, _, value in pairs})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or text
        raise ConfigError(
            f"--require-shadow: {where}: {first['msg'].removeprefix('Value error, ')}. It is of the form "
            f"queries=1000,overlap=0.8; known are {', '.join(ShadowGate.model_fields)}."
        ) from None
