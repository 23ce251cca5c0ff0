"""Options that the verbs share, and what they stand for."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.base import ConfigError

if TYPE_CHECKING:
    from holdfast.store import Store

_SPAN = re.compile(r"(\d{1,9})(?:-([1-9]\d{0,8}))?")
STORE = "./holdfast-store"
StoreOption = Annotated[
    str, typer.Option("--store", help="Folder or SQLAlchemy URL.", envvar="HOLDFAST_STORE")
]
ArtifactsOption = Annotated[
    str | None,
    typer.Option(
        "--artifacts",
        help="Folder or pyarrow file system URI of the store's files, where they are not in its folder.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="dotted.key=value, over the file. Repeatable.")
]
TrackOption = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        help="Tell mlflow, tensorboard, wandb or a tracker of your own, with its defaults. Repeatable.",
    ),
]
VerboseOption = Annotated[bool, typer.Option("--verbose", help="Show what Ray says.")]
AddressOption = Annotated[
    str,
    typer.Option(
        envvar=["RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"], help="Ray dashboard, such as http://127.0.0.1:8265."
    ),
]
GpusOption = Annotated[
    float,
    typer.Option(min=0, help="GPUs of each of Ray's actors: 1, or a fraction such as 0.25. None by default."),
]
ExperimentArgument = Annotated[Path, typer.Argument(help="YAML file, such as experiments/quickstart.yaml.")]


def existing_store(store: str, artifacts: str | None) -> "Store":
    """The store that was named. Raises StoreError where there is none: a mistyped path makes no new one."""
    from holdfast.store import open_store

    return open_store(store, artifacts, create=False)


def overrides(set_: Sequence[str] | None, given: Mapping[str, object]) -> list[str]:
    """`dotted.key=value` of `--set`, then of the options that have a key of their own and were given."""
    return [*(set_ or []), *(f"{key}={value}" for key, value in given.items() if value is not None)]


def span(option: str, text: str, least: int = 1) -> tuple[int, int | None]:
    """The numbers of `N` (which has no second one) or `MIN-MAX`. Raises ConfigError, also for one below
    `least`."""
    found = _SPAN.fullmatch(text)
    if found is None or int(found[1]) < least:
        raise ConfigError(f"{option} {text!r} is neither a number such as 2 nor a span such as 1-4.")
    return int(found[1]), None if found[2] is None else int(found[2])


def workers_of(text: str | None) -> str | None:
    """`scaling.workers` as an experiment file has it, of `--workers N` or `--workers MIN-MAX`."""
    if text is None:
        return None
    least, most = span("--workers", text, 0)
    return str(least) if most is None else f"{{min: {least}, max: {most}}}"
