"""Hooks of Schemathesis for `generated_requests.py`: what is put in and left out, and what was answered."""

import ast
import atexit
import base64
import io
import json
import os
import sys
import threading
import zlib
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import schemathesis
from PIL import Image

COUNTS: Counter[str] = Counter()
LOCK = threading.Lock()
TRAFFIC = {"epoch": 1}  # as the server told it last


def one_at_a_time(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, for which threads wait for one another."""
    lock = threading.RLock()

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return function(*args, **kwargs)

    return called


if sys.version_info < (3, 11, 8):
    # Hypothesis parses lambdas in all workers; there two at once fail (CPython's issue 106905).
    ast.parse = one_at_a_time(ast.parse)


def picture() -> str:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((20, 20)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


# What no generator comes upon, so that requests reach what lies behind the first refusal.
REAL: dict[str, Any] = {
    "image": picture(),
    "input": picture(),
    "vector": [0.0, 1.0, 0.0, 0.0],
    "id": "1",
    "ids": ["1", "31"],
    "model": "v1",
    "version": "v1",
    "target": "v3",
    "kind": "re-embed",
}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Puts real values into about half of the bodies; leaves out what would take the live or the writing
    version away."""
    if not isinstance(case.body, dict):
        return
    if case.operation.path == "/v1/traffic":
        for name in ("query_version", "write_version"):
            if case.body.get(name, "") is None:
                case.body.pop(name)
    chance = zlib.crc32(repr(case.body).encode("utf-8", "surrogatepass"))
    entries = case.body.get("entries")
    for part in (case.body, *(entries if isinstance(entries, list) else ())):
        for number, (name, value) in enumerate((REAL | {"expect_epoch": TRAFFIC["epoch"]}).items()):
            if isinstance(part, dict) and part.get(name) is not None and chance >> number & 1:
                part[name] = value


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    with LOCK:
        COUNTS[f"{case.operation.method.upper()} {case.operation.path} {response.status_code}"] += 1
        if case.operation.path.startswith("/v1/traffic") and response.status_code == 200:
            TRAFFIC["epoch"] = json.loads(response.content or b"{}").get("epoch", TRAFFIC["epoch"])


@atexit.register
def write() -> None:
    Path(os.environ["GENERATED_COUNTS"]).write_text(json.dumps(COUNTS))
