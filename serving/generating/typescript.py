"""The TypeScript client's types and methods."""

from serving.generating.document import MADE, Api, Operation, Schema, name_of


def typescript_type(schema: Schema) -> str:
    if "$ref" in schema:
        return name_of(schema)
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(typescript_type(each) for each in schema["anyOf"]))
    if "const" in schema or "enum" in schema:
        return " | ".join(f'"{word}"' for word in schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "integer" | "number":
            return "number"
        case "string" | "boolean" | "null" as kind:
            return kind
        case "array":
            of = typescript_type(schema.get("items", {}))
            return f"({of})[]" if "|" in of else f"{of}[]"
        case "object":
            values = schema.get("additionalProperties", True)
            return f"Record<string, {typescript_type(values) if isinstance(values, dict) else 'unknown'}>"
        case _:
            return "unknown"


def typescript(api: Api) -> str:
    names = [name for name in api.schemas if name in {*api.asked, *api.answered}]
    parts = [
        f"// {MADE}",
        *(_interface(name, api.schemas[name]) for name in names),
        "/** One request, as `Client` sends it. `repeatable`: sent twice, it does what it does once. */\n"
        "export interface Call {\n  method: string;\n  path: string;\n  query?: object;\n"
        "  body?: unknown;\n  repeatable: boolean;\n}",
        "/** A method for every route. */\nexport abstract class Operations {\n"
        "  abstract call<T>(call: Call): Promise<T>;\n\n"
        + "\n\n".join(_typescript_method(each) for each in api.operations)
        + "\n}",
    ]
    return "\n\n".join(parts) + "\n"


def _interface(name: str, schema: Schema) -> str:
    required = schema.get("required", ())
    lines = []
    for key, field in schema.get("properties", {}).items():
        note = f"  /** {field['description']} */\n" if "description" in field else ""
        lines.append(f"{note}  {key}{'' if key in required else '?'}: {typescript_type(field)};")
    fields = "\n".join(lines)
    said = f"{_comment(schema['description'])}\n" if "description" in schema else ""
    return f"{said}export interface {name} {{\n{fields}\n}}"


def _typescript_method(operation: Operation) -> str:
    parameters = [f"{name}: string" for name in operation.path_names]
    if operation.body is not None:
        mark = "" if operation.body_required else "?"
        parameters.append(f"body{mark}: {typescript_type(operation.body)}")
    if operation.query:
        fields = "; ".join(f"{key}?: {typescript_type(field)}" for key, field in operation.query.items())
        parameters.append(f"query?: {{ {fields} }}")
    path = operation.path
    for name in operation.path_names:
        path = path.replace(f"{{{name}}}", f"${{encodeURIComponent({name})}}")
    sent = [
        f'method: "{operation.method}"',
        f"path: `{path}`",
        *(["body"] if operation.body is not None else []),
        *(["query"] if operation.query else []),
        f"repeatable: {str(operation.repeatable).lower()}",
    ]
    answer = "string" if operation.answer is None else typescript_type(operation.answer)
    return (
        f"{_comment(operation.said, '  ')}\n"
        f"  {operation.name}({', '.join(parameters)}): Promise<{answer}> {{\n"
        f"    return this.call({{ {', '.join(sent)} }});\n  }}"
    )


def _comment(text: str, indent: str = "") -> str:
    lines = [line.strip() for line in text.splitlines()]
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */"
    return "\n".join([f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in lines), f"{indent} */"])
