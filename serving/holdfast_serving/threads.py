"""Work that blocks, in a thread beside the event loop."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def run_in(pool: Executor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function returns or raises. Its log lines carry the id of the request that waits for it."""
    context = contextvars.copy_context()
    call = partial(function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(pool, context.run, _plainly, call)


def _plainly(call: Callable[[], T]) -> T:
    """A future cannot hold a StopIteration, so whoever waits would wait for ever; what is meant to end a
    process (SystemExit) would end the event loop."""
    try:
        return call()
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, StopIteration):
            raise
        raise RuntimeError(f"ended by {error!r}") from error
