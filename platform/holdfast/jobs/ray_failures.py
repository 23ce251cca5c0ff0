"""What Ray hands on when something fails elsewhere, without its wrappings."""

from collections.abc import Iterator

from holdfast.base import ClusterError, HoldfastError, hide_secrets

_ENDED = "a process ended by itself or was killed; often the system ends it for want of memory"
_RAY_ENDED = "Ray on this machine has ended; often the system ends it for want of memory"
_LOST = {
    "OutOfMemoryError": "a process was ended because its machine ran out of memory: take smaller batches "
    "(learning.batch_size), fewer workers, or a machine with more",
    "ObjectStoreFullError": "Ray's object store is full: it lies in /dev/shm, which has to be larger, or "
    "take fewer workers",
    "OutOfDiskError": "Ray's temporary folder has no space left: free some, or name another (RAY_TMPDIR)",
    "NodeDiedError": "a machine of the cluster is gone",
    "LocalRayletDiedError": _RAY_ENDED,
    "RaySystemError": _RAY_ENDED,
    "WorkerCrashedError": _ENDED,
    "ActorDiedError": _ENDED,
    "ActorUnavailableError": "a machine of the cluster cannot be reached",
    "RayActorError": _ENDED,
    "ObjectLostError": "what a machine of the cluster held is lost with it",
    "OwnerDiedError": "what a process held is lost with it",
    "PreemptionError": "machines of the cluster were taken back by their owner",
}


def explain(error: Exception) -> Exception:
    """The mistake or defect at the bottom of what Ray raised; a ClusterError for what Ray itself lost; else
    the error as it is."""
    found = list(_down(error))
    for each in reversed(found):
        if isinstance(each, HoldfastError) and not hasattr(each, "cause"):
            return each
    for each in reversed(found):
        if getattr(each, "actor_init_failed", False):
            return ClusterError(
                f"A process of the cluster could not begin its work: {_last_line(each)}. What it names "
                "has to be reached from every machine; then the same command goes on where it stopped."
            )
    for kind in (base.__name__ for each in reversed(found) for base in type(each).__mro__):
        if kind in _LOST:
            return ClusterError(
                f"Ray lost a part of the work: {_LOST[kind]}. The same command goes on where it stopped; "
                "--verbose shows what Ray says."
            )
    return found[-1]


def _last_line(error: Exception) -> str:
    """What a traceback ends with, which is all that Ray keeps of some errors."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    kind, mark, said = lines[-1].partition(": ")
    return hide_secrets(f"{kind.rpartition('.')[2]}{mark}{said}".strip().rstrip(".: "))


def _down(error: BaseException) -> Iterator[Exception]:
    """The error and what is wrapped in it, the innermost last. Ray has a name for each kind of wrapping."""
    at: object = error
    seen: set[int] = set()
    while isinstance(at, Exception) and id(at) not in seen:
        seen.add(id(at))
        yield at
        failures = getattr(at, "worker_failures", None)
        inside = next(iter(failures.values()), None) if isinstance(failures, dict) else None
        for name in ("cause", "controller_failure", "_base_exc"):
            inside = inside or getattr(at, name, None)
        at = inside
