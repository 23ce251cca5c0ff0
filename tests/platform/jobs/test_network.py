"""The workers of a run reach each other whatever a machine's own name resolves to."""

import os

import pytest
import ray
from ray.train.torch.config import _TorchBackend

from holdfast.jobs import network
from holdfast.jobs.network import ReachableTorchConfig, choose_interface, interface_of

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


def test_every_worker_chooses_before_it_joins_the_others(monkeypatch):
    """That two workers then learn together is shown by a run with two."""
    done = []

    class Workers:
        def execute(self, work):
            done.append(work)

    monkeypatch.setattr(_TorchBackend, "on_start", lambda *arguments: done.append("joined"))
    config = ReachableTorchConfig()
    config.backend_cls().on_start(Workers(), config)
    assert done == [choose_interface, "joined"]
