"""The gateway deployment: ingress, models and a read-only index in one process, so a request stays in it."""

import asyncio
import contextlib
import gc
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from holdfast_serving.config import ServingConfig
from holdfast_serving.logs import write_logs

if TYPE_CHECKING:
    from holdfast_serving.http import Application

logger = logging.getLogger(__name__)

SWITCH_SECONDS = 0.0002


@serve.ingress()
class Gateway:
    """One replica of the gateway. Its truth is the store; its own state is a cache that follows it."""

    def __init__(self, config: ServingConfig, writer: DeploymentHandle) -> None:
        import faiss
        import torch

        from holdfast.base import thread_count
        from holdfast.index import open_index
        from holdfast.search import Gallery
        from holdfast.store import open_store
        from holdfast_serving.replica import Replica
        from holdfast_serving.tracing import open_tracing
        from holdfast_serving.writer import HandleWriter

        threads = thread_count(max(1, int(config.cpus)))
        write_logs(access=config.access_log, form=config.log_form)
        # A pass of a model asks for the interpreter between its layers, and requests hold it without a pause:
        # after Python's 5 ms a pass would take many times as long as its arithmetic.
        sys.setswitchinterval(SWITCH_SECONDS)
        torch.set_num_threads(threads)
        faiss.omp_set_num_threads(threads)
        store = open_store(config.store, config.artifacts)
        index = open_index(store, config.index.searching(), config.loadable_versions)
        gallery = Gallery(store, index)
        self._name = serve.get_replica_context().replica_id.unique_id
        self._writer = writer
        self._tracing = open_tracing("holdfast-gateway", config.tracing)
        self._replica = Replica(config, store, gallery, HandleWriter(writer, config.write_seconds))
        # What is loaded by now stays: the collector need not walk over it again while requests wait.
        gc.freeze()
        logger.info("gateway in process %d", os.getpid())

    def __serve_build_asgi_app__(self) -> "Application":
        from holdfast_serving.http import create_app

        return create_app(self._replica, echo_request_id=False, tracing=self._tracing)

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """`{"draining": true}` refuses new requests from now on, and tells the writer once those in progress
        are answered. Returns at once: Serve leads nobody to a replica that it reconfigures, not even who asks
        whether it lives."""
        if not user_config.get("draining", False):
            self._replica.admission.reopen()
        elif not self._replica.admission.draining:
            self._replica.admission.close()
            self._drain = asyncio.create_task(self._tell_when_empty())

    async def _tell_when_empty(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._replica.config.drain_seconds):
                await self._replica.admission.empty()
        while True:
            # Again and again, for the writer may be another one by now.
            with contextlib.suppress(Exception):
                await self._writer.gateway_is_empty.remote(self._name)
            await asyncio.sleep(0.5)

    async def check_health(self) -> None:
        """Unhealthy once the replica no longer follows the store; Serve then replaces it."""
        await asyncio.wait_for(self._replica.check(), 5)
