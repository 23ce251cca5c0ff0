"""What Kubernetes says of a custom resource in its strict validation, by the published definition of it."""

from pathlib import Path
from typing import Any

import jsonschema
import yaml

PRESERVES = "x-kubernetes-preserve-unknown-fields"
METADATA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": r"^[a-z]([-a-z0-9]{0,45}[a-z0-9])?$"},
        "generateName": {"type": "string", "pattern": r"^[a-z][-a-z0-9]{0,40}$"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
"""Kubernetes' own, so the definition says nothing of it; the lengths are KubeRay's."""


def validator(definition: Path, version: str) -> jsonschema.Validator:
    """Of the resources of a CustomResourceDefinition in the API version `GROUP/VERSION`."""
    loaded = yaml.load(definition.read_text(), yaml.CSafeLoader)
    group, _, name = version.partition("/")
    assert loaded["spec"]["group"] == group
    (found,) = [each for each in loaded["spec"]["versions"] if each["name"] == name]
    assert found["served"]
    schema = strict(found["schema"]["openAPIV3Schema"])
    schema["properties"] |= {
        "apiVersion": {"const": version},
        "kind": {"const": loaded["spec"]["names"]["kind"]},
        "metadata": METADATA,
    }
    schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
    return _Validator(schema)


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A structural schema with what is left unsaid in it: other fields than those named are unknown."""
    said = dict(schema)
    if "items" in said:
        said["items"] = strict(said["items"])
    if isinstance(said.get("additionalProperties"), dict):
        said["additionalProperties"] = strict(said["additionalProperties"])
    elif said.get("type") == "object":
        said["properties"] = {name: strict(each) for name, each in said.get("properties", {}).items()}
        said["additionalProperties"] = bool(said.get(PRESERVES))
    return said


def _keys_of_a_list(
    validator: jsonschema.Validator, keys: list[str], items: Any, schema: dict[str, Any]
) -> Any:
    """A list that is a map has each key once."""
    given = [tuple(item.get(key) for key in keys) for item in items if isinstance(item, dict)]
    for twice in {each for each in given if given.count(each) > 1}:
        yield jsonschema.ValidationError(f"{dict(zip(keys, twice, strict=True))} is there twice")


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {"x-kubernetes-list-map-keys": _keys_of_a_list}
)
