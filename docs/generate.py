"""Write `cli.md`, `experiment.md`, `grafana.json` and the example of `scale.md` from the code, so that none
can be out of date (a test compares).

python docs/generate.py
"""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.main import get_command
from typer.testing import CliRunner

from holdfast.base import configs_of
from holdfast.cli import app
from holdfast.config import Experiment
from holdfast_serving.dashboard import grafana_dashboard
from holdfast_serving.replica import Metrics

FOLDER = Path(__file__).parent


def main() -> None:
    for name, text in pages().items():
        (FOLDER / name).write_text(text)


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    dashboard = json.dumps(grafana_dashboard(Metrics().families()), indent=1)
    return {
        "cli.md": cli_page(),
        "experiment.md": experiment_page(),
        "grafana.json": f"{dashboard}\n",
        "scale.md": scale_page((FOLDER / "scale.md").read_text()),
    }


# A plan


def scale_page(text: str) -> str:
    """The page with what its command says in place of what it said."""
    command, rest = re.split(r"(?<=\n)```text\n", text, maxsplit=1)
    asked = re.findall(r"^holdfast (plan (?:.*\\\n)*.*)$", command, re.MULTILINE)[-1].replace("\\\n", " ")
    said = CliRunner().invoke(app, asked.split(), env={"COLUMNS": "80"}).stdout
    wrapped = [part for line in said.splitlines() for part in (textwrap.wrap(line, 100) or [""])]
    lines = "\n".join(line.rstrip() for line in wrapped)
    return f"{command}```text\n{lines.strip()}\n```\n{rest.partition('```' + chr(10))[2]}"


# The command line


def cli_page() -> str:
    parts = [
        "# The command line",
        "*Made by `docs/generate.py` from the code.*",
        "Every verb takes `--help`. With `--json` it prints one JSON document on standard output; what is "
        "said to people while it works goes to standard error.",
        "| exit code | means |\n|---|---|\n"
        "| 0 | done; also where there was nothing left to do |\n"
        "| 1 | `gallery verify` or `doctor` found a problem, or a submitted job failed |\n"
        "| 2 | a mistake in what was asked, or what you can mend, as a full disk: one sentence "
        "on standard error says what |\n"
        "| 3 | what was learned is surely worse than doing nothing, and is not published |\n"
        "| 70 | a defect of Holdfast: the sentence names a file with all that a report of it needs |\n"
        "| 130 | interrupted; the same command goes on where it stopped |",
        "| variable | stands for |\n|---|---|\n"
        "| `HOLDFAST_STORE` | `--store` where it is not given |\n"
        "| `HOLDFAST_ARTIFACTS` | `--artifacts` where it is not given, for a store that is a database and no "
        "folder; without both, the files lie where they lay before |\n"
        "| `HOLDFAST_DATA` | the data folder that experiment files name; `../shared/data` if unset |\n"
        "| `HOLDFAST_CACHE` | where decoded images are kept, and tracebacks of defects (`failures/`); by "
        "default the user's cache folder |\n"
        "| `HOLDFAST_API_KEYS` | the keys of `holdfast serve`: `role:key,role:key` |\n"
        "| `RAY_ADDRESS` | the Ray cluster to join; without it Ray runs here, for one command |",
    ]
    return "\n\n".join([*parts, *(_verb(name, command) for name, command in verbs())]) + "\n"


