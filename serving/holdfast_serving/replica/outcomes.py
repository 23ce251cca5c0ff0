"""Which versions a request has asked, and whether they failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from holdfast.base import DatabaseAwayError, HoldfastError, NotReadyError, StoreError

Outcomes = dict[str, bool]

answering: ContextVar[Outcomes | None] = ContextVar("answering", default=None)
"""By version that this request has asked, whether it failed; None beside requests."""


@contextmanager
def answers(version: str) -> Iterator[None]:
    """What happens within is done by a version for the request that is answered here, if it is one."""
    outcomes = answering.get()
    try:
        yield
    except Exception as error:
        if outcomes is not None:
            outcomes[version] = outcomes.get(version, False) or is_fault(error)
        raise
    if outcomes is not None:
        outcomes.setdefault(version, False)


def is_fault(error: Exception) -> bool:
    """Whether the version failed: not the client, nor a server that is not ready, nor a database that is
    away."""
    if not isinstance(error, HoldfastError):
        return True
    away = type(error) is StoreError or isinstance(error, NotReadyError | DatabaseAwayError)
    return error.http_status >= 500 and not away
