"""What the OpenAPI document says, as far as a client needs it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

JSON = "application/json"
Schema = dict[str, Any]
FOREIGN = "x-foreign"
"""Marks a route that is there for the clients of other APIs: ours have none of it."""
OTHER_ANSWER = "x-other-answer"
"""Marks a field with which the answer has another shape: that is for the clients' hand-made halves."""
MADE = "Made by `python -m serving.generating`."


@dataclass(frozen=True)
class Operation:
    """A route with one method.

    Attributes:
        path_names, query: the parameters; of the query with their schemas.
        body: the schema of the JSON that it takes; None where it takes none, or only other things.
        answer: the schema of the JSON that it answers; None where that is text.
        others: those of other answers, to bodies with a field that the document marks (`OTHER_ANSWER`).
    """

    name: str
    method: str
    path: str
    said: str
    path_names: tuple[str, ...]
    query: dict[str, Schema]
    body: Schema | None
    body_required: bool
    answer: Schema | None
    others: tuple[Schema, ...]
    repeatable: bool


class Api:
    """The document's operations, and its schemas by what they are for."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.schemas: dict[str, Schema] = document["components"]["schemas"]
        self.operations = [
            _operation(path, method, described)
            for path, methods in document["paths"].items()
            for method, described in methods.items()
            if not described.get(FOREIGN)
        ]
        bodies = [each.body for each in self.operations if each.body is not None]
        answers = [each.answer for each in self.operations if each.answer is not None]
        answers += [other for each in self.operations for other in each.others]
        self.asked = self._reached(bodies)
        self.answered = self._reached([*answers, {"$ref": "#/components/schemas/ErrorAnswer"}])

    def fields(self, schema: Schema) -> tuple[dict[str, Schema], set[str]] | None:
        """The properties of a body that is one object, and which are required; None for any other. Without
        those to which another answer belongs."""
        inner = self.schemas[name_of(schema)] if "$ref" in schema else schema
        if "properties" not in inner:
            return None
        plain = {key: field for key, field in inner["properties"].items() if not field.get(OTHER_ANSWER)}
        return plain, set(inner.get("required", ()))

    def _reached(self, roots: Iterable[Schema]) -> list[str]:
        """The names of the schemas that these lead to, in the document's order."""
        waiting, found = list(roots), set()
        while waiting:
            for name in references(waiting.pop()):
                if name not in found:
                    found.add(name)
                    waiting.append(self.schemas[name])
        return [name for name in self.schemas if name in found]


def _operation(path: str, method: str, described: dict[str, Any]) -> Operation:
    parameters = described.get("parameters", [])
    request = described.get("requestBody", {})
    body = request.get("content", {}).get(JSON, {}).get("schema")
    good: dict[str, Any] = next(
        answer for status, answer in described["responses"].items() if status.startswith("2")
    )
    answer = good.get("content", {}).get(JSON, {}).get("schema")
    answers = [answer] if answer is None or "anyOf" not in answer else answer["anyOf"]
    return Operation(
        name=described["operationId"],
        method=method.upper(),
        path=path,
        said=described.get("description", described.get("summary", "")),
        path_names=tuple(each["name"] for each in parameters if each["in"] == "path"),
        query={each["name"]: each["schema"] for each in parameters if each["in"] == "query"},
        body=None if body is None else _without_null(body),
        body_required=request.get("required", False),
        answer=answers[0],
        others=tuple(answers[1:]),
        repeatable=described.get("x-repeatable", False),
    )


def _without_null(schema: Schema) -> Schema:
    kinds = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else schema


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield name_of(schema)
        for inner in schema.values():
            yield from references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from references(inner)


def name_of(reference: Schema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]
