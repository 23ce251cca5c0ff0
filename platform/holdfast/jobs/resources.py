"""Whether the Ray that runs here can ever hold what is asked of it: Ray itself would wait for ever."""

import math
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext

import ray
from ray.util import placement_group, remove_placement_group

from holdfast.base import ConfigError, ResourcesError
from holdfast.jobs.machines import (
    ROUNDING,
    Waits,
    count_places,
    describe_amount,
    describe_amounts,
    look_at_nodes,
)
from holdfast.jobs.runtime import joins_cluster
from holdfast.scaling import ACCELERATOR, Placement

VARIABLE = "HOLDFAST_WAIT_SECONDS"
WAIT_SECONDS = 10.0
"""How long machines may take to join a cluster, unless the variable says otherwise."""
LOOK_SECONDS = 0.25


def require_resources(
    what: str, count: int, each: Mapping[str, float], placement: Placement = "PACK", warn: bool = True
) -> None:
    """Return when the machines that have joined could hold `count` times `each`, were they idle.

    Args:
        what: for whom, as the beginning of a sentence.
        each: what one of them needs on one machine, such as `{"CPU": 2, "GPU": 1}`.
        placement: how they are spread over the machines.
        warn: where they could but are busy, that it has to wait.

    Raises ResourcesError, on a cluster after some seconds in which machines may still join, and an autoscaler
    is asked for them.
    """
    needed = {name: amount for name, amount in each.items() if amount > 0}
    if count_places(_machines(), needed, placement) < count:
        seconds = _wait_seconds() if joins_cluster() else 0.0
        with _asked_for(count, needed, placement) if seconds else nullcontext():
            deadline = time.monotonic() + seconds
            while count_places(_machines(), needed, placement) < count:
                if time.monotonic() >= deadline:
                    raise ResourcesError(_refusal(what, count, needed, placement, _machines()))
                time.sleep(LOOK_SECONDS)
        # What has just come is free, and what was asked for may still count as taken.
        return
    short = _short(count, needed) if warn else {}
    if short:
        lacking = " and ".join(describe_amount(name, count * needed[name]) for name in short)
        there = " and ".join(f"{free:g}" for free in short.values())
        warnings.warn(
            f"{what} needs {lacking}, of which {there} are free now: it waits until others have ended.",
            stacklevel=2,
        )


def await_resources(what: str, count: int, each: Mapping[str, float], say: Callable[[str], None]) -> None:
    """`require_resources`, and then return when so much is free; `say` is told what is waited for, and how
    long it has been so."""
    require_resources(what, count, each, warn=False)
    waits = Waits(what, count, each, say)
    while count_places([node.room for node in look_at_nodes()], each) < count:
        waits.look(True)
        time.sleep(LOOK_SECONDS)


def _short(count: int, each: Mapping[str, float]) -> dict[str, float]:
    """Of what there is too little free now, and how much is."""
    free = ray.available_resources()
    return {
        name: free.get(name, 0.0)
        for name, amount in each.items()
        if free.get(name, 0.0) < count * amount - ROUNDING and not name.startswith(ACCELERATOR)
    }


@contextmanager
def _asked_for(count: int, each: Mapping[str, float], placement: Placement) -> Iterator[None]:
    """A cluster's autoscaler starts machines for what waits, so let something wait that needs as much."""
    waiting = placement_group([dict(each)] * count, strategy=placement)
    try:
        yield
    finally:
        remove_placement_group(waiting)


def _machines() -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _refusal(
    what: str, count: int, each: Mapping[str, float], placement: Placement, machines: list[dict[str, float]]
) -> str:
    where = "the cluster" if joins_cluster() else "this machine"
    amounts = {name: amount for name, amount in each.items() if not name.startswith(ACCELERATOR)}
    needs = describe_amounts(each, count)
    has = " and ".join(
        describe_amount(name, sum(machine.get(name, 0.0) for machine in machines)) for name in amounts
    )
    most = " and ".join(
        describe_amount(name, max((machine.get(name, 0.0) for machine in machines), default=0.0))
        for name in amounts
    )
    advice = "Ask for less, or start Ray on more machines"
    if joins_cluster():
        advice += f" ({VARIABLE} says how long to wait for them)"
    if count > 1:
        needs += f", {count} times {describe_amounts(each)} on one machine,"
    if len(machines) > 1:
        has += f", at most {most} on one"
    if amounts.keys() != each.keys():
        kinds = {name.removeprefix(ACCELERATOR) for node in machines for name in node if ACCELERATOR in name}
        has += f"; GPUs: {', '.join(sorted(kinds)) or 'none'}"
    if placement.startswith("STRICT") and count > 1:
        spread = "each on a machine of its own" if placement == "STRICT_SPREAD" else "all on one machine"
        advice = f"They have to be {spread} (scaling.placement: {placement}). {advice}"
    return f"{what} needs {needs} and {where} has {has}. {advice}."


def _wait_seconds() -> float:
    text = os.environ.get(VARIABLE) or str(WAIT_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise ConfigError(f"{VARIABLE}={text} is no number of seconds.")
    return seconds
