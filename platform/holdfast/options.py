"""Options that the verbs share."""

from typing import Annotated

import typer

STORE = "./holdfast-store"
StoreOption = Annotated[
    str, typer.Option("--store", help="Folder or SQLAlchemy URL.", envvar="HOLDFAST_STORE")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
