"""How many processors a worker gets."""

from holdfast.base import cpu_count, thread_count
from holdfast.config import ScalingConfig


def cpus_per_worker(scaling: ScalingConfig) -> int:
    """What the experiment says, else an even share of this machine; in process (`workers: 0`) all of it.

    The share is no more than OMP_NUM_THREADS: they are the threads of a worker, too.
    """
    share = max(1, cpu_count() // max(1, scaling.workers))
    return scaling.cpus_per_worker or min(share, thread_count())
