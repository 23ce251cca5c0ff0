"""The compose file: its parts know each other, and what it runs are commands and addresses of Holdfast."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from pyarrow import fs
from sqlalchemy import make_url
from typer.main import get_command

from holdfast import cli
from holdfast.base import load_yaml
from holdfast_serving.http.routes.health import router
from tests.deploy.dockerfile import read_dockerfile

FILE = Path(__file__).parents[2] / "deploy" / "compose.yaml"
SECRETS = {"POSTGRES_PASSWORD": "of-the-database", "S3_SECRET": "of-the-objects"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """With the secrets in their places, as compose puts them there."""

    def value(found: re.Match[str]) -> str:
        return SECRETS[found[1]]

    text = re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", value, FILE.read_text())
    assert load_yaml(text) == yaml.safe_load(text)
    loaded: dict[str, Any] = load_yaml(text)["services"]
    return loaded


def test_a_secret_that_was_forgotten_is_named() -> None:
    for name in SECRETS:
        assert re.search(rf"\$\{{{name}:\?name .* in deploy/\.env\}}", FILE.read_text())
    assert not re.search(r"(PASSWORD|SECRET\w*): (?!\$)", FILE.read_text())


def test_the_store_is_the_database_beside_it(services: dict[str, Any]) -> None:
    database, url = (
        services["postgres"]["environment"],
        make_url(services["holdfast"]["environment"]["HOLDFAST_STORE"]),
    )
    assert (url.drivername, url.host, url.port) == ("postgresql+psycopg", "postgres", 5432)
    assert url.username == database["POSTGRES_USER"]
    assert url.password == database["POSTGRES_PASSWORD"]
    assert url.database == database["POSTGRES_DB"]


def test_its_files_are_in_the_object_storage_beside_it(services: dict[str, Any]) -> None:
    given, storage = services["holdfast"]["environment"], services["s3"]["environment"]
    options = parse_qs(urlsplit(given["HOLDFAST_ARTIFACTS"]).query)
    command = services["s3"]["command"]
    assert options["endpoint_override"] == [f"s3{command[command.index('--port') + 1]}"]
    assert given["AWS_ACCESS_KEY_ID"] == storage["ROOT_ACCESS_KEY_ID"]
    assert given["AWS_SECRET_ACCESS_KEY"] == storage["ROOT_SECRET_ACCESS_KEY"]
    found, path = fs.FileSystem.from_uri(given["HOLDFAST_ARTIFACTS"])
    assert (found.type_name, path) == ("s3", "holdfast/store")


def test_the_server_is_what_its_health_is_asked_of(services: dict[str, Any]) -> None:
    server = services["holdfast"]
    verb, *options = server["command"]
    context = get_command(cli.app).commands[verb].make_context(verb, options)  # type: ignore[attr-defined]
    assert context.params["host"] == "0.0.0.0"
    asked = urlsplit(server["healthcheck"]["test"][-1])
    assert asked.port == context.params["port"]
    assert asked.path in {route.path for route in router.routes}  # type: ignore[attr-defined]
    assert server["ports"] == [f"127.0.0.1:{asked.port}:{asked.port}"]
    assert all(services[name]["healthcheck"] for name in server["depends_on"])


def test_what_it_mounts_is_there_and_may_be_written(services: dict[str, Any]) -> None:
    """A volume belongs to whom its place in the image belongs."""
    (folder, place, _), (cache, kept) = (volume.split(":") for volume in services["holdfast"]["volumes"])
    assert (FILE.parent / folder / "quickstart.yaml").is_file()
    assert place == "/experiments"
    _, stages = read_dockerfile(FILE.parent / services["holdfast"]["build"] / "Dockerfile")
    assert f"install --directory --owner holdfast {kept}" in " ".join(stages[-1].all("RUN"))
    assert f"HOLDFAST_CACHE={kept}" in " ".join(stages[-1].all("ENV"))
    assert cache in load_yaml(FILE.read_text())["volumes"]
