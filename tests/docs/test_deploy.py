"""The page about containers and Kubernetes, whose commands run elsewhere: what they name is there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from holdfast import cli
from tests.deploy.dockerfile import read_dockerfile
from tests.docs.test_commands import blocks

REPOSITORY = Path(__file__).parents[2]
COMMANDS = [command for block in blocks("docs/deploy.md") for command in block.commands]
MANIFESTS = {
    file.stem: yaml.safe_load(file.read_text()) for file in (REPOSITORY / "deploy" / "kuberay").glob("*.yaml")
}


def beginning(*words: str) -> list[list[str]]:
    """The commands that begin so, without these words."""
    split = [shlex.split(command) for command in COMMANDS]
    found = [each[len(words) :] for each in split if each[: len(words)] == list(words)]
    assert found
    return found


def test_every_command_is_looked_at() -> None:
    known = ("docker ", "pip install ", "kubectl ", "holdfast submit ", "export RAY_AUTH_", "cp ", "printf ")
    assert [command for command in COMMANDS if not command.startswith(known)] == []


def test_files_that_are_named_are_there() -> None:
    named = {word for command in COMMANDS for word in re.findall(r"(?:deploy|experiments)/[\w./-]+", command)}
    assert named
    for word in named - {"deploy/.env"}:
        assert (REPOSITORY / word).is_file(), word
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()
    assert {".env", "*.env"} <= set(ignored)


def test_the_image_is_built_with_arguments_that_it_has() -> None:
    arguments, stages = read_dockerfile(REPOSITORY / "Dockerfile")
    tags = []
    for options in beginning("docker", "build"):
        tags.append(options[options.index("--tag") + 1])
        for name, value in (word.split("=") for word in options if "=" in word):
            assert name in arguments
            assert value in {stage.name for stage in stages}
    assert set(tags) == {pod["containers"][0]["image"] for pod in pods(MANIFESTS)}


def pods(values: Any) -> Iterator[dict[str, Any]]:
    """Every pod's spec in manifests."""
    if isinstance(values, dict):
        if "containers" in values:
            yield values
        values = list(values.values())
    if isinstance(values, list):
        for each in values:
            yield from pods(each)


def test_pip_installs_as_the_image_does() -> None:
    (torch, ours) = beginning("pip", "install")
    assert torch[-1] == "torch"
    _, stages = read_dockerfile(REPOSITORY / "Dockerfile")
    (cpu,) = [stage for stage in stages if stage.name == "cpu"]
    assert f"TORCH_INDEX={torch[torch.index('--index-url') + 1]}" in cpu.all("ENV")
    assert "--no-deps" in torch
    assert all("constraints.txt" in options for options in (torch, ours))


def test_compose_runs_services_that_it_has() -> None:
    compose = yaml.safe_load((REPOSITORY / "deploy" / "compose.yaml").read_text())
    for file, verb, *options in beginning("docker", "compose", "--file"):
        assert (REPOSITORY / file).is_file()
        assert verb in ("run", "up", "logs")
        if verb == "run":
            remove, service, *command = options
            assert remove == "--rm"
            assert service in compose["services"]
            parse(command)
    (secrets,) = beginning("printf")
    for name in re.findall(r"([A-Z_0-9]+)=", " ".join(secrets)):
        assert f"${{{name}:?" in (REPOSITORY / "deploy" / "compose.yaml").read_text()


def parse(words: list[str]) -> None:
    verb, *options = words
    get_command(cli.app).commands[verb].make_context(verb, options)  # type: ignore[attr-defined]


def test_what_is_submitted_is_a_command_of_holdfast() -> None:
    for words in beginning("holdfast"):
        parse(words)
        parse(words[words.index("--") + 1 :])


def test_what_kubectl_makes_and_asks_is_what_the_manifests_name() -> None:
    text = yaml.safe_dump(MANIFESTS)
    for kind, name, *rest in (
        words for words in beginning("kubectl", "create") if not words[0].startswith("-")
    ):
        name = rest[0] if kind == "secret" else name
        assert f"name: {name}" in text, f"nothing uses {kind} {name}"
    objects = {each["kind"].lower(): each["metadata"] for each in MANIFESTS.values() if "kind" in each}
    assert set(objects) == {"raycluster", "rayjob", "rayservice"}
    services = {f"{objects['raycluster']['name']}-head-svc", f"{objects['rayservice']['name']}-serve-svc"}
    assert {words[0].removeprefix("service/") for words in beginning("kubectl", "port-forward")} == services
    assert beginning("kubectl", "patch", "rayservice")[0][0] == objects["rayservice"]["name"]
    # KubeRay keeps the token of a cluster in a Secret of the cluster's name.
    (token,) = [command for command in COMMANDS if "auth_token" in command]
    assert f"get secret {objects['raycluster']['name']} " in token
    # What has no name is created; apply would refuse it.
    unnamed = {name for name, each in MANIFESTS.items() if "generateName" in each.get("metadata", {})}
    created = {Path(words[1]).stem for words in beginning("kubectl", "create") if words[0] == "--filename"}
    assert created == unnamed


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("kubectl")])
def test_kubectl_is_spelled_with_options_that_it_has(line: str) -> None:
    options = {word.partition("=")[0] for word in shlex.split(line) if word.startswith("--")}
    assert options <= {"--filename", "--from-env-file", "--from-file", "--type", "--patch-file", "--template"}