def verbs(group: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All verbs with their commands, those of groups as `group verb`."""
    for name, command in (group or get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, f"{name} ")
        else:
            yield prefix + name, command


def _verb(name: str, command: Any) -> str:
    described, _, examples = inspect.cleandoc(command.help).partition("Example:")
    described = re.sub(r"(?<!\n)\n(?!\n)", " ", described.strip())
    example = "\n".join(re.findall(r"\[bold\](.*?)\[/\]", examples))
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    usage = " ".join(
        ["holdfast", name, *(f"{a.name.upper()}{'...' if a.nargs < 0 else ''}" for a in arguments)]
    )
    rows = [f"| `{a.name.upper()}` | {a.help} |" for a in arguments]
    rows += [f"| {_option(option)} | {_meaning(option)} |" for option in options if option.name != "help"]
    parts = [
        f"## holdfast {name}",
        described,
        f"```text\n{usage} [OPTIONS]\n```",
        "\n".join(["| | |", "|---|---|", *rows]),
        f"```sh\n{example}\n```",
    ]
    return "\n\n".join(parts)


def _option(option: Any) -> str:
    return " ".join(f"`{text}`" for text in [*option.opts, *option.secondary_opts])


def _meaning(option: Any) -> str:
    default = option.default
    shown = "" if default in (None, False, True, "") else f" Default: `{default}`."
    return f"{option.help}{shown}" + (" Required." if option.required else "")


# The experiment file


def experiment_page() -> str:
    parts = [
        "# The experiment file",
        "*Made by `docs/generate.py` from the code.*",
        "One YAML file is one experiment, and a run can be repeated from it alone. A key that is not listed "
        "here is refused, with the nearest one that is. On the command line `--set` changes any key: "
        "`--set learning.epochs=4`; an item of a list is named by its number or its `kind`: "
        "`--set regularizers.prototype-alignment.weight=2`.",
        "Regularizers, heads, trunks, adapters and sources may be your own: a `kind` that is "
        "`package.module:Class`. [Parts of your own](extend.md) says how.",
    ]
    return "\n\n".join([*parts, *(_section(path, model) for path, model in _sections(Experiment, ""))]) + "\n"


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        for inner in configs_of(field):
            label = f"{path}.{name}".lstrip(".")
            if "kind" in inner.model_fields:
                label += f" ({inner.model_fields['kind'].default})"
            yield from _sections(inner, label)


def _section(path: str, model: type[BaseModel]) -> str:
    notes = _notes(model)
    rows = []
    for name, field in model.model_fields.items():
        cells = (f"`{name}`", _type(field.annotation) + _bounds(field), _default(field), notes.get(name, ""))
        rows.append(f"| {' | '.join(cells)} |")
    title = f"## `{path}`" if path else "## The whole"
    if path.endswith(")"):
        title = "## `{}` of kind `{}`".format(*path.removesuffix(")").split(" ("))
    table = "\n".join(["| key | value | default | |", "|---|---|---|---|", *rows])
    return f"{title}\n\n{_plain(inspect.getdoc(model) or '')}\n\n{table}"


def _plain(text: str) -> str:
    """Docstrings as Markdown: lists stay lists, other lines are joined."""
    return re.sub(r"(?<!\n)\n(?![\n-])\s*", " ", text)


def _notes(model: type[BaseModel]) -> dict[str, str]:
    """The strings below the fields of a config, in its own class and its bases."""
    notes: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not (issubclass(base, BaseModel) and base.__module__.startswith("holdfast")):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(tree, ast.ClassDef)
        for field, note in zip(tree.body, tree.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(note, ast.Expr)
                and isinstance(note.value, ast.Constant)
            ):
                notes[field.target.id] = _plain(inspect.cleandoc(str(note.value.value))).replace("|", "\\|")
    return notes


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin in (Union, UnionType):
        inner = [_type(argument) for argument in get_args(annotation) if argument is not type(None)]
        return " or ".join(dict.fromkeys(inner))
    if origin in (tuple, list):
        return f"list of {_type(get_args(annotation)[0])}".replace(" of see", ", see")
    if origin is dict:
        return f"mapping to {_type(get_args(annotation)[1])}".replace(" to see", ", see")
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        # An abstract one is what configs of other packages derive from.
        return "mapping" if inspect.isabstract(annotation) else "see below"
    names = {str: "text", int: "whole number", float: "number", bool: "`true`, `false`"}
    return names.get(annotation, "anything")


def _bounds(field: FieldInfo) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{sign} {getattr(m, name)}"
        for m in field.metadata
        for name, sign in signs.items()
        if hasattr(m, name)
    ]
    return f", {', '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        kind = getattr(value, "kind", None)
        return f"`{kind}`" if kind else ""
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        return ", ".join(f"`{item.kind}` {item.weight:g}" for item in value)
    if value is PydanticUndefined or value is None or value in ((), {}):
        return ""
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


if __name__ == "__main__":
    main()
