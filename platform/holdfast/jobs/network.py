"""Through which network interface the workers of a run talk to each other.

PyTorch's gloo asks for the address of the machine's own name, which is 127.0.1.1 in the /etc/hosts of many
systems: the other machines then wait for a worker that they cannot reach. Ray knows by which address each is
reached.
"""

import os
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import ray
from ray.train.torch import TorchConfig
from ray.train.torch.config import _TorchBackend

GLOO, NCCL = "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"
LOOPBACK = ("lo", "lo0")


@dataclass
class ReachableTorchConfig(TorchConfig):
    """Ray's own, with the interface chosen on every worker before it joins the others."""

    @property
    def backend_cls(self) -> type:
        return _ReachableBackend


class _ReachableBackend(_TorchBackend):
    def on_start(self, worker_group: Any, backend_config: TorchConfig) -> None:
        worker_group.execute(choose_interface)
        super().on_start(worker_group, backend_config)

    def on_shutdown(self, worker_group: Any, backend_config: TorchConfig) -> None:
        """Nothing: the processes are ended next, and all they hold goes with them. Ray's own waits up to 30 s
        for a worker whose machine is gone to take leave of the others."""


def choose_interface() -> None:
    """Name the interface that Ray reaches this machine by to gloo and NCCL; what the user has set stays."""
    name = interface_of(ray.util.get_node_ip_address())
    if name is None:
        return
    os.environ.setdefault(GLOO, name)
    if name not in LOOPBACK:
        os.environ.setdefault(NCCL, name)


def interface_of(address: str) -> str | None:
    """The interface that has an address, None where none has it (behind a translation of addresses)."""
    # It comes with Ray, which puts it on the path.
    interfaces = import_module("psutil").net_if_addrs()
    for name, addresses in interfaces.items():
        if address in {each.address.partition("%")[0] for each in addresses}:
            return str(name)
    return None
