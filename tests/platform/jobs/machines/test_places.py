"""How often something fits, as Ray would place it, and how that is said."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.jobs.machines.places import count_places, describe_amounts

MACHINES = [{"CPU": 4.0, "GPU": 1.0}, {"CPU": 2.0}, {"CPU": 8.0, "GPU": 2.0, "accelerator_type:H100": 1.0}]


@pytest.mark.parametrize(
    ("each", "pack", "strict_pack", "strict_spread"),
    [
        ({"CPU": 2}, 7, 4, 3),
        ({"CPU": 3}, 3, 2, 2),
        ({"CPU": 1, "GPU": 0.25}, 12, 8, 2),
        ({"GPU": 0.1}, 30, 20, 2),
        ({"CPU": 1, "GPU": 1, "accelerator_type:H100": 0.001}, 2, 2, 1),
        ({"TPU": 1}, 0, 0, 0),
    ],
)
def test_places(each: dict[str, float], pack: int, strict_pack: int, strict_spread: int) -> None:
    assert count_places(MACHINES, each) == count_places(MACHINES, each, "SPREAD") == pack
    assert count_places(MACHINES, each, "STRICT_PACK") == strict_pack
    assert count_places(MACHINES, each, "STRICT_SPREAD") == strict_spread
    assert count_places([], each, "STRICT_PACK") == 0


def test_nothing_fits_without_end() -> None:
    assert count_places(MACHINES, {"CPU": 0}) == math.inf


@given(share=st.integers(1, 50), gpus=st.integers(1, 8))
def test_shares_of_a_gpu_fill_it(share: int, gpus: int) -> None:
    """What rounding of binary fractions would lose: 49 times a 49th is less than 1."""
    assert count_places([{"GPU": float(gpus)}], {"GPU": 1 / share}) == share * gpus


def test_amounts_for_people() -> None:
    assert describe_amounts({"CPU": 2, "GPU": 0.5}, 2) == "4 CPUs and 1 GPU"
    assert describe_amounts({"CPU": 1, "accelerator_type:L4": 0.001, "GPU": 1}) == "1 CPU and 1 GPU (L4)"
    assert describe_amounts({"memory": 3 * 2**30}) == "3 GiB of memory"
