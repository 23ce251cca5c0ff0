"""How many processors a worker gets."""

import os

from holdfast.config import ScalingConfig


def cpu_count() -> int:
    """The CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpus_per_worker(scaling: ScalingConfig) -> int:
    """What the experiment says, else an even share of this machine; in process (`workers: 0`) all of it."""
    return scaling.cpus_per_worker or max(1, cpu_count() // max(1, scaling.workers))
