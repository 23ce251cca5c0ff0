"""The workers of a run reach each other whatever a machine's own name resolves to."""

import os
import subprocess
import sys

import pytest
import ray

from holdfast.jobs import network
from holdfast.jobs.network import choose_interface, interface_of

LOOPBACK = interface_of("127.0.0.1")


@pytest.fixture
def variables(monkeypatch):
    for name in (network.GLOO, network.NCCL):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return os.environ


def test_the_interface_of_the_machines_address_is_named(variables, monkeypatch):
    assert LOOPBACK in network.LOOPBACK
    assert interface_of("192.0.2.1") is None
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: "127.0.0.1")
    choose_interface()
    assert variables[network.GLOO] == LOOPBACK
    # NCCL does not leave the machine then, and finds its own way.
    assert network.NCCL not in variables


def test_other_interfaces_are_named_to_nccl_too_and_the_users_own_stay(variables, monkeypatch):
    monkeypatch.setattr(network, "interface_of", lambda address: "eth7")
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: "10.77.0.10")
    monkeypatch.setenv(network.GLOO, "eth1")
    choose_interface()
    assert (variables[network.GLOO], variables[network.NCCL]) == ("eth1", "eth7")


CODE = """
from holdfast.jobs.runtime import prepare_environment
prepare_environment()
import os, ray.train, torch
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from holdfast.jobs.runtime import ray_session
from holdfast.jobs.network import ReachableTorchConfig

def learn(config):
    rank = ray.train.get_context().get_world_rank()
    together = torch.ones(1)
    torch.distributed.all_reduce(together)
    said = f"{os.environ['GLOO_SOCKET_IFNAME']} {int(together)}"
    open(os.path.join(config["folder"], f"worker-{rank}"), "w").write(said)

with ray_session(cpus=2):
    trainer = TorchTrainer(
        learn,
        train_loop_config={"folder": os.getcwd()},
        torch_config=ReachableTorchConfig(),
        scaling_config=ScalingConfig(num_workers=2, resources_per_worker={"CPU": 1}),
        run_config=RunConfig(storage_path=os.getcwd()),
    )
    trainer.fit()
"""


def test_ray_trains_with_it(tmp_path):
    """Two workers join, each with the interface of the address that its machine has for Ray."""
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    for rank in range(2):
        assert (tmp_path / f"worker-{rank}").read_text() == f"{LOOPBACK} 2"
