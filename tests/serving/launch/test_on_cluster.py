"""Servers on a cluster that runs before and after them."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from holdfast.store import open_store
from holdfast_serving.client import Client
from holdfast_serving.launch import free_port
from tests.fixtures.clusters import Cluster, another_node
from tests.fixtures.waiting import wait_until
from tests.serving.launch.steady_clients import steady_clients

pytestmark = pytest.mark.long

KEY = "an-admin-key"
PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
THEIRS = """
import ray, sys
from fastapi import FastAPI
from ray import serve
app = FastAPI()
@serve.deployment(ray_actor_options={"num_cpus": 0})
@serve.ingress(app)
class Theirs:
    @app.get("/")
    def hello(self):
        return "theirs"
ray.init(address="auto", log_to_driver=False)
serve.start(proxy_location="EveryNode", http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
serve.run(Theirs.bind(), name="theirs", route_prefix="/theirs")
"""
LOOK = """
import json, ray
from ray.serve.context import _get_global_client
ray.init(address="auto", log_to_driver=False)
found = _get_global_client().get_serve_details()
print("FOUND", json.dumps(found, default=str))
"""


@pytest.fixture
def serve(cluster: Cluster, template: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `holdfast serve` on the cluster; what still runs at the end is stopped."""
    store = Path(shutil.copytree(template, tmp_path / "store"))
    started: list[subprocess.Popen[str]] = []

    def start(port: int, *options: str) -> subprocess.Popen[str]:
        named = () if "--store" in options else ("--store", str(store))
        process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", "serve", *named, "--port", str(port), *options],
            env={**cluster.environment, "HOLDFAST_API_KEYS": f"admin:{KEY}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _is_served(port: int, prefix: str = "") -> bool:
    return httpx.get(f"http://127.0.0.1:{port}{prefix}/livez", timeout=30).status_code == 200


def _on(cluster: Cluster, code: str, *arguments: str) -> str:
    """What a program says that joins the cluster."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _details(cluster: Cluster) -> dict[str, Any]:
    """What Serve says of its proxies and its replicas."""
    (line,) = [line for line in _on(cluster, LOOK).splitlines() if line.startswith("FOUND ")]
    found: dict[str, Any] = json.loads(line.removeprefix("FOUND "))
    return found


def test_a_port_is_free_again_and_the_ready_line_is_true(serve: Callable[..., subprocess.Popen[str]]) -> None:
    """A clean stop leaves nothing; what runs is not talked over by a server at another port."""
    first, second = free_port(), free_port()
    server = serve(first)
    assert f"http://127.0.0.1:{first}" in server.stdout.readline(), server.stderr.read()  # type: ignore[union-attr]
    assert _is_served(first)
    refused = serve(second, "--take-over")
    assert refused.wait(120) == 2
    assert f"listens on 127.0.0.1 port {first} already, for holdfast" in refused.stderr.read()  # type: ignore[union-attr]
    assert _is_served(first)
    server.terminate()
    assert server.wait(120) == 0
    assert free_port("127.0.0.1", first) == first
    again = serve(second)
    assert f"http://127.0.0.1:{second}" in again.stdout.readline(), again.stderr.read()  # type: ignore[union-attr]
    assert _is_served(second)


def test_too_many_replicas_are_one_sentence(serve: Callable[..., subprocess.Popen[str]]) -> None:
    server = serve(free_port(), "--replicas", "3", "--set", "cpus=1")
    assert server.wait(120) == 2
    said = server.stderr.read()  # type: ignore[union-attr]
    assert "The server needs 3 CPUs, 3 times 1 CPU on one machine, and the cluster has 2" in said


def test_beside_another_application_and_taken_over_without_a_failed_request(
    cluster: Cluster, serve: Callable[..., subprocess.Popen[str]], data_uri: Callable[..., str]
) -> None:
    """Below a prefix of a Serve that somebody else has started, which stays as it is."""
    port = free_port()
    _on(cluster, THEIRS, str(port))
    ours = ("--route-prefix", "/embeddings", "--name", "photos", "--set", "cpus=0.5")
    address = f"http://127.0.0.1:{port}/embeddings"
    before = serve(port, *ours)
    assert f" {address} " in before.stdout.readline(), before.stderr.read()  # type: ignore[union-attr]
    assert httpx.get(f"http://127.0.0.1:{port}/theirs/").json() == "theirs"
    _check_prefix(address)
    other = serve(port, "--route-prefix", "/embeddings", "--name", "shop", "--set", "cpus=0.5")
    assert other.wait(120) == 2
    assert "--take-over takes over from it" in other.stderr.read()  # type: ignore[union-attr]
    with steady_clients(address, KEY, data_uri(1)) as outcomes:
        wait_until(lambda: len(outcomes.statuses) > 20)
        after = serve(port, *ours, "--take-over")
        assert f" {address} " in after.stdout.readline(), after.stderr.read()  # type: ignore[union-attr]
        taken = len(outcomes.statuses)
        assert before.wait(60) == 0
        wait_until(lambda: len(outcomes.statuses) > taken + 20)
    assert not outcomes.failures, (len(outcomes.statuses), outcomes.failures[:5])
    after.terminate()
    assert after.wait(120) == 0
    assert httpx.get(f"http://127.0.0.1:{port}/theirs/").json() == "theirs"
    assert httpx.get(f"{address}/livez").status_code == 404
    _on(cluster, "import ray; from ray import serve; ray.init(address='auto'); serve.shutdown()")


def _check_prefix(address: str) -> None:
    page = httpx.get(f"{address}/", timeout=30)
    assert '<base href="/embeddings/">' in page.text
    assert httpx.get(f"{address}/page/app.js").status_code == 200
    assert httpx.get(f"{address}/openapi.json").json()["servers"] == [{"url": "/embeddings"}]
    with Client(address, KEY) as client:
        assert [model.id for model in client.list_models().data] == ["v1", "v2", "v3"]


def test_as_a_serve_application_of_a_file(cluster: Cluster, template: Path, tmp_path: Path) -> None:
    """What `serve deploy` and a RayService are given, here by `serve run`."""
    store, port = Path(shutil.copytree(template, tmp_path / "store")), free_port()
    with open_store(store) as opened:
        key = opened.keys.create("read", "reader")
    shown = re.search(r"^```yaml\n# photos\.yaml\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert shown is not None
    config = yaml.safe_load(shown[1])
    config["http_options"] = {"host": "127.0.0.1", "port": port}
    config["applications"][0]["args"] |= {"store": str(store), "replicas": 1, "cpus": 0.5}
    file = tmp_path / "photos.yaml"
    file.write_text(yaml.safe_dump(config))
    said = (tmp_path / "said").open("w+")
    running = subprocess.Popen(
        [Path(sys.executable).with_name("serve"), "run", file],
        env=cluster.environment,
        stdout=said,
        stderr=said,
    )

    def is_served() -> bool:
        assert running.poll() is None, Path(said.name).read_text()
        with contextlib.suppress(httpx.TransportError):
            return _is_served(port, "/photos")
        return False

    try:
        wait_until(is_served, 300, pause=0.2)
        with Client(f"http://127.0.0.1:{port}/photos", key) as client:
            assert [model.id for model in client.list_models().data] == ["v1", "v2", "v3"]
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(120)
        said.close()


def test_gateways_and_proxies_on_every_node_as_many_as_there_is_work_for(
    cluster: Cluster,
    serve: Callable[..., subprocess.Popen[str]],
    postgres_template: tuple[str, str],
    data_uri: Callable[..., str],
) -> None:
    store, artifacts = postgres_template
    port = free_port()
    options = ("--store", store, "--artifacts", artifacts, "--replicas", "1-3")
    scaling = ("--set", "autoscaling.ongoing=1", "--set", "autoscaling.up_seconds=1")
    with another_node(cluster.environment):
        server = serve(port, *options, *scaling)
        assert "http://" in server.stdout.readline(), server.stderr.read()  # type: ignore[union-attr]
        assert len(_gateways(cluster)) == 1
        with steady_clients(f"http://127.0.0.1:{port}", KEY, data_uri(1), pause=0, clients=4) as outcomes:
            wait_until(lambda: len(_gateways(cluster)) > 1, 300)
        assert not outcomes.failures, (len(outcomes.statuses), outcomes.failures[:5])
        assert len(set(_gateways(cluster))) == 2, "one on each node"
        assert len(_details(cluster)["proxies"]) == 2
        server.terminate()
        assert server.wait(120) == 0


def _gateways(cluster: Cluster) -> list[str]:
    """The node of each gateway that answers."""
    gateway = _details(cluster)["applications"]["holdfast"]["deployments"]["gateway"]
    return [each["node_id"] for each in gateway["replicas"] if each["state"] == "RUNNING"]
