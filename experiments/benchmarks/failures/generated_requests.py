"""Requests that Schemathesis makes up from the OpenAPI document, sent to a real server.

    python -m experiments.benchmarks.failures.generated_requests --database sqlite --requests 20000
    python -m experiments.benchmarks.failures.generated_requests --database postgresql --requests 20000

The server has a small store with three versions and some entries. Each operation gets valid, nearly valid
and malformed requests, alone and in sequences (write, then get and delete; begin, then pause), with one seed
after another until so many were answered. The last line is JSON; the exit code is 1 if an answer was a 5xx,
or had a status, a media type or a shape that the document does not declare.

`--database postgresql` starts a server of its own for as long as it lasts. `generated_hooks.py` puts real
images, vectors and ids into about half of the requests, and leaves out what takes the live or the writing
version away, after which 503 is right.
"""

import argparse
import contextlib
import copy
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from experiments.benchmarks.harness.child import module_environment
from experiments.benchmarks.harness.postgres import running_postgres
from experiments.benchmarks.harness.servers import KEY, running_holdfast
from holdfast.entries import Entries, Entry
from holdfast.models import Encoder, ModelConfig, Preprocessing
from holdfast.store import Compatibility, Draft, open_store

DIMENSION = 4
HOOKS = "experiments.benchmarks.failures.generated_hooks"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
WORKERS = 2
SEEDS = 1000


def fill(place: tuple[str, str], folder: Path) -> None:
    """v1 and v3 that search each other, v2 that nobody may search; v1 live; some entries of each."""
    config = ModelConfig(dimension=DIMENSION, width=0.125, preprocessing=Preprocessing(size=16))
    torch.manual_seed(1)
    first, other = Encoder(config).eval(), Encoder(config).eval()
    with open_store(*place) as store:
        for task, encoder in enumerate((first, other, copy.deepcopy(first))):
            saved = folder / f"encoder{task}"
            encoder.save(saved)
            parent = f"v{task}" if task else None
            store.versions.publish(Draft("generated", 1, task, parent, saved, "name: generated", "none", {}))
        measured = [("v3", "v1", True), ("v1", "v3", True), ("v2", "v1", False)]
        store.compatibility.record(
            [Compatibility(a, b, 60.0, 50.0, 8.0, 12.0, good, "generated") for a, b, good in measured]
        )
        store.traffic.promote("v1")
        unit = np.eye(DIMENSION, dtype=np.float32)
        made = [
            Entry(f"{each}", f"v{1 + each % 3}", unit[each % DIMENSION], {"a": each}) for each in range(30)
        ]
        Entries(store).upsert(made)


def ask(
    url: str, key: str, seed: int, examples: int, folder: Path, more: Sequence[str] = ()
) -> tuple[Counter[str], str]:
    """Answers by operation and status of one seed, and the report of what was wrong with them, if any. `more`
    are options of Schemathesis."""
    counts = folder / f"counts-{seed}.json"
    report = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{url}/openapi.json"),
            *("--header", f"Authorization: Bearer {key}", "--checks", CHECKS, "--workers", str(WORKERS)),
            *("--seed", str(seed), "--max-examples", str(examples), "--generation-database", "none"),
            *("--suppress-health-check", "all", "--continue-on-failure", "--request-timeout", "60"),
            *more,
        ],
        env=module_environment(SCHEMATHESIS_HOOKS=HOOKS, GENERATED_COUNTS=str(counts)),
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if not counts.exists():
        raise RuntimeError(f"Schemathesis did not run: {report.stdout}{report.stderr}")
    return Counter(json.loads(counts.read_text())), "" if report.returncode == 0 else report.stdout


def measure(
    place: tuple[str, str], folder: Path, requests: int, examples: int
) -> tuple[Counter[str], list[str]]:
    """At least so many answers by operation and status, and the reports of the seeds that failed."""
    fill(place, folder)
    answered: Counter[str] = Counter()
    failures: list[str] = []
    database, artifacts = place
    with running_holdfast(store=database, artifacts=artifacts, sources=[artifacts]) as url:
        for seed in range(1, SEEDS):
            counts, failure = ask(url, KEY, seed, examples, folder)
            answered += counts
            failures += [failure] if failure else []
            print(f"seed {seed}: {answered.total():,} of {requests:,}", file=sys.stderr, flush=True)
            if answered.total() >= requests:
                break
    return answered, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--requests", type=int, default=20_000, help="at least so many are sent")
    parser.add_argument("--examples", type=int, default=100, help="of an operation and a seed")
    given = parser.parse_args()
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-generated-") as temporary,
        contextlib.ExitStack() as stack,
    ):
        folder = Path(temporary)
        database = str(folder / "store")
        if given.database == "postgresql":
            database = stack.enter_context(running_postgres())
        place = database, str(folder / "artifacts")
        answered, failures = measure(place, folder, given.requests, given.examples)
    statuses: Counter[str] = Counter()
    for each, count in answered.items():
        statuses[each.rpartition(" ")[2]] += count
    for failure in failures:
        print(failure, file=sys.stderr)
    result = {
        "database": given.database,
        "requests": answered.total(),
        "operations": len({each.rpartition(" ")[0] for each in answered}),
        "statuses": dict(sorted(statuses.items())),
        "failures": len(failures),
        "seconds": round(time.monotonic() - begun),
    }
    print(json.dumps(result))
    return 1 if failures or any(status.startswith("5") for status in statuses) else 0


if __name__ == "__main__":
    sys.exit(main())
