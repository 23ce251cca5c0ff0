"""How often something fits on machines, counted as Ray places it."""

import math
from collections.abc import Iterable, Mapping

from holdfast.scaling import ACCELERATOR, Placement

ROUNDING = 1e-6
"""Ray counts in ten-thousandths: three times 0.1 fits into 0.3."""


def count_places(
    machines: Iterable[Mapping[str, float]], each: Mapping[str, float], placement: Placement = "PACK"
) -> float:
    """How many times `each` fits on `machines`, of which the resources are given; without end where it needs
    nothing."""
    needed = {name: amount for name, amount in each.items() if amount > 0}
    if not needed:
        return math.inf
    fitting = [
        min(int(machine.get(name, 0.0) / amount + ROUNDING) for name, amount in needed.items())
        for machine in machines
    ]
    if placement == "STRICT_SPREAD":
        return sum(count > 0 for count in fitting)
    return max(fitting, default=0) if placement == "STRICT_PACK" else sum(fitting)


def describe_amounts(each: Mapping[str, float], count: float = 1) -> str:
    """`each`, `count` times, for people: `4 CPUs and 1 GPU (H100)`."""
    kinds = [name.removeprefix(ACCELERATOR) for name in each if name.startswith(ACCELERATOR)]
    amounts = [
        describe_amount(name, count * amount)
        for name, amount in each.items()
        if not name.startswith(ACCELERATOR)
    ]
    return " and ".join(amounts or ["a machine"]) + (f" ({', '.join(kinds)})" if kinds else "")


def describe_amount(name: str, amount: float) -> str:
    """`2 CPUs`, `0.5 GPUs`, `4 GiB of memory`."""
    if name in ("memory", "object_store_memory"):
        return f"{amount / 2**30:.3g} GiB of {name}"
    return f"{amount:g} {name}{'s' if amount != 1 else ''}"
