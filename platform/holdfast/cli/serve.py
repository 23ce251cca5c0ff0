"""`holdfast serve`: the gallery over HTTP, in the foreground."""

import json
from pathlib import Path
from typing import Annotated

import typer

from holdfast.base import ConfigError
from holdfast.cli.options import (
    STORE,
    ArtifactsOption,
    SetOption,
    StoreOption,
    VerboseOption,
    existing_store,
)


def serve(
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; loopback by default.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    replicas: Annotated[int | None, typer.Option(help="Gateway replicas; 1 by default.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with further settings: index, limits, batching.")
    ] = None,
    set_: SetOption = None,
    sources: Annotated[
        list[str] | None,
        typer.Option("--sources", help="Folder or URL prefix whose images backfills may read. Repeatable."),
    ] = None,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="Log every request, as a line of JSON on standard error.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Serve embeddings and the shared gallery over HTTP, with a web page at /.

    Keys come from HOLDFAST_API_KEYS (role:key, comma separated); without it one admin key is made, kept as a
    hash, and shown once. SIGTERM answers what is in progress and exits with 0.

    Example: [bold]holdfast serve --port 8000[/]
    """
    from holdfast.base import load_settings, read_values
    from holdfast_serving import ServingConfig, serve_forever

    if "store" in read_values(config, set_ or []):
        raise ConfigError("store: of a server it is named by --store or HOLDFAST_STORE, not by its settings.")
    settings = load_settings(ServingConfig, config, [*(set_ or []), f"store={json.dumps(store)}"])
    artifacts = artifacts or settings.artifacts
    existing_store(store, artifacts).close()
    serve_forever(
        store,
        host,
        port,
        artifacts=artifacts,
        replicas=replicas,
        sources=sources or None,
        access_log=access_log,
        verbose=verbose,
        config=settings,
        say=typer.echo,
    )
