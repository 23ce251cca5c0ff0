"""What a running server says of the index that it searches."""

import json
import os
import urllib.error
import urllib.request
from typing import Any

from holdfast.base import ConfigError, StoreError

KEY_VARIABLE = "HOLDFAST_API_KEY"
_SECONDS = 3600.0  # the whole gallery is compared


def ask_server(address: str) -> dict[str, Any]:
    """The answer of `GET /v1/gallery/verify`.

    Raises ConfigError for what is no address, or without a key; StoreError if the server does not answer.
    """
    if not address.startswith(("http://", "https://")):
        raise ConfigError(f"--server {address!r} is no address: it begins with http:// or https://.")
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise ConfigError(f"The server asks for an admin key: set {KEY_VARIABLE}.")
    request = urllib.request.Request(
        f"{address.rstrip('/')}/v1/gallery/verify", headers={"Authorization": f"Bearer {key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        said = error.read(1000).decode(errors="replace")
        raise StoreError(f"The server at {address} answered {error.code}: {said}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise StoreError(f"The server at {address} did not answer: {reason}.") from error
