"""What the nodes of a cluster have left for one job, beside what the job holds there already."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

import ray
from ray._private import state
from ray.util import placement_group_table

ANSWER_SECONDS = 1.0
"""Within which a node has to answer; Ray itself takes a quarter of a minute and more to miss one."""


@dataclass(frozen=True)
class Node:
    """A node that stays: one that announced its end is none."""

    id: str
    room: Mapping[str, float]
    """What the job could have there: what is free, and what it holds."""
    address: tuple[str, int]
    """Of its raylet."""

    def answers(self) -> bool:
        """Whether somebody listens there still."""
        try:
            socket.create_connection(self.address, timeout=ANSWER_SECONDS).close()
        except OSError:
            return False
        return True


def look_at_nodes() -> list[Node]:
    """The nodes of the cluster as the job of this process may use them."""
    free, leaving = state.available_resources_per_node(), state.state.get_draining_nodes()
    held = _held()
    nodes = []
    for node in ray.nodes():
        name = node["NodeID"]
        if not node["Alive"] or name in leaving or name not in free:
            continue
        room = dict(free[name])
        for resource, amount in held.get(name, {}).items():
            room[resource] = room.get(resource, 0.0) + amount
        nodes.append(Node(name, room, (node["NodeManagerAddress"], node["NodeManagerPort"])))
    return nodes


def _held() -> dict[str, dict[str, float]]:
    """What the placement groups of this job take, by node; the id of a group ends with its job's."""
    job = ray.get_runtime_context().get_job_id()
    held: dict[str, dict[str, float]] = {}
    for group in placement_group_table().values():
        if group["state"] in ("PENDING", "REMOVED") or not group["placement_group_id"].endswith(job):
            continue
        for number, node in group["bundles_to_node_id"].items():
            taken = held.setdefault(node, {})
            for resource, amount in group["bundles"][number].items():
                taken[resource] = taken.get(resource, 0.0) + amount
    return held


def has_places() -> bool:
    """Whether the workers of this process's job have their places, of which they need not be there yet."""
    job = ray.get_runtime_context().get_job_id()
    return any(
        group["state"] == "CREATED" and group["placement_group_id"].endswith(job)
        for group in placement_group_table().values()
    )
