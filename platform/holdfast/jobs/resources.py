"""Whether the Ray that runs here can ever hold what is asked of it: Ray itself would wait for ever."""

import math
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import ray
from ray.util import placement_group, remove_placement_group

from holdfast.base import ConfigError, ResourcesError
from holdfast.jobs.runtime import joins_cluster

VARIABLE = "HOLDFAST_WAIT_SECONDS"
WAIT_SECONDS = 10.0
"""How long machines may take to join a cluster, unless the variable says otherwise."""
LOOK_SECONDS = 0.25


def require_resources(what: str, count: int, each: Mapping[str, float]) -> None:
    """Return when the machines that have joined could hold `count` times `each`, were they idle.

    Where they could but are busy, a warning says that it has to wait.

    Args:
        what: for whom, as the beginning of a sentence.
        each: what one of them needs on one machine, such as `{"CPU": 2, "GPU": 1}`.

    Raises ResourcesError, on a cluster after some seconds in which machines may still join, and an autoscaler
    is asked for them.
    """
    needed = {name: amount for name, amount in each.items() if amount > 0}
    if _places(_machines(), needed) < count:
        seconds = _wait_seconds() if joins_cluster() else 0.0
        with _asked_for(count, needed) if seconds else nullcontext():
            deadline = time.monotonic() + seconds
            while _places(_machines(), needed) < count:
                if time.monotonic() >= deadline:
                    raise ResourcesError(_refusal(what, count, needed, _machines()))
                time.sleep(LOOK_SECONDS)
        # What has just come is free, and what was asked for may still count as taken.
        return
    free = ray.available_resources()
    short = [name for name, amount in needed.items() if free.get(name, 0.0) < count * amount]
    if short:
        lacking = " and ".join(f"{_amount(count * needed[name], name)}" for name in short)
        there = " and ".join(f"{free.get(name, 0.0):g}" for name in short)
        warnings.warn(
            f"{what} needs {lacking}, of which {there} are free now: it waits until others have ended.",
            stacklevel=2,
        )


@contextmanager
def _asked_for(count: int, each: Mapping[str, float]) -> Iterator[None]:
    """A cluster's autoscaler starts machines for what waits, so let something wait that needs as much."""
    waiting = placement_group([dict(each)] * count)
    try:
        yield
    finally:
        remove_placement_group(waiting)


def _machines() -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _places(machines: list[dict[str, float]], each: Mapping[str, float]) -> float:
    """How many times `each` fits; nothing fits without end."""
    if not each:
        return math.inf
    return sum(
        min(int(machine.get(name, 0.0) / amount + 1e-6) for name, amount in each.items())
        for machine in machines
    )


def _refusal(what: str, count: int, each: Mapping[str, float], machines: list[dict[str, Any]]) -> str:
    where = "the cluster" if joins_cluster() else "this machine"
    needs = " and ".join(_amount(count * amount, name) for name, amount in each.items())
    shares = " and ".join(_amount(amount, name) for name, amount in each.items())
    has = " and ".join(_amount(sum(machine.get(name, 0.0) for machine in machines), name) for name in each)
    most = " and ".join(_amount(max(machine.get(name, 0.0) for machine in machines), name) for name in each)
    advice = "Ask for less, or start Ray on more machines"
    if joins_cluster():
        advice += f" ({VARIABLE} says how long to wait for them)"
    if count > 1:
        needs += f", {count} times {shares} on one machine,"
    if len(machines) > 1:
        has += f", at most {most} on one"
    return f"{what} needs {needs} and {where} has {has}. {advice}."


def _amount(amount: float, name: str) -> str:
    return f"{amount:g} {name}{'s' if amount != 1 else ''}"


def _wait_seconds() -> float:
    text = os.environ.get(VARIABLE) or str(WAIT_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise ConfigError(f"{VARIABLE}={text} is no number of seconds.")
    return seconds
