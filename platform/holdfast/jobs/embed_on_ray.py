"""Embedding a large source on Ray's actors, all cores at work, in the source's order."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import pyarrow as pa
import ray
import torch

from holdfast.jobs.embedded_batch import embed_batch
from holdfast.jobs.gpus import on_gpu
from holdfast.jobs.machines import count_places, look_at_nodes
from holdfast.jobs.release import require_release, this_release
from holdfast.jobs.resources import await_resources
from holdfast.jobs.runtime import ray_session
from holdfast.models import Model

AHEAD = 2
"""Batches that wait for each actor, so that none of them is idle; there are no more in memory."""


class _Embedder:
    """One actor: holds the model, embeds batches."""

    def __init__(self, model: Model, version: str, thumbnails: bool, gpus: float, release: str) -> None:
        torch.set_num_threads(1)
        self._model, self._version, self._thumbnails = model, version, thumbnails
        self._gpus, self._release = gpus, release

    def embed(self, batch: pa.Table) -> pa.Table:
        require_release(self._release)
        # Here, as Ray hands on what is raised by a call, and of a constructor its text alone.
        on_gpu(self._model, self._version, self._gpus)
        self._gpus = 0.0
        return embed_batch(self._model, self._version, batch, self._thumbnails)


def embed_on_ray(
    model: Model,
    version: str,
    batches: Iterator[pa.Table],
    thumbnails: bool,
    gpus: float,
    say: Callable[[str], None],
) -> Iterator[pa.Table]:
    """Yield embedded tables in the order of `batches`, from one actor a core, or a share of the GPUs, on all
    machines.

    Args:
        gpus: of each actor.
        say: is told what is waited for.
    """
    with ray_session():
        each = {"CPU": 1.0, "GPU": gpus}
        await_resources("Embedding", 1, each, say)
        places = int(count_places([node.room for node in look_at_nodes()], each))
        count = max(1, places if gpus else places - _own_cores())
        # Ray would fill one machine after the other.
        kind = ray.remote(
            num_cpus=1, num_gpus=gpus, max_restarts=3, max_task_retries=3, scheduling_strategy="SPREAD"
        )(_Embedder)
        shared = ray.put(model)
        actors = [kind.remote(shared, version, thumbnails, gpus, this_release()) for _ in range(count)]
        waiting: deque[Any] = deque()
        for batch, actor in zip(batches, cycle(actors), strict=False):
            waiting.append(actor.embed.remote(batch))
            if len(waiting) >= AHEAD * count:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())


def _own_cores() -> int:
    """Those that this process takes to read the images; none of a head that gives none away."""
    here = ray.get_runtime_context().get_node_id()
    shared = sum(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["NodeID"] == here)
    return 1 if shared else 0


def _result(embedded: Any) -> pa.Table:
    try:
        return ray.get(embedded)
    except ray.exceptions.RayTaskError as error:
        # A user's mistake as it was raised, without the traceback of the actor.
        raise error.cause from None
