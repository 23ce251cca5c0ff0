"""The Python client's answers, bodies and methods."""

import textwrap
from collections.abc import Iterable, Iterator

from serving.generating.document import MADE, Api, Operation, Schema, name_of, references


def python_type(schema: Schema, name: str = "", *, asked: bool) -> str:
    """The annotation. What is asked may be given in more forms than JSON has: images as bytes and files,
    vectors as arrays. What is answered may be a word that this client does not know yet."""

    def inner(of: Schema) -> str:
        return python_type(of, name, asked=asked)

    if "$ref" in schema:
        return name_of(schema)
    if "anyOf" in schema:
        return one_of(inner(each) for each in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        words = schema.get("enum", [schema.get("const")])
        return f"Literal[{', '.join(map(repr, words))}]" + ("" if asked else " | str")
    match schema.get("type"):
        case "string" if asked and "data URI" in schema.get("description", ""):
            return "Image"
        case "string":
            return "str"
        case "integer":
            return "int"
        case "number":
            return "float"
        case "boolean":
            return "bool"
        case "null":
            return "None"
        case "array" if asked and schema.get("items") == {"type": "number"}:
            return "Vector"
        case "array":
            return f"{'Sequence' if asked else 'list'}[{inner(schema.get('items', {}))}]"
        case "object":
            values = schema.get("additionalProperties", True)
            of = inner(values) if isinstance(values, dict) else "Any"
            return f"{'Mapping' if asked else 'dict'}[str, {of}]"
        case _:
            return "Any"


def one_of(kinds: Iterable[str]) -> str:
    """Their union, each once, and None last."""
    single = dict.fromkeys(part for kind in kinds for part in _parts(kind))
    return " | ".join(sorted(single, key=lambda kind: kind == "None"))


def _parts(union: str) -> Iterator[str]:
    """Of a union, without cutting what is in brackets."""
    depth, part = 0, ""
    for word in union.split(" | "):
        part = f"{part} | {word}" if depth else word
        depth += word.count("[") - word.count("]")
        if not depth:
            yield part


def python_answers(api: Api) -> str:
    """Pydantic models. They keep fields that they do not know: a newer server may say more."""
    parts = [
        f'"""What the server answers. {MADE}"""',
        "from typing import Any, Literal\n\nfrom pydantic import BaseModel, ConfigDict",
        'class Answer(BaseModel):\n    """What a server answered; a newer one may say more."""\n\n'
        '    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())',
        *(_model(name, api.schemas[name]) for name in in_order(api, api.answered)),
    ]
    return "\n\n\n".join(parts)


def in_order(api: Api, names: list[str]) -> list[str]:
    """What is referred to stands before what refers to it."""
    placed: list[str] = []

    def place(name: str) -> None:
        for needed in references(api.schemas[name]):
            if needed not in placed:
                place(needed)
        if name not in placed:
            placed.append(name)

    for name in names:
        place(name)
    return placed


def _model(name: str, schema: Schema) -> str:
    required = schema.get("required", ())
    lines = []
    for key, field in schema.get("properties", {}).items():
        default = "" if key in required else f" = {field.get('default')!r}"
        lines.append(f"{key}: {python_type(field, asked=False)}{default}")
    return f"class {name}(Answer):\n{_described(schema)}" + _indented(lines)


def python_requests(api: Api) -> str:
    """Typed dictionaries, for what bodies hold."""
    parts = [
        f'"""What the bodies of requests hold. {MADE}"""',
        "from collections.abc import Mapping, Sequence\n"
        "from typing import Any, Literal, NotRequired, TypedDict\n\n"
        "from holdfast_serving.client.inputs import Image, Vector",
        *(_typed_dict(name, api.schemas[name]) for name in in_order(api, api.asked)),
    ]
    return "\n\n\n".join(parts)


def _typed_dict(name: str, schema: Schema) -> str:
    required = schema.get("required", ())
    lines = []
    for key, field in schema.get("properties", {}).items():
        kind = python_type(field, key, asked=True)
        lines.append(f"{key}: {kind}" if key in required else f"{key}: NotRequired[{kind}]")
    return f"class {name}(TypedDict):\n{_described(schema)}" + _indented(lines)


def python_operations(api: Api, *, asynchronous: bool) -> str:
    answers = sorted({name for each in api.operations for name in references(each.answer or {})})
    asked = sorted({name for each in api.operations for name in _asked_by(api, each)})
    name, done = ("AsyncOperations", "awaits") if asynchronous else ("Operations", "waits for")
    head = (
        f'"""A method for every route, which {done} the answer. {MADE}"""\n\n'
        "from collections.abc import Mapping, Sequence\nfrom typing import Any, Literal, TypeVar\n\n"
        f"from holdfast_serving.client.answers import {', '.join(answers)}\n"
        "from holdfast_serving.client.calls import Call, path_of\n"
        "from holdfast_serving.client.inputs import UNSET, Image, Unset, Vector\n"
        f"from holdfast_serving.client.requests import {', '.join(asked)}\n\nT = TypeVar('T')"
    )
    prefix = "async " if asynchronous else ""
    begin = (
        f'class {name}:\n    """What the server can be asked. A field that is left out is not sent: '
        'the default\n    is the server\'s."""\n\n'
        f'    {prefix}def call(self, call: Call[T]) -> T:\n        """Sends a request; its answer, or the '
        'error that it was refused with."""\n        raise NotImplementedError'
    )
    methods = [_method(api, each, prefix) for each in api.operations]
    return head + "\n\n\n" + "\n\n".join([begin, *methods])


def _asked_by(api: Api, operation: Operation) -> Iterator[str]:
    if operation.body is not None:
        found = api.fields(operation.body)
        yield from references(operation.body if found is None else found[0])


def _method(api: Api, operation: Operation, prefix: str) -> str:
    fields, sent, notes = _parameters(api, operation)
    own = [f"{name}: str" for name in operation.path_names]
    signature = ", ".join(["self", *own, *(["*", *fields] if fields else [])])
    answer = "str" if operation.answer is None else python_type(operation.answer, asked=False)
    path = repr(operation.path)
    if operation.path_names:
        path = f"path_of({path}, {', '.join(f'{name}={name}' for name in operation.path_names)})"
    arguments = [repr(operation.method), path, answer, *sent]
    if operation.repeatable:
        arguments.append("repeatable=True")
    said = operation.said
    if notes:
        said += "\n\nArgs:\n" + "\n".join(f"    {name}: {note}" for name, note in notes.items())
    awaited = "await " if prefix else ""
    return (
        f"    {prefix}def {operation.name}({signature}) -> {answer}:\n{_docstring(said, 8)}\n"
        f"        return {awaited}self.call(Call({', '.join(arguments)}))"
    )


def _parameters(api: Api, operation: Operation) -> tuple[list[str], list[str], dict[str, str]]:
    """Keyword parameters, what of them the call is given, and what the document says of them."""
    parameters, sent, notes = [], [], {}
    if operation.body is not None:
        found = api.fields(operation.body)
        if found is None:
            parameters.append(f"body: {python_type(operation.body, asked=True)}")
            sent.append("body=body")
        else:
            properties, required = found
            for key, field in sorted(properties.items(), key=lambda item: item[0] not in required):
                kind = python_type(field, key, asked=True)
                parameters.append(
                    f"{key}: {kind}" if key in required else f"{key}: {one_of([kind, 'Unset'])} = UNSET"
                )
                if "description" in field:
                    notes[key] = field["description"]
            sent.append(f"body={{{', '.join(f'{key!r}: {key}' for key in properties)}}}")
    for key, field in operation.query.items():
        parameters.append(f"{key}: {one_of([python_type(field, key, asked=True), 'Unset'])} = UNSET")
    if operation.query:
        sent.append(f"query={{{', '.join(f'{key!r}: {key}' for key in operation.query)}}}")
    return parameters, sent, notes


def _docstring(text: str, indent: int = 4) -> str:
    blank = " " * indent
    lines: list[str] = []
    for line in list(_paragraphs(text))[:-1]:
        inner = blank + " " * (len(line) - len(line.lstrip()))
        wrapped = textwrap.wrap(line.strip(), 106, initial_indent=inner, subsequent_indent=inner)
        lines += wrapped or [""]
    lines[0] = f'{blank}"""{lines[0].strip()}'
    if len(lines) == 1 and len(lines[0]) < 105:
        return lines[0] + '"""'
    return "\n".join([*lines, f'{blank}"""'])


def _paragraphs(text: str) -> Iterator[str]:
    """Lines of one paragraph are joined; what is indented stays as it is."""
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("Args:"):
            yield from paragraph.splitlines()
        else:
            yield " ".join(line.strip() for line in paragraph.splitlines())
        yield ""


def _indented(lines: Iterable[str]) -> str:
    return textwrap.indent("\n".join(lines), "    ")


def _described(schema: Schema) -> str:
    return f"{_docstring(schema['description'])}\n\n" if "description" in schema else ""
