"""A Ray cluster's dashboard, over HTTP: every answer within seconds, every failure a sentence."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import requests
from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from holdfast.base import ClusterError, ConfigError

T = TypeVar("T")

ANSWER_SECONDS = 30
_RAYS_OWN = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[^\s:/\[\]@]+):\d{1,5}")
_WANTED = "give the address of the cluster's dashboard, such as http://127.0.0.1:8265"


class Dashboard(JobSubmissionClient):
    """Ray's client, which by itself waits for ever for an answer."""

    def _do_request(self, *arguments: Any, **options: Any) -> Any:
        return super()._do_request(*arguments, **{"timeout": ANSWER_SECONDS, **options})


def connect(address: str) -> Dashboard:
    """The dashboard at `http(s)://HOST[:PORT]`, or at `HOST:PORT`.

    Raises ConfigError for an address of another form or where no dashboard answers, ClusterError where it
    wants another token.
    """
    url = dashboard_url(address)
    with _without_rays_own():
        return asking(url, lambda: Dashboard(url), first=True)


def dashboard_url(address: str) -> str:
    """With a scheme and without a slash at the end. Raises ConfigError for what is no dashboard's address."""
    text = address.strip().rstrip("/")
    scheme, mark, rest = text.partition("://")
    if mark and scheme in ("http", "https") and rest:
        return text
    if not mark and _HOST_AND_PORT.fullmatch(text):
        return f"http://{text}"
    raise ConfigError(f"No Ray cluster answers at {address!r}, which has another form: {_WANTED}.")


def asking(url: str, question: Callable[[], T], first: bool = False) -> T:
    """The answer. Raises ClusterError for whatever goes wrong on the way; ConfigError for the `first`."""
    try:
        return question()
    except AuthenticationError as error:
        raise ClusterError(
            f"The dashboard at {url} wants another token: set RAY_AUTH_TOKEN, or copy ~/.ray/auth_token from "
            "the cluster's head."
        ) from error
    except (ConnectionError, requests.RequestException, RuntimeError, ValueError, KeyError) as error:
        reason = (str(error).strip().splitlines() or [""])[0].rstrip(".") or type(error).__name__
        if first:
            raise ConfigError(f"No Ray cluster answers at {url}: {reason}. Please {_WANTED}.") from error
        raise ClusterError(f"The dashboard at {url} does not answer: {reason}.") from error


@contextmanager
def _without_rays_own() -> Iterator[None]:
    """Ray would take the address in its variables, and not the one that it is given."""
    kept = {name: os.environ.pop(name) for name in _RAYS_OWN if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
