"""`holdfast serve`: starts Ray and the application, says so in one line, and drains on SIGTERM."""

import asyncio
import contextlib
import logging
import math
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any

from holdfast.base import NotReadyError, StoreError
from holdfast.jobs import joins_cluster
from holdfast.store import Store, open_store, pin_down
from holdfast_serving.config import ServingConfig
from holdfast_serving.http import parse_keys
from holdfast_serving.launch.local_ray import (
    prepare_serving,
    ray_has_ended,
    refuse_sqlite_on_many_nodes,
    start_ray,
)
from holdfast_serving.launch.ports import addresses_of, require_port
from holdfast_serving.launch.proxy import stop_proxies
from holdfast_serving.logs import show_logs

logger = logging.getLogger(__name__)

KEYS_VARIABLE = "HOLDFAST_API_KEYS"
RELEASE_SECONDS = 5.0
"""How long a server that stops waits for its writer to let go; its lease would run out soon after."""
REACHED_AT = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where a server is found on its own machine that listens at all addresses."""


def serve_forever(
    store: str | Path = "./holdfast-store",
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    artifacts: str | None = None,
    replicas: int | None = None,
    sources: Sequence[str] | None = None,
    access_log: bool = False,
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
        config: further settings. Keys in the environment go before its own.
        say: gets the one line that tells that the server is ready. Default: stdout.
        warn: gets what else the operator must see (a new key, an open host). Default: stderr.

    Raises ConfigError (keys, host, port, sources, RAY_ADDRESS), StoreError, LeaseHeldError (another server
    writes to this store), NotReadyError (Ray ended by itself).
    """
    say = say or partial(print, flush=True)
    warn = warn or partial(print, file=sys.stderr, flush=True)
    if not (port and joins_cluster()):
        # A cluster's Serve may listen there already, for us.
        port = require_port(host, port)
    config = config or ServingConfig(store=pin_down(store))
    settings = config.model_copy(
        update={
            "store": pin_down(store),
            "artifacts": artifacts or config.artifacts,
            "replicas": config.replicas if replicas is None else replicas,
            "sources": _absolute_roots(config.sources if sources is None else sources),
            "access_log": access_log or config.access_log,
            "key_hashes": parse_keys(os.environ.get(KEYS_VARIABLE, "")) or config.key_hashes,
        }
    )
    with (
        open_store(settings.store, settings.artifacts) as opened,
        tempfile.TemporaryDirectory(prefix="holdfast-", ignore_cleanup_errors=True) as folder,
        contextlib.ExitStack() as stack,
    ):
        # What every replica opens: the same files, whatever its folder and its variables.
        where, found = opened.place
        settings = settings.model_copy(update={"store": where, "artifacts": found})
        show_logs(Path(folder), settings.log_form)
        serve_host, listening = prepare_serving(
            Path(folder), host, port, settings.limits.receive_seconds, verbose
        )
        stack.enter_context(listening)
        if not joins_cluster():
            # On a cluster the writer may be the one of this very application, which Serve keeps.
            from holdfast.entries import refuse_if_held

            refuse_if_held(opened)
        if not settings.key_hashes and opened.keys.count() == 0:
            warn(f"API key (role admin, shown only now): {opened.keys.create('admin')}")
        if not all(ip_address(address).is_loopback for address in addresses_of(host)):
            warn(f"Listening on {host}: whoever reaches this machine meets only the API key, in plain HTTP.")
        try:
            with _running(settings, serve_host, port, dashboard, verbose) as has_to_stop:
                if not has_to_stop(0):
                    say(_ready_line(opened, host, port))
                while not has_to_stop(0.5):
                    pass
        finally:
            stop_proxies(Path(folder))


class Signals:
    """What SIGTERM and SIGINT ask for: the first one to stop, at once while the server starts and after a
    drain else; a second one not to wait for the drain."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.hurry = threading.Event()
        self._before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        self.take()

    def take(self) -> None:
        """Ray takes them away when it starts."""
        for number in self._before:
            signal.signal(number, self._receive)

    def restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.stop.is_set():
            self.hurry.set()
        self.stop.set()


class Task:
    """Work in a thread, so that signals are heard meanwhile: Ray bears no exception in its own code."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, stop: threading.Event) -> None:
        """Returns when it has ended, or `stop` is set. Raises what the work raises."""
        while not self.ended and not stop.is_set():
            self._thread.join(0.1)
        if self.ended and self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self._error = error


