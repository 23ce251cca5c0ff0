"""`holdfast serve`: the gallery over HTTP, in the foreground."""

import json
import re
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
    span,
)

_PREFIX = re.compile(r"/|(/[A-Za-z0-9._~-]+)+")


def serve(
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; loopback by default.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    replicas: Annotated[
        str | None,
        typer.Option(metavar="N|MIN-MAX", help="Gateways; from MIN to MAX as requests wait. 1 by default."),
    ] = None,
    gpus_per_replica: Annotated[
        float | None,
        typer.Option(min=0, help="GPUs of each gateway: 1, or a fraction as 0.25. None by default."),
    ] = None,
    route_prefix: Annotated[
        str, typer.Option(metavar="PATH", help="Path below which it is served, such as /embeddings.")
    ] = "/",
    name: Annotated[
        str, typer.Option(help="Of the application, among others of the cluster's Serve.")
    ] = "holdfast",
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            help="Take the place of the server of this store that listens there, without a failed request.",
        ),
    ] = False,
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

    least, most = (None, None) if replicas is None else span("--replicas", replicas)
    if not _PREFIX.fullmatch(route_prefix):
        raise ConfigError(f"--route-prefix {route_prefix!r} is no path such as /embeddings.")
    if "store" in read_values(config, set_ or []):
        raise ConfigError("store: of a server it is named by --store or HOLDFAST_STORE, not by its settings.")
    given = [f"store={json.dumps(store)}"]
    if gpus_per_replica is not None:
        given.append(f"gpus={gpus_per_replica}")
    if most is not None:
        given += [f"replicas={least}", f"autoscaling.max={most}"]
    settings = load_settings(ServingConfig, config, [*(set_ or []), *given])
    artifacts = artifacts or settings.artifacts
    existing_store(store, artifacts).close()
    serve_forever(
        store,
        host,
        port,
        artifacts=artifacts,
        replicas=least,
        sources=sources or None,
        access_log=access_log,
        name=name,
        route_prefix=route_prefix,
        take_over=take_over,
        verbose=verbose,
        config=settings,
        say=typer.echo,
    )
