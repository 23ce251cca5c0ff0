"""The manifests are what KubeRay's definitions allow, and fit the image and each other."""

import json
import os
import re
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.scripts.scripts import start
from sqlalchemy import make_url

from holdfast.base import is_secret, load_yaml
from holdfast.store.artifacts import Artifacts
from holdfast_serving import ServingConfig
from holdfast_serving.http import parse_keys
from tests.deploy.custom_resources import validator

REPOSITORY = Path(__file__).parents[2]
MANIFESTS = REPOSITORY / "deploy" / "kuberay"
DEFINITIONS = Path(os.environ.get("HOLDFAST_DATA", "../shared/data")) / "kuberay"
SECRET = "holdfast-store"
NAMES = ("raycluster", "rayjob", "rayservice")
Validators = Callable[[str], jsonschema.Validator]


@pytest.fixture(scope="module")
def definition() -> Validators:
    """KubeRay's definition of a kind; skips where the definitions are missing."""
    found: dict[str, jsonschema.Validator] = {}

    def of(name: str) -> jsonschema.Validator:
        file = DEFINITIONS / f"ray.io_{name}s.yaml"
        if not file.exists():
            pytest.skip(f"KubeRay's definition {file} is not there")
        if name not in found:
            found[name] = validator(file, "ray.io/v1")
        return found[name]

    return of


def manifest(name: str) -> dict[str, Any]:
    """By way of JSON, so that nothing is shared that an anchor names."""
    loaded: dict[str, Any] = json.loads(manifest_as_json(name))
    return loaded


@cache
def manifest_as_json(name: str) -> str:
    text = (MANIFESTS / f"{name}.yaml").read_text()
    loaded = load_yaml(text)
    # No key twice; and Kubernetes, which follows YAML 1.1, reads the same.
    assert loaded == yaml.safe_load(text)
    return json.dumps(loaded)


def cluster_of(loaded: dict[str, Any]) -> dict[str, Any]:
    spec = loaded["spec"]
    found: dict[str, Any] = spec.get("rayClusterConfig") or spec.get("rayClusterSpec") or spec
    return found


