"""When a request is sent again, and after how long. Knows nothing of clocks that wait."""

import random
import time

from pydantic import BaseModel, ConfigDict, Field

from holdfast_serving.client.calls import Call
from holdfast_serving.client.errors import ApiError


class RetryConfig(BaseModel):
    """How patient a client is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attempts: int = Field(default=6, ge=1)
    """How often a request is sent at most; 1: never again."""
    first_seconds: float = Field(default=0.2, ge=0)
    """The first wait where the server names none; each further one is twice as long."""
    longest_seconds: float = Field(default=10.0, ge=0)
    """The longest wait that the client chooses."""
    total_seconds: float = Field(default=60.0, ge=0)
    """Over all attempts. A `Retry-After` beyond it ends them at once."""


class Attempts:
    """The attempts at one request."""

    def __init__(self, config: RetryConfig, call: Call) -> None:
        self._config, self._repeatable = config, call.repeatable
        self._made, self._until = 0, time.monotonic() + config.total_seconds

    def wait_after(self, error: ApiError) -> float:
        """Seconds to wait before the next attempt. Raises the error where there is to be none: it would
        fail again, it may have been done already and must not be done twice, or patience is at its end."""
        self._made += 1
        if not error.passes or (error.done_or_not and not self._repeatable):
            raise error
        if self._made >= self._config.attempts:
            raise error
        seconds = self._seconds(error.retry_after)
        if time.monotonic() + seconds > self._until:
            raise error
        return seconds

    def _seconds(self, asked: float | None) -> float:
        # Not all clients that were refused together come back together.
        apart = random.uniform(1.0, 1.25)
        if asked is not None:
            return asked * apart
        chosen = self._config.first_seconds * 2 ** (self._made - 1)
        return min(chosen, self._config.longest_seconds) * apart
