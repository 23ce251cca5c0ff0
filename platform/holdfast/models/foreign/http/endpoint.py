"""Asking an endpoint: in batches, at its pace, again where it is busy, until a deadline."""

import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any

import httpx
import numpy as np

from holdfast.base import HIDDEN, EndpointError, EndpointRefusedError, shown
from holdfast.models.foreign.http.bodies import BODIES
from holdfast.models.foreign.http.config import HttpConfig
from holdfast.models.model import Modality, Purpose

BATCH_BYTES = 8 * 2**20
"""Characters of one request's items at most, unless one has more."""
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
"""Answers after which the same request is sent again."""
REFUSED = frozenset({400, 413, 415, 422, 424})
"""Answers that are about what was sent."""
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0  # seconds


class Endpoint:
    """Safe to use from many threads; can be pickled."""

    def __init__(self, config: HttpConfig) -> None:
        self.config = config
        self._body = BODIES[config.body]
        self._start()

    def _start(self) -> None:
        # Reading the certificates takes longer than most answers, and without TLS nobody needs them.
        secure = self.config.url.startswith("https:")
        self._client = httpx.Client(headers={"User-Agent": "holdfast"}, verify=secure)
        self._pace = Pace(self.config.requests_per_minute)

    def __getstate__(self) -> dict[str, Any]:
        return {"config": self.config}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["config"])  # type: ignore[misc]

    def ask(
        self, modality: Modality, items: Sequence[str], purpose: Purpose | None = None
    ) -> list[np.ndarray]:
        """What it makes of images (data URIs) or texts: one vector each, float32 (d,), as they came.

        Args:
            purpose: of texts; where such endpoints take none, it is not sent.

        Raises EndpointRefusedError for items that it does not embed, EndpointError for everything else.
        """
        vectors: list[np.ndarray] = []
        for some in _batches(items, self.config.items):
            asked = self._body.ask(self.config.model, self.config.dimension, modality, some)
            if modality == "text" and purpose is not None:
                asked |= self._body.purposes.get(purpose, {})
            answer = self._post(asked)
            try:
                found = self._body.read(answer)
            except (KeyError, TypeError, ValueError) as error:
                raise EndpointError(
                    f"{self} answered something else than the embeddings of {self.config.body!r}: "
                    f"{shown(answer)}."
                ) from error
            if len(found) != len(some):
                raise EndpointError(f"{self} answered {len(found)} vectors for {len(some)} items.")
            vectors += found
        return vectors

    def __str__(self) -> str:
        model = f", model {self.config.model}" if self.config.model else ""
        return f"The endpoint {self.config.url}{model},"

    def _post(self, content: dict[str, Any]) -> Any:
        key = self._key()
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._pace.wait()
        until = time.monotonic() + self.config.deadline_seconds
        for attempt in count():
            left = max(until - time.monotonic(), 0.001)
            asked_for: float | None = None
            try:
                response = self._client.post(self.config.url, json=content, headers=headers, timeout=left)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            else:
                if response.is_success:
                    return self._json(response)
                problem = f"{response.status_code}: {_without(key, said_by(response))}"
                if response.status_code not in BUSY:
                    raise self._refusal(response.status_code, problem)
                asked_for = retry_after(response)
            pause = backoff(attempt) if asked_for is None else asked_for
            if time.monotonic() + pause >= until:
                tries = "one try" if attempt == 0 else f"{attempt + 1} tries"
                raise EndpointError(
                    f"{self} did not answer within {self.config.deadline_seconds:g} s ({tries}); the last "
                    f"answer was {problem}."
                )
            time.sleep(pause)
            self._pace.wait()
        raise AssertionError

    def _key(self) -> str | None:
        name = self.config.key_env
        if name is None:
            return None
        key = os.environ.get(name, "").strip()
        if not key:
            raise EndpointError(f"{self} needs a key: set the environment variable {name}.")
        return key

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise EndpointError(f"{self} answered no JSON: {shown(response.text)}.") from error

    def _refusal(self, status: int, problem: str) -> EndpointError:
        if status in (401, 403):
            name = self.config.key_env
            held = "give the name of the variable that holds a key." if name is None else f"is {name} right?"
            return EndpointError(f"{self} does not let us in: {held} It answered {problem}.")
        kind = EndpointRefusedError if status in REFUSED else EndpointError
        return kind(f"{self} refused with {problem}.")


class Pace:
    """At most so many requests a minute, evenly spread, whichever threads send them."""

    def __init__(self, per_minute: float | None) -> None:
        self._seconds = 0.0 if per_minute is None else 60.0 / per_minute
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Returns when the next request may be sent."""
        with self._lock:
            moment = max(time.monotonic(), self._next)
            self._next = moment + self._seconds
        time.sleep(max(0.0, moment - time.monotonic()))


def backoff(attempt: int) -> float:
    """Seconds before the next try, doubled each time and spread, so that many do not come back together."""
    return min(FIRST_PAUSE * 2.0**attempt, LONGEST_PAUSE) * random.uniform(0.5, 1.0)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the endpoint asks us to wait, if it does: a number or a date."""
    given = response.headers.get("Retry-After", "").strip()
    if given.replace(".", "", 1).isdecimal():
        return float(given)
    try:
        moment = parsedate_to_datetime(given)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def said_by(response: httpx.Response) -> str:
    """The endpoint's own words, in whichever of the usual shapes."""
    try:
        found = response.json()
    except ValueError:
        found = response.text.strip() or response.reason_phrase
    for _ in range(3):
        if isinstance(found, dict):
            words = [found[name] for name in ("error", "message", "detail", "msg") if name in found]
            found = words[0] if words else str(found)
        elif isinstance(found, list) and found:
            found = found[0]
    return " ".join(str(found).split())[:300].rstrip(".")


def _without(key: str | None, text: str) -> str:
    return text.replace(key, HIDDEN) if key else text


def _batches(items: Sequence[str], most: int) -> Iterator[list[str]]:
    batch: list[str] = []
    held = 0
    for item in items:
        if batch and (len(batch) == most or held + len(item) > BATCH_BYTES):
            yield batch
            batch, held = [], 0
        batch.append(item)
        held += len(item)
    if batch:
        yield batch