def groups_of(loaded: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = cluster_of(loaded)
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def pods_of(loaded: dict[str, Any]) -> list[dict[str, Any]]:
    return [group["template"]["spec"] for group in groups_of(loaded)]


@pytest.mark.parametrize("name", NAMES)
def test_kuberay_accepts_it(name: str, definition: Validators) -> None:
    definition(name).validate(manifest(name))


def test_kuberay_accepts_the_patch_for_redis(definition: Validators) -> None:
    patched = merged(manifest("rayservice"), manifest("redis"))
    assert patched["spec"]["rayClusterConfig"]["rayVersion"]
    definition("rayservice").validate(patched)


def merged(values: Any, patch: Any) -> Any:
    """By a JSON merge patch, RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    found = dict(values) if isinstance(values, dict) else {}
    return {**found, **{key: merged(found.get(key), value) for key, value in patch.items()}}


@pytest.mark.parametrize(
    ("place", "value", "refusal"),
    [
        (("spec", "rayclusterconfig"), {}, "rayclusterconfig"),
        (("spec", "serveConfigV2"), {"applications": []}, "is not of type 'string'"),
        (("spec", "rayClusterConfig", "authOptions", "mode"), "tokens", "is not one of"),
        (
            ("spec", "rayClusterConfig", "headGroupSpec", "rayStartParams", "num-cpus"),
            0,
            "not of type 'string'",
        ),
        (("metadata", "namespaces"), "photos", "namespaces"),
        (
            ("spec", "rayClusterConfig", "workerGroupSpecs", 0, "template", "spec", "container"),
            [],
            "container",
        ),
        (("spec", "rayClusterConfig", "workerGroupSpecs", 0, "replicas"), "2", "not of type 'integer'"),
        (
            ("spec", "rayClusterConfig", "workerGroupSpecs", 0, "template", "spec", "containers", 0, "probe"),
            {},
            "probe",
        ),
        (
            ("spec", "rayClusterConfig", "headGroupSpec", "template", "spec", "containers", 0, "ports", 1),
            {"name": "again", "containerPort": 6379},
            "is there twice",
        ),
    ],
)
def test_what_kubernetes_would_refuse_is_found(
    place: tuple[str | int, ...], value: Any, refusal: str, definition: Validators
) -> None:
    changed = manifest("rayservice")
    inner = changed
    for key in place[:-1]:
        inner = inner[key]  # type: ignore[index]
    inner[place[-1]] = value  # type: ignore[index]
    errors = list(definition("rayservice").iter_errors(changed))
    assert any(refusal in error.message for error in errors), errors


@pytest.mark.parametrize("name", NAMES)
def test_it_fits_what_is_tested_here(name: str) -> None:
    """The versions of Ray and of Holdfast, and what `ray start` takes."""
    loaded = manifest(name)
    assert cluster_of(loaded)["rayVersion"] == pinned("ray")
    images = {pod["containers"][0]["image"] for pod in pods_of(loaded)}
    assert images <= {f"holdfast:{version('holdfast')}", f"holdfast:{version('holdfast')}-cuda"}
    options = {option for each in start.params for option in each.opts}
    for group in groups_of(loaded):
        assert {f"--{name}" for name in group["rayStartParams"]} <= options


@pytest.mark.parametrize("name", NAMES)
def test_secrets_come_from_the_secret_on_every_node(name: str) -> None:
    for pod in pods_of(manifest(name)):
        (container,) = pod["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": SECRET}}]
        for variable in container.get("env", []):
            assert not is_secret(variable["name"])
            assert variable["name"] not in ("HOLDFAST_STORE", "HOLDFAST_ARTIFACTS")
    text = (MANIFESTS / f"{name}.yaml").read_text()
    assert "://" not in text
    assert "store:" not in text
    # KubeRay makes a Secret with the name of the cluster, for its token.
    assert manifest(name)["metadata"].get("name") != SECRET


@pytest.mark.parametrize("name", NAMES)
def test_nothing_runs_as_root_and_all_is_bounded(name: str) -> None:
    for pod in pods_of(manifest(name)):
        assert pod["securityContext"]["runAsNonRoot"]
        (container,) = pod["containers"]
        assert not container["securityContext"]["allowPrivilegeEscalation"]
        bounds = container["resources"]
        assert bounds["requests"].items() <= bounds["limits"].items()
        assert {"cpu", "memory"} <= bounds["requests"].keys()
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        assert {mount["name"] for mount in container.get("volumeMounts", [])} == volumes


@pytest.mark.parametrize("name", NAMES)
def test_it_grows_with_what_is_asked(name: str) -> None:
    cluster = cluster_of(manifest(name))
    assert cluster["enableInTreeAutoscaling"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] < group["maxReplicas"]


def test_every_gateway_finds_a_machine() -> None:
    loaded = manifest("rayservice")
    (application,) = yaml.safe_load(loaded["spec"]["serveConfigV2"])["applications"]
    config = ServingConfig(store="anywhere", **application["args"])
    (group,) = cluster_of(loaded)["workerGroupSpecs"]
    cpus = float(group["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"])
    assert config.autoscaling is not None
    assert group["minReplicas"] * (cpus // config.cpus) >= config.replicas
    assert group["maxReplicas"] * (cpus // config.cpus) >= config.autoscaling.max


def test_the_secrets_of_the_example_are_those_that_holdfast_reads() -> None:
    """And `kubectl create secret --from-env-file` takes them for what they are."""
    lines = (REPOSITORY / "deploy" / "holdfast.env.example").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert not any(value.strip("\"'") != value for value in values.values())
    assert make_url(values["HOLDFAST_STORE"]).get_backend_name() == "postgresql"
    assert {role for role, _ in parse_keys(values["HOLDFAST_API_KEYS"])} == {"admin", "read"}
    assert Artifacts(values["HOLDFAST_ARTIFACTS"]).root is None


def pinned(package: str) -> str:
    """Its version in constraints.txt."""
    (found,) = re.findall(rf"^{package}==(.*)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE)
    return str(found)
