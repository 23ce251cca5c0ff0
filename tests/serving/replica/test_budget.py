"""What counts as a fault of a version, and for how long."""

import asyncio
import time

import pytest

from holdfast.base import (
    ChangedModelError,
    EndpointError,
    EndpointRefusedError,
    HoldfastError,
    InvalidImageError,
    NotReadyError,
    StoreError,
    UnsoundError,
)
from holdfast_serving.replica.budget import Window
from holdfast_serving.replica.outcomes import answering, answers


def test_a_window_forgets() -> None:
    window = Window(0.05)
    for failed in (True, False, True):
        window.add(failed)
    assert window.counts() == (2, 3)
    time.sleep(0.06)
    window.add(False)
    assert window.counts() == (0, 1)


@pytest.mark.parametrize(
    ("error", "is_fault"),
    [
        (RuntimeError("a defect"), True),
        (ChangedModelError("another model"), True),
        (EndpointError("away"), True),
        (UnsoundError("not of unit norm"), True),
        (EndpointRefusedError("no such image"), False),
        (InvalidImageError("no image"), False),
        (NotReadyError("it starts"), False),
        (StoreError("the database is away"), False),
        (HoldfastError("a mistake"), False),
    ],
)
def test_it_is_the_version_that_failed_or_somebody_else(error: Exception, is_fault: bool) -> None:
    outcomes: dict[str, bool] = {}
    token = answering.set(outcomes)
    try:
        with pytest.raises(type(error)), answers("v1"):
            raise error
        with answers("v2"):
            pass
    finally:
        answering.reset(token)
    assert outcomes == {"v1": is_fault, "v2": False}


def test_beside_requests_and_for_who_hung_up_nothing_is_noted() -> None:
    with answers("v1"):
        pass
    outcomes: dict[str, bool] = {}
    token = answering.set(outcomes)
    try:
        with pytest.raises(asyncio.CancelledError), answers("v1"):
            raise asyncio.CancelledError
    finally:
        answering.reset(token)
    assert outcomes == {}
