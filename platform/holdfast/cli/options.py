"""Options that the verbs share, and what they stand for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from holdfast.store import Store

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
ExperimentArgument = Annotated[Path, typer.Argument(help="YAML file, such as experiments/quickstart.yaml.")]


def existing_store(store: str, artifacts: str | None) -> "Store":
    """The store that was named. Raises StoreError where there is none: a mistyped path makes no new one."""
    from holdfast.store import open_store

    return open_store(store, artifacts, create=False)


def overrides(set_: Sequence[str] | None, given: Mapping[str, object]) -> list[str]:
    """`dotted.key=value` of `--set`, then of the options that have a key of their own and were given."""
    return [*(set_ or []), *(f"{key}={value}" for key, value in given.items() if value is not None)]
