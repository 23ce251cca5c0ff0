"""Options that the verbs share."""

from typing import Annotated

import typer

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
