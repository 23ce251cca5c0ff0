"""Whether all machines of the cluster reach a folder in which their processes are to leave something."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from holdfast.base import ConfigError


def require_reached(storage: Mapping[str, Any]) -> None:
    """Raises ConfigError, which names the machines, where one that gives CPUs away does not see the folder.

    Args:
        storage: `storage_path` and `storage_filesystem` as Ray takes them. A file system that is not the
            machines' own is reached from all of them.
    """
    machines = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    here = ray.get_runtime_context().get_node_id()
    others = [node for node in machines if node["NodeID"] != here]
    if storage["storage_filesystem"] is not None or not others:
        return
    folder = Path(storage["storage_path"])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".reached-") as mark:
        looked = ray.remote(num_cpus=0, max_retries=0)(os.path.exists)
        found = [
            looked.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(mark.name)
            for node in others
        ]
        blind = [
            node["NodeManagerHostname"] for node, sees in zip(others, found, strict=True) if not _answer(sees)
        ]
    if blind:
        raise ConfigError(
            f"{folder} is not reached from {', '.join(sorted(blind))}: what runs there keeps its checkpoints "
            "with the store's files, so these have to lie where all machines of the cluster reach them. Give "
            "--artifacts (HOLDFAST_ARTIFACTS) a URI such as s3://BUCKET/PREFIX, with a PostgreSQL store, or "
            "a folder that all of them share."
        )


def _answer(sees: "ray.ObjectRef[bool]") -> bool:
    """What a machine says. One that is gone by now, though Ray still lists it, will keep nothing."""
    try:
        return bool(ray.get(sees))
    except RayTaskError:
        raise
    except RayError:
        return True
