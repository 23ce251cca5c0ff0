"""What the manifests tell a cluster to do, on one of this machine: the job learns, the service serves it."""

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from holdfast.store import open_store
from holdfast_serving.client import Client
from holdfast_serving.launch import free_port
from tests.deploy.test_kuberay import cluster_of, manifest
from tests.fixtures.clusters import Cluster
from tests.fixtures.databases import empty_database
from tests.fixtures.runs import TINY
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.long

KEY = "an-admin-key"


@pytest.fixture
def secret(postgres: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the Secret `holdfast-store` holds, for a database that is empty."""
    with empty_database(postgres) as url:
        yield {
            "HOLDFAST_STORE": url,
            "HOLDFAST_ARTIFACTS": str(tmp_path / "artifacts"),
            "HOLDFAST_API_KEYS": f"admin:{KEY}",
        }


def test_a_job_learns_what_a_service_serves(
    cluster: Cluster, secret: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Secret is in the environment of all that runs there, as it is in that of the pods."""
    for name, value in secret.items():
        monkeypatch.setenv(name, value)
    nodes = {"env_vars": secret}

    def ray(*words: str) -> str:
        environment = {name: value for name, value in cluster.environment.items() if name != "RAY_ADDRESS"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = ("--address", cluster.dashboard)
    ray("ray", "job", "submit", *where, "--runtime-env-json", json.dumps(nodes), "--", *entrypoint(tmp_path))
    with open_store(secret["HOLDFAST_STORE"]) as store:
        assert [each.name for each in store.versions.list()] == ["v1"]
        store.traffic.promote("v1")
    config, port = yaml.safe_load(manifest("rayservice")["spec"]["serveConfigV2"]), free_port()
    config["http_options"] = {"host": "127.0.0.1", "port": port}
    for application in config["applications"]:
        application["runtime_env"] = nodes
    (tmp_path / "serve.yaml").write_text(yaml.safe_dump(config))
    ray("serve", "deploy", *where, str(tmp_path / "serve.yaml"))
    try:
        probed = f"http://127.0.0.1:{port}{probe()['httpGet']['path']}"
        wait_until(lambda: answers(probed), 300, pause=0.2)
        with Client(f"http://127.0.0.1:{port}", KEY) as client:
            assert [each.id for each in client.list_models().data] == ["v1"]
        (application,) = yaml.safe_load(ray("serve", "status", *where))["applications"].values()
        assert application["deployments"]["gateway"]["replica_states"] == {"RUNNING": 2}
    finally:
        ray("serve", "shutdown", "--yes", *where)


def entrypoint(folder: Path) -> list[str]:
    """The job's command, with the experiment where it is mounted."""
    job = manifest("rayjob")
    (container,) = cluster_of(job)["headGroupSpec"]["template"]["spec"]["containers"]
    (mount,) = [each["mountPath"] for each in container["volumeMounts"] if each["name"] == "experiment"]
    small = {**TINY, "stream": {"tasks": 1}}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(small))
    return shlex.split(job["spec"]["entrypoint"].replace(mount, str(folder)))


def probe() -> dict[str, Any]:
    (group,) = cluster_of(manifest("rayservice"))["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    found: dict[str, Any] = container["readinessProbe"]
    assert found["httpGet"]["port"] in {port["name"] for port in container["ports"]}
    return found


def answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=30).status_code == 200
    except httpx.TransportError:
        return False
