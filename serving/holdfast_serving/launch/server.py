"""`holdfast serve`: starts Ray and the application, says so in one line, and drains on SIGTERM."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from holdfast.base import ConfigError, Process
from holdfast.jobs import joins_cluster
from holdfast.store import Store, open_store
from holdfast_serving.config import ServingConfig
from holdfast_serving.launch.local_ray import prepare_serving
from holdfast_serving.launch.ports import addresses_of, free_port, require_port
from holdfast_serving.launch.proxy import stop_proxies
from holdfast_serving.launch.running import Launch, running
from holdfast_serving.launch.settings import APPLICATION, settle
from holdfast_serving.launch.succession import OnCluster, OnThisMachine, Succession
from holdfast_serving.launch.taking_over import require_proxy
from holdfast_serving.launch.whereabouts import (
    PREFIX,
    Whereabouts,
    find_server,
    place_of,
    require_same_store,
)
from holdfast_serving.logs import show_logs

LOOPBACK = "127.0.0.1"
REACHED_AT = {"0.0.0.0": LOOPBACK, "::": "::1"}
"""Where a server is found on its own machine that listens at all addresses."""


def serve_forever(
    store: str | Path = "./holdfast-store",
    host: str = LOOPBACK,
    port: int = 8000,
    *,
    artifacts: str | None = None,
    replicas: int | None = None,
    sources: Sequence[str] | None = None,
    access_log: bool = False,
    name: str = APPLICATION,
    route_prefix: str = "/",
    take_over: bool = False,
    dashboard: bool = False,
    verbose: bool = False,
    config: ServingConfig | None = None,
    say: Callable[[str], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> None:
    """Serves `store` until SIGTERM or SIGINT, then answers what is in progress and returns.

    Args:
        store: folder or SQLAlchemy URL, as for `open_store`.
        port: 0 takes a free one.
        artifacts, replicas, sources, access_log: in place of those in `config`, where they are given.
        name: of the application, among others of a cluster's Serve.
        route_prefix: path below which it is served, such as `/embeddings`.
        take_over: from the server of this store that listens there, if there is one: it ends once this one is
            ready, and no request fails.
        config: further settings. Keys in the environment go before its own.
        say: gets the one line that tells that the server is ready. Default: stdout.
        warn: gets what else the operator must see (a new key, an open host). Default: stderr.

    Raises ConfigError (keys, host, port, prefix, sources, RAY_ADDRESS), StoreError, LeaseHeldError and
    ConflictError (another server serves this store), NotReadyError (Ray ended by itself; a server that was
    to take over did not get ready).
    """
    say = say or partial(print, flush=True)
    warn = warn or partial(print, file=sys.stderr, flush=True)
    before = _find_before(host, port, take_over)
    if before is None and not (port and joins_cluster()):
        # A cluster's Serve may listen there already, for us.
        port = require_port(host, port)
    settings = settle(config, store, artifacts, replicas, sources, access_log)
    with (
        open_store(settings.store, settings.artifacts) as opened,
        tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as named,
    ):
        folder = Path(named)
        # What every replica opens: the same files, whatever its folder and its variables.
        where, found = opened.place
        settings = settings.model_copy(update={"store": where, "artifacts": found})
        show_logs(folder, settings.log_form)
        if before is not None:
            require_same_store(before, opened)
        at_first, its_port = (host, port) if before is None else (LOOPBACK, free_port())
        serve_host, listening = prepare_serving(
            folder, at_first, its_port, settings.limits.receive_seconds, verbose
        )
        launch = Launch(settings, folder, serve_host, its_port, name, route_prefix, dashboard, verbose)
        if joins_cluster():
            succession: Succession = OnCluster(opened, take_over)
        else:
            here = Whereabouts(
                Process.this(), folder, addresses_of(host), port, opened.where, place_of(opened)
            )
            hidden = _address(LOOPBACK, its_port, route_prefix)
            succession = OnThisMachine(opened, before, hidden, here, listening)
        with closing(succession):
            succession.begin()
            if not settings.key_hashes and opened.keys.count() == 0:
                warn(f"API key (role admin, shown only now): {opened.keys.create('admin')}")
            if not all(ip_address(address).is_loopback for address in addresses_of(host)):
                reached = "whoever reaches this machine meets only the API key, in plain HTTP"
                warn(f"Listening on {host}: {reached}.")
            try:
                with running(launch, succession) as has_to_stop:
                    if not has_to_stop(0) and succession.complete(has_to_stop):
                        say(_ready_line(opened, _address(host, port, route_prefix)))
                    while not has_to_stop(0.5):
                        pass
            finally:
                stop_proxies(folder)


def _find_before(host: str, port: int, take_over: bool) -> Whereabouts | None:
    """The server of this machine that is to be taken over from. Raises ConfigError for one that is not."""
    if port == 0 or joins_cluster():
        return None
    try:
        addresses = addresses_of(host)
    except OSError:
        # Said in plain words where the port is asked for.
        return None
    before = find_server(addresses, port)
    if before is None:
        return None
    if not take_over:
        raise ConfigError(
            f"Cannot listen on {host} port {port}: {before.process} serves {before.store} there. --take-over "
            "takes over from it, without a request that fails; else choose another --port, or stop it."
        )
    require_proxy(before)
    return before


def _address(host: str, port: int, route_prefix: str) -> str:
    reached = REACHED_AT.get(host, host)
    shown = f"[{reached}]" if ":" in reached else reached
    return f"http://{shown}:{port}{route_prefix.rstrip('/')}"


def _ready_line(store: Store, address: str) -> str:
    from holdfast.entries import Entries

    live = store.traffic.current().query_version
    entries = sum(Entries(store).count().values())
    return (
        f"Holdfast serves {address}  live: {live or 'none (holdfast promote VERSION)'}  entries: {entries:,}"
    )
