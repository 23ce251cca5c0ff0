"""What RAY_ADDRESS may be, and what is asked of a Ray that has too little."""

import warnings

import pytest
import ray

from holdfast.base import ClusterError, ConfigError, ResourcesError
from holdfast.jobs import resources
from holdfast.jobs.resources import require_resources
from holdfast.jobs.runtime import cluster_address, joins_cluster, start_own
from holdfast_serving.launch import free_port


@pytest.mark.parametrize("address", ["", " ", "local"])
def test_no_cluster_is_named(address, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert not joins_cluster()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:8265", "holdfast submit --address"),
        ("https://ray.example.org", "holdfast submit --address"),
        ("ray://127.0.0.1:10001", "as one of its machines"),
        ("127.0.0.1", "another form"),
        ("head:port", "another form"),
        ("head:99999", "another form"),
        ("::1:6379", "another form"),
        ("[::1]:1", "No Ray cluster answers"),
        ("127.0.0.1:1", "No Ray cluster answers"),
        ("no.such.host.invalid:6379", "No Ray cluster answers"),
    ],
)
def test_an_address_of_another_form_says_what_is_wanted(address, said, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert joins_cluster()
    with pytest.raises(ConfigError, match=said):
        cluster_address()


@pytest.fixture
def machines(monkeypatch):
    """Pretends that Ray runs on two machines of 2 and 4 CPUs, of which 3 are free."""
    nodes = [{"Alive": True, "Resources": {"CPU": 2.0}}, {"Alive": True, "Resources": {"CPU": 4.0}}]
    monkeypatch.setattr(ray, "nodes", lambda: [*nodes, {"Alive": False, "Resources": {"CPU": 64.0}}])
    monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 3.0})
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("HOLDFAST_WAIT_SECONDS", "0")


@pytest.mark.parametrize(
    ("count", "each", "said"),
    [
        (8, {"CPU": 1}, "needs 8 CPUs, 8 times 1 CPU on one machine, and the cluster has 6 CPUs, at most 4"),
        (2, {"CPU": 3}, "needs 6 CPUs, 2 times 3 CPUs on one machine, and the cluster has 6 CPUs"),
        (1, {"CPU": 5}, "needs 5 CPUs and the cluster has 6 CPUs, at most 4 CPUs on one"),
        (1, {"CPU": 1, "GPU": 1}, "needs 1 CPU and 1 GPU and the cluster has 6 CPUs and 0 GPUs"),
        (1, {"GPU": 1, "accelerator_type:H100": 0.001}, r"needs 1 GPU \(H100\) .* 0 GPUs on one; GPUs: none"),
    ],
)
def test_what_can_never_be_had_is_refused(count, each, said, machines):
    with pytest.raises(ResourcesError, match=said):
        require_resources("The run", count, each)


@pytest.mark.parametrize(
    ("placement", "said"),
    [
        ("STRICT_SPREAD", r"each on a machine of its own \(scaling.placement: STRICT_SPREAD\)"),
        ("STRICT_PACK", r"all on one machine \(scaling.placement: STRICT_PACK\)"),
    ],
)
def test_what_only_another_placement_could_have_is_refused(placement, said, machines):
    with pytest.raises(ResourcesError, match=said):
        require_resources("The run", 5, {"CPU": 1}, placement)
    require_resources("The run", 2, {"CPU": 1}, placement)


def test_what_is_only_busy_is_said(machines):
    with pytest.warns(UserWarning, match="needs 4 CPUs, of which 3 are free now: it waits"):
        require_resources("The run", 2, {"CPU": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        require_resources("The run", 3, {"CPU": 1, "GPU": 0})
        require_resources("The run", 30, {"CPU": 0})


def test_an_autoscaler_is_asked_for_what_is_not_there(machines, monkeypatch):
    """It starts machines for what waits; here two of 4 CPUs and a GPU, once something does."""
    asked, nodes = [], ray.nodes()

    def placement_group(bundles, strategy):
        asked.append(bundles)
        nodes.extend([{"Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0}}] * 2)
        return "waiting"

    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.setattr(resources, "placement_group", placement_group)
    monkeypatch.setattr(resources, "remove_placement_group", asked.append)
    monkeypatch.setenv("HOLDFAST_WAIT_SECONDS", "5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        require_resources("The run", 2, {"CPU": 2, "GPU": 1})
    assert asked == [[{"CPU": 2, "GPU": 1}] * 2, "waiting"]


@pytest.mark.parametrize(("slow", "starts"), [(0, 1), (2, 3), (9, 3)])
def test_a_start_that_takes_too_long_is_tried_again(slow, starts, monkeypatch):
    tried = []

    def init(**options):
        tried.append(options)
        if len(tried) <= slow:
            raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", init)
    if slow < starts:
        start_own(num_cpus=1)
    else:
        with pytest.raises(ClusterError, match="did not start on this machine in time"):
            start_own(num_cpus=1)
    assert tried == [{"address": "local", "num_cpus": 1}] * starts
