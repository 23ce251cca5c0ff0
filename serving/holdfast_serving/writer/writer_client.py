"""The writer as a gateway sees it: a handle to another process, which may die and come back."""

import asyncio
import logging

from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from holdfast.base import HoldfastError, NotReadyError
from holdfast.entries import Change
from holdfast_serving.tracing import traceparent

logger = logging.getLogger(__name__)


class HandleWriter:
    """Sends changes to the writer deployment and waits for the commit, at most `seconds`.

    Raises what the writer refuses, and NotReadyError while there is no writer. In that last case a change may
    have been committed or not; all changes can be repeated safely.
    """

    def __init__(self, handle: DeploymentHandle, seconds: float) -> None:
        self._handle = handle
        self._seconds = seconds
        self.away = False
        """Whether it did not answer when it was asked last."""

    async def submit(self, change: Change) -> int:
        try:
            outcome: int | HoldfastError = await asyncio.wait_for(
                self._handle.submit.remote(change, traceparent.get()), self._seconds
            )
        except (RayError, RayServeException, TimeoutError) as error:
            self.away = True
            logger.warning("the writer did not answer: %r", error)
            raise NotReadyError(
                "The writer is restarting and did not confirm this change, which may be committed or not. "
                "Repeat the request."
            ) from None
        self.away = False
        if isinstance(outcome, HoldfastError):
            raise outcome
        return outcome
