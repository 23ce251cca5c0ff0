"""Who is let in: nobody new while the server shuts down, and no more at a time than it can work on."""

import asyncio

from holdfast.base import HoldfastError, NotReadyError


class OverloadedError(HoldfastError):
    """More requests in progress than the server takes on."""

    http_status = 429
    code = "overloaded"


class Admission:
    """How many requests are here, how many of them are worked on, and whether more are let in.

    A request is here from its headers to its answer. It takes a place, of which there are `limit`, only once
    it is whole: however many are being received, they keep nobody out.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.here = 0
        self.active = 0
        self.draining = False
        self._empty = asyncio.Event()
        self._empty.set()

    def closed(self) -> HoldfastError | None:
        """Why no new request is let in at this moment, None when it may come in."""
        return (
            NotReadyError("The server is shutting down; another one may answer.") if self.draining else None
        )

    def full(self) -> HoldfastError | None:
        """Why a whole request gets no place at this moment, None when there is one."""
        if self.active < self.limit:
            return None
        return OverloadedError(f"{self.limit} requests are in progress already; try again in a second.")

    def arrive(self) -> None:
        self.here += 1
        self._empty.clear()

    def leave(self) -> None:
        self.here -= 1
        if self.here == 0:
            self._empty.set()

    def close(self) -> None:
        """Lets nobody in any more."""
        self.draining = True

    async def empty(self) -> None:
        """Returns when those who are here have their answers."""
        await self._empty.wait()

    def reopen(self) -> None:
        self.draining = False
