"""A call of a verb, taken apart and put together again: what a job is made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.base import ConfigError


@dataclass(frozen=True)
class Call:
    """A verb with everything that it was given.

    Attributes:
        verb: `run`, or `backfill start`, in words.
        command: typer's, which brings a click of its own that has no public types.
        values: by the names of its parameters.
    """

    verb: tuple[str, ...]
    command: Any
    values: Mapping[str, Any]

    @classmethod
    def parse(cls, app: Any, arguments: Sequence[str]) -> "Call":
        """Raises what click raises for options that the verb does not have, ConfigError without a verb."""
        command, rest = app, list(arguments)
        verb: list[str] = []
        while hasattr(command, "commands"):
            commands: Mapping[str, Any] = command.commands
            if not rest or rest[0] not in commands:
                said = " ".join([*verb, *rest[:1]])
                raise ConfigError(f"There is no verb {said!r}: allowed are {', '.join(commands)}.")
            verb.append(rest[0])
            command = commands[rest.pop(0)]
        context = command.make_context(f"holdfast {' '.join(verb)}", rest)
        return cls(tuple(verb), command, context.params)

    def paths(self) -> dict[str, Path]:
        """The parameters that are files and folders, of those that were given."""
        return {name: value for name, value in self.values.items() if isinstance(value, Path)}

    def arguments(self, changes: Mapping[str, Any]) -> list[str]:
        """The call as words, with other values for some parameters; None leaves one out."""
        values = {**self.values, **changes}
        named: list[str] = []
        bare: list[str] = []
        for parameter in self.command.params:
            value = values.get(str(parameter.name))
            if hasattr(parameter, "is_flag"):
                named += _words(parameter, value)
            elif value is not None:
                bare += [str(each) for each in _each(value)]
        return [*self.verb, *bare, *named]


def _words(option: Any, value: Any) -> Iterator[str]:
    if value is None or value == option.default:
        return
    if option.is_flag:
        yield option.opts[-1] if value else option.secondary_opts[-1]
        return
    for each in _each(value):
        yield from (option.opts[-1], str(each))


def _each(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]
