"""The application of one `holdfast serve`, between its start and its drain."""

import asyncio
import contextlib
import logging
import math
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from holdfast.base import NotReadyError, StoreError
from holdfast_serving.config import ServingConfig
from holdfast_serving.launch.local_ray import ray_has_ended, refuse_sqlite_on_many_nodes, start_ray
from holdfast_serving.launch.signals import Signals, Task
from holdfast_serving.launch.succession import HasToStop, Succession

logger = logging.getLogger(__name__)

RELEASE_SECONDS = 5.0
"""How long a server that stops waits for its writer to let go; its lease would run out soon after."""


@dataclass(frozen=True)
class Launch:
    """What one `holdfast serve` starts.

    Args:
        folder: private to it, and there for longer than Ray.
        host, port: what Serve listens at; with a proxy of ours in front that is another address than the one
            that users see.
        name: of the application, among others of a cluster.
        route_prefix: path below which Serve leads requests to it; `/` for all.
    """

    config: ServingConfig
    folder: Path
    host: str
    port: int
    name: str
    route_prefix: str
    dashboard: bool = False
    verbose: bool = False
    version: str = field(default_factory=lambda: secrets.token_hex(4))
    """Of its replicas: Serve replaces those of an earlier launch."""


@contextmanager
def running(launch: Launch, succession: Succession) -> Iterator[HasToStop]:
    """The application between its start and its end.

    Yields a function that waits for some seconds and tells whether the server has to stop: a signal has asked
    it to, or another server has taken over. It raises NotReadyError when Ray has ended by itself. A signal
    during the start ends the start.
    """
    import ray
    from ray import serve

    from holdfast.jobs import require_resources
    from holdfast_serving.launch.deployments import build_application
    from holdfast_serving.launch.shared_serve import leave_serve, settle_serve

    config = launch.config
    if not launch.verbose:
        for name in ("ray", "ray.serve"):
            logging.getLogger(name).setLevel(logging.ERROR)
    signals = Signals()
    private, settled = True, False
    try:
        private = start_ray(
            max(2, math.ceil(config.cpus * config.most_replicas)), launch.dashboard, launch.verbose
        )
        signals.take()
        refusal = refuse_sqlite_on_many_nodes(config.store)
        if refusal is not None:
            raise StoreError(refusal)
        if not private:
            settle_serve(launch.host, launch.port, launch.name, launch.route_prefix)
            settled = True
        require_resources("The server", config.replicas, {"CPU": config.cpus, "GPU": config.gpus})
        build = partial(build_application, config, launch.version, finds_writer=succession.finds_writer)

        def start() -> None:
            serve.start(
                proxy_location="HeadOnly" if private else "EveryNode",
                http_options={"host": launch.host, "port": launch.port},
            )
            serve.run(build(), name=launch.name, route_prefix=launch.route_prefix)

        started = Task(start)
        started.wait(signals.stop)

        def has_to_stop(seconds: float) -> bool:
            if signals.stop.wait(seconds):
                return True
            if private and ray_has_ended():
                raise NotReadyError("Ray ended unexpectedly, and the server with it: start it again.")
            return succession.has_come()

        yield has_to_stop
        if not started.ended:
            return
        if succession.has_come():
            # Nobody is refused: who still is here is answered, and whoever comes is the other server's.
            ending = Task(partial(succession.leave, config.drain_seconds))
        else:
            # Reaches every replica without a restart.
            ending = Task(partial(_drain, launch, build(draining=True), config.drain_seconds))
        # Whoever stops a whole process group or control group has stopped Ray as well: nothing left to drain.
        while not ending.ended and not signals.hurry.wait(0.1) and not (private and ray_has_ended()):
            pass
    finally:
        if not private and ray.is_initialized() and settled and not succession.has_come():
            leave_serve(launch.host, launch.port, launch.name)
        # A private instance ends here as a whole. Deleting the application first would only make the proxy
        # answer 404 for a while, which clients do not take for a restart.
        ray.shutdown()
        signals.restore()


def _drain(launch: Launch, application: Any, seconds: float) -> None:
    """Tells all gateways to let nobody in, and waits until they have answered those who are inside."""
    from ray import serve

    try:
        states = serve.status().applications[launch.name].deployments["gateway"].replica_states
        gateways = states.get("RUNNING", 0)
        serve.run(application, name=launch.name, route_prefix=launch.route_prefix)
        # Serve's handles listen in their event loop as long as the process lives, and complain if it ends.
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="drain", daemon=True).start()
        asyncio.run_coroutine_threadsafe(_release_writer(launch.name, gateways, seconds), loop).result()
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
