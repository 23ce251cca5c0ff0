"""Changes, kills and a database that restarts beside 50 requests a second: who notices?

    python -m experiments.benchmarks.failures.uninterrupted --minutes 10
    python -m experiments.benchmarks.failures.uninterrupted --quick

Starts a PostgreSQL and a server with two gateways of its own. One after the other, again and again: versions
are published, made the shadow and the canary, promoted, rolled back, taken out again and retired; SIGKILL
hits the proxy, a gateway, the writer, and what looks after the proxy; the database stops for some seconds.
The requests come at their times: searches, embeddings, writes.

No request may fail but writes while the database is away, which have to be answered 503 with Retry-After.
Told apart are requests that failed at the first try, and those that failed for a client that sends a request
once more over a new connection, as `holdfast_serving.client` does: what a killed process had in its hands is
lost, whoever holds it. The last line is JSON; the exit code is 1 if a request failed for such a client, if a
write got another answer while the database was away, or if a change was refused. `--folder` keeps it as
uninterrupted.json, and all outcomes that were not good as uninterrupted.csv.
"""

import argparse
import asyncio
import csv
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.failures.disturbances import Disturbances, Happened, make_store
from experiments.benchmarks.failures.steady_load import Load, Mix, Outcome
from experiments.benchmarks.failures.whole import Whole
from experiments.benchmarks.harness.command import run_command
from experiments.benchmarks.harness.postgres import own_postgres
from experiments.benchmarks.harness.servers import holdfast_command, started
from holdfast.store import open_store
from holdfast_serving.client import Client

PER_SECOND = 50.0
GATEWAYS = 2
SPACING = 12.0
"""Seconds between two disturbances."""
QUICK_SPACING = 2.0
WARM_UP = 3.0


def measure(
    seconds: float, per_second: float, spacing: float, order: Sequence[str]
) -> tuple[dict[str, Any], list[Outcome]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-uninterrupted-")))
        database = stack.enter_context(own_postgres())
        place = {"store": database.url, "artifacts": str(folder / "artifacts")}
        store = stack.enter_context(open_store(*place.values()))
        version = make_store(store, folder)
        key = store.keys.create("admin")
        server = stack.enter_context(started(holdfast_command(**place, replicas=GATEWAYS), keys=""))
        client = stack.enter_context(Client(server.url, key))
        client.wait_until_ready()
        whole = Whole(server.url, key, server.pid, GATEWAYS)
        disturbances = Disturbances(store, folder, client, whole, database, order)
        load = Load(server.url, key, Mix(version, store.versions.get(version).dimension), per_second)
        happened = asyncio.run(_run(load, disturbances, seconds, spacing))
        away = disturbances.away
    return judged(load.outcomes, happened, away), load.outcomes


async def _run(load: Load, disturbances: Disturbances, seconds: float, spacing: float) -> list[Happened]:
    """Disturbances at their times until `seconds` are over, beside the load, which outlasts the last one."""
    happened: list[Happened] = []
    over = False
    loaded = asyncio.create_task(load.run(lambda: over))
    begun = time.monotonic() + WARM_UP
    for number in range(round(seconds / spacing)):
        await asyncio.sleep(max(0.0, begun + number * spacing - time.monotonic()))
        happened.append(await asyncio.to_thread(disturbances.next))
        print(f"{happened[-1].what}: {happened[-1].said}", file=sys.stderr, flush=True)
    await asyncio.sleep(max(spacing, begun + seconds - time.monotonic()))
    over = True
    await loaded
    return happened


def judged(
    outcomes: list[Outcome], happened: list[Happened], away: list[tuple[float, float]]
) -> dict[str, Any]:
    """The figures. `away`: when the database was, from and to."""
    excused = [outcome for outcome in outcomes if outcome.kind == "write" and _meets(outcome, away)]
    refused = [outcome for outcome in excused if outcome.failed]
    rude = [outcome for outcome in refused if not (outcome.first == "503" and outcome.asks_again)]
    counted = [outcome for outcome in outcomes if not (outcome.failed and outcome in excused)]
    failed = [outcome for outcome in counted if outcome.failed]
    twice = [outcome for outcome in failed if outcome.failed_twice]
    searches = [1000 * outcome.seconds for outcome in outcomes if outcome.kind == "search"] or [float("nan")]
    return {
        "requests": dict(Counter(outcome.kind for outcome in outcomes)),
        "failed_at_first": len(failed),
        "failed_at_first_by": _by_cause(failed, happened),
        "failed_when_sent_once_more": len(twice),
        "failed_when_sent_once_more_by": _by_cause(twice, happened),
        "writes_while_database_away": len(excused),
        "of_them_503_with_retry_after": len(refused) - len(rude),
        "of_them_refused_otherwise": len(rude),
        "database_away_seconds": round(sum(end - start for start, end in away), 1),
        "changes_refused": [each.said for each in happened if not each.well],
        "disturbances": dict(Counter(each.what for each in happened)),
        "search_ms": {
            name: round(float(np.percentile(searches, share)), 1)
            for name, share in (("p50", 50), ("p99", 99), ("max", 100))
        },
    }


def _meets(outcome: Outcome, away: list[tuple[float, float]]) -> bool:
    return any(outcome.sent <= end and start <= outcome.sent + outcome.seconds for start, end in away)


def _by_cause(outcomes: list[Outcome], happened: list[Happened]) -> dict[str, dict[str, int]]:
    """How often what was got, by the disturbance that came last before the answer."""
    found: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        ended = outcome.sent + outcome.seconds
        cause = next((each.what for each in reversed(happened) if each.at <= ended), "before all")
        got = outcome.first if not outcome.second else f"{outcome.first}, then {outcome.second}"
        found.setdefault(cause, Counter())[f"{outcome.kind}: {got}"] += 1
    return {cause: dict(counts) for cause, counts in found.items()}


def keep(folder: Path, figures: dict[str, Any], outcomes: list[Outcome]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "uninterrupted.json").write_text(json.dumps(figures, indent=1))
    with (folder / "uninterrupted.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(asdict(Outcome("", 0, 0, ""))))
        table.writeheader()
        table.writerows(asdict(outcome) for outcome in outcomes if outcome.failed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--per-second", type=float, default=PER_SECOND)
    parser.add_argument("--quick", action="store_true", help="each disturbance once, two seconds apart")
    parser.add_argument("--only", action="append", choices=Disturbances.ORDER, help="some disturbances")
    parser.add_argument("--folder", type=Path, help="where the figures are kept")
    chosen = parser.parse_args()
    order = tuple(chosen.only or Disturbances.ORDER)
    spacing = QUICK_SPACING if chosen.quick else SPACING
    seconds = len(order) * spacing if chosen.quick else 60 * chosen.minutes
    figures, outcomes = measure(seconds, chosen.per_second, spacing, order)
    figures = {"seconds": seconds, "per_second": chosen.per_second, **figures}
    if chosen.folder is not None:
        keep(chosen.folder, figures, outcomes)
    print(json.dumps(figures))
    broken = ("failed_when_sent_once_more", "of_them_refused_otherwise", "changes_refused")
    return 1 if any(figures[name] for name in broken) else 0


if __name__ == "__main__":
    run_command(main)
