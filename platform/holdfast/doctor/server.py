"""Checks of what runs: the server at its address, its keys, and the Ray cluster that is named."""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from holdfast.base import HoldfastError
from holdfast.doctor.checks import Check, Said, fail, ok, warn
from holdfast.doctor.patient import Patient
from holdfast.jobs import look_at_cluster
from holdfast.store import Store

KEYS_VARIABLE = "HOLDFAST_API_KEYS"
ANSWER_SECONDS = 5.0
SLOW_SECONDS = 1.0
SOON = timedelta(days=7)


def server(patient: Patient) -> Said:
    """Whether the server answers, is ready, and is quick about it; without one, whether its port is free."""
    parts = urlsplit(patient.server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return fail(f"--server {patient.server!r} is no address: it begins with http:// or https://.")
    begun = time.monotonic()
    try:
        answer = _ready(patient.server)
    except ConnectionRefusedError:
        return ok(f"No server answers at {patient.server}, and its port is free.")
    except TimeoutError as error:
        return fail(
            f"The server at {patient.server} does not answer ({error}): see its log and whether its process "
            "still works (top), and start it anew."
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return warn(
            f"What listens at {patient.server} does not answer as a Holdfast server ({reason}): look which "
            f"process it is (ss -ltnp 'sport = :{parts.port or 80}'), and end it or serve at another --port."
        )
    seconds = time.monotonic() - begun
    if not answer.get("ready"):
        return fail(f"The server at {patient.server} is not ready: {answer.get('reason')}.")
    if answer.get("faults"):
        named = ", ".join(f"{name} ({fault})" for name, fault in answer["faults"].items())
        return fail(
            f"The server at {patient.server} refuses {named}: holdfast versions --check says why; then adopt "
            "the model anew, or mend its endpoint."
        )
    if answer.get("away"):
        return fail(
            f"The server at {patient.server} goes on without its {' and its '.join(answer['away'])}: "
            "searches are answered, writes with 503. See database and writer above, and the server's log."
        )
    if seconds > SLOW_SECONDS:
        return warn(
            f"The server at {patient.server} is ready, and took {seconds:.1f} s to say so: see processors "
            "and memory above, and holdfast_request_seconds in /metrics."
        )
    return ok(f"The server at {patient.server} is ready, at write {answer.get('seq')}.")


def cluster(patient: Patient) -> Said:
    """Whether the Ray cluster that is named can be joined."""
    address = patient.environment.get("RAY_ADDRESS", "").strip()
    if address in ("", "local"):
        return ok("RAY_ADDRESS names no cluster: Ray runs privately on this machine.")
    return ok(look_at_cluster())


def keys(store: Store, environment: Mapping[str, str]) -> Said:
    """Whether somebody can get in."""
    if environment.get(KEYS_VARIABLE, "").strip():
        from holdfast_serving.http import parse_keys

        try:
            roles = [role for role, _ in parse_keys(environment[KEYS_VARIABLE])]
        except HoldfastError as error:
            return fail(str(error))
        if "admin" not in roles:
            return warn(
                f"{KEYS_VARIABLE} has no admin key: nobody can promote or roll back over HTTP, only on this "
                "machine."
            )
        return ok(f"{KEYS_VARIABLE} counts alone, with keys of the roles {', '.join(sorted(set(roles)))}.")
    now = datetime.now(UTC)
    found = [key for key in store.keys.list() if key.state(now) != "revoked"]
    ended = [key.name for key in found if key.state(now) == "expired"]
    soon = [
        f"{key.name} on {key.expires_at:%Y-%m-%d}"
        for key in found
        if key.expires_at is not None and key.name not in ended and key.expires_at - now < SOON
    ]
    roles = [key.role for key in found if key.name not in ended]
    if ended:
        return warn(
            f"Expired: {', '.join(ended)}; who shows one is answered 401. Make another: holdfast keys create "
            f"NAME --role ROLE, and take the old one away: holdfast keys revoke {ended[0]}."
        )
    if soon:
        return warn(f"Keys that expire soon: {', '.join(soon)}. Hand out others first: holdfast keys create.")
    if not roles:
        return ok(
            "There are no keys yet: the first start of the server makes an admin key, and shows it once."
        )
    if "admin" not in roles:
        return warn(
            "No key has the role admin: nobody can promote or roll back over HTTP, only on this machine."
        )
    return ok(f"{len(roles)} keys of the roles {', '.join(sorted(set(roles)))}.")


def _ready(address: str) -> dict[str, Any]:
    """The answer of /readyz. Raises ConnectionRefusedError, other OSError, ValueError."""
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/readyz", timeout=ANSWER_SECONDS) as answer:
            content = answer.read(100_000)
    except urllib.error.HTTPError as error:
        content = error.read(100_000)
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            raise error.reason from None
        if isinstance(error.reason, socket.timeout | TimeoutError):
            raise TimeoutError(f"no answer in {ANSWER_SECONDS:g} s") from error
        raise
    found = json.loads(content)
    if not isinstance(found, dict) or "ready" not in found:
        raise ValueError("it has no /readyz of ours")
    return found


AROUND = (Check("server", server), Check("cluster", cluster))