@contextmanager
def _running(
    config: ServingConfig, host: str, port: int, dashboard: bool, verbose: bool
) -> Iterator[Callable[[float], bool]]:
    """The application between its start and its drain.

    Yields a function that waits for some seconds and tells whether a signal has asked the server to stop. It
    raises NotReadyError when Ray has ended by itself. A signal during the start ends the start.
    """
    import ray
    from ray import serve

    from holdfast.jobs import require_resources
    from holdfast_serving.launch.application import APPLICATION, build_application
    from holdfast_serving.launch.shared_serve import leave_serve, settle_serve

    if not verbose:
        for name in ("ray", "ray.serve"):
            logging.getLogger(name).setLevel(logging.ERROR)
    signals = Signals()
    private, settled = True, False
    try:
        private = start_ray(max(2, math.ceil(config.cpus * config.replicas)), dashboard, verbose)
        signals.take()
        refusal = refuse_sqlite_on_many_nodes(config.store)
        if refusal is not None:
            raise StoreError(refusal)
        if not private:
            settle_serve(host, port, APPLICATION)
            settled = True
        require_resources("The server", config.replicas, {"CPU": config.cpus})

        def start() -> None:
            serve.start(http_options={"host": host, "port": port, "location": "HeadOnly"})
            serve.run(build_application(config), name=APPLICATION, route_prefix="/")

        started = Task(start)
        started.wait(signals.stop)

        def has_to_stop(seconds: float) -> bool:
            if signals.stop.wait(seconds):
                return True
            if private and ray_has_ended():
                raise NotReadyError("Ray ended unexpectedly, and the server with it: start it again.")
            return False

        yield has_to_stop
        if not started.ended:
            return
        # Reaches every replica without a restart.
        drain = Task(partial(_drain, build_application(config, draining=True), config.drain_seconds))
        # Whoever stops a whole process group or control group has stopped Ray as well: nothing left to drain.
        while not drain.ended and not signals.hurry.wait(0.1) and not (private and ray_has_ended()):
            pass
    finally:
        if not private and ray.is_initialized() and settled:
            leave_serve(host, port, APPLICATION)
        # A private instance ends here as a whole. Deleting the application first would only make the proxy
        # answer 404 for a while, which clients do not take for a restart.
        ray.shutdown()
        signals.restore()


def _drain(application: Any, seconds: float) -> None:
    """Tells all gateways to let nobody in, and waits until they have answered those who are inside."""
    from ray import serve

    from holdfast_serving.launch.application import APPLICATION

    try:
        states = serve.status().applications[APPLICATION].deployments["gateway"].replica_states
        gateways = states.get("RUNNING", 0)
        serve.run(application, name=APPLICATION, route_prefix="/")
        # Serve's handles listen in their event loop as long as the process lives, and complain if it ends.
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="drain", daemon=True).start()
        asyncio.run_coroutine_threadsafe(_release_writer(APPLICATION, gateways, seconds), loop).result()
    except Exception as error:
        logger.warning("the drain was cut short: %s", error)


async def _release_writer(application: str, gateways: int, seconds: float) -> None:
    """Waits until that many gateways are empty, at most `seconds`, and makes the writer let go."""
    from ray import serve

    writer = serve.get_deployment_handle("writer", application)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while await writer.empty_gateways.remote() < gateways:
                await asyncio.sleep(0.1)
    async with asyncio.timeout(RELEASE_SECONDS):
        await writer.release.remote()


def _ready_line(store: Store, host: str, port: int) -> str:
    from holdfast.entries import Entries

    live = store.traffic.current().query_version
    reached = REACHED_AT.get(host, host)
    shown = f"[{reached}]" if ":" in reached else reached
    entries = sum(Entries(store).count().values())
    return (
        f"Holdfast serves http://{shown}:{port}  live: {live or 'none (holdfast promote VERSION)'}  "
        f"entries: {entries:,}"
    )


def _absolute_roots(sources: Sequence[str]) -> tuple[str, ...]:
    if not sources:
        return ()
    # PyTorch comes with it.
    from holdfast.backfill import Sources

    return Sources.of(sources).roots
