"""Clients that hang up half way, for half an hour: does the memory of the server grow?

    python -m experiments.benchmarks.failures.hangups --minutes 30 --folder FOLDER
    python -m experiments.benchmarks.failures.hangups --quick --folder FOLDER

Starts a server of its own. Clients hang up in the middle of uploads of images, of imports of 1,000 entries
and of searches, when they have sent all and before they are answered, and in the middle of answers, beside
some that wait. They write the same entries again and again. FOLDER gets the memory of gateway, proxy and
writer every ten seconds (hangups.csv), the curves (hangups.svg), and the figures (hangups.json), which are
the last line, too: by kind of process MiB an hour over the last two thirds, with the 95 % interval, and what
the clients got.

The exit code is 1 if the anonymous memory of a process surely grows, if a client that waited
got no 200, or if the server is not well afterwards. `--quick` takes 20 s, in which its memory tells nothing.
"""

import argparse
import asyncio
import json
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from experiments.benchmarks.failures.bad_clients import Target
from experiments.benchmarks.failures.disturbances import make_store
from experiments.benchmarks.failures.growth import Watch, draw, keep_samples, slopes
from experiments.benchmarks.failures.hanging_up import Bodies, clients
from experiments.benchmarks.failures.whole import Whole
from experiments.benchmarks.harness.command import run_command
from experiments.benchmarks.harness.servers import KEY, holdfast_command, started
from experiments.benchmarks.serving.embeddings import picture
from holdfast.store import open_store

KINDS = ("gateway", "proxy", "writer")
QUICK_SECONDS = 20.0
WELL_SECONDS = 60.0


def measure(folder: Path, seconds: float, every: float, rate: float) -> dict[str, Any]:
    """The figures; curves and samples lie in `folder` then."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-hangups-")))
        with open_store(place / "store") as store:
            version = make_store(store, place)
        server = stack.enter_context(started(holdfast_command(store=str(place / "store")), f"admin:{KEY}"))
        whole = Whole(server.url, KEY, server.pid, gateways=1)
        whole.wait(WELL_SECONDS)
        parts = urlsplit(server.url)
        search = json.dumps({"image": picture(28, "PNG"), "k": 10}).encode()
        target = Target(parts.hostname or "127.0.0.1", parts.port or 80, KEY, search)
        got: dict[str, Counter[str]] = {}
        bodies = Bodies.made(target, version)
        with Watch(whole.processes, KINDS, every) as watch:
            asyncio.run(
                clients(
                    target,
                    bodies,
                    seconds,
                    rate,
                    lambda kind, what: got.setdefault(kind, Counter()).update([what]),
                )
            )
        recovered = whole.wait(WELL_SECONDS)
    folder.mkdir(parents=True, exist_ok=True)
    keep_samples(folder / "hangups.csv", watch.samples)
    found = {measure: slopes(watch.samples, measure) for measure in ("anonymous", "uss", "rss")}
    judged = found["anonymous"]
    draw(folder / "hangups.svg", watch.samples, judged)
    figures = {
        "seconds": seconds,
        "clients_a_second": rate,
        "mib_an_hour": {
            kind: {
                **{measure: _rounded(asdict(lines[kind])) for measure, lines in found.items()},
                "verdict": "grows" if judged[kind].grows else "no growth seen",
            }
            for kind in judged
        },
        "well_after_seconds": round(recovered, 1),
        "clients": {kind: dict(counts) for kind, counts in sorted(got.items())},
        "answered_otherwise": sum(
            counts.total() - counts["200"] for kind, counts in got.items() if kind.startswith("a whole")
        ),
    }
    (folder / "hangups.json").write_text(json.dumps(figures, indent=1))
    return figures


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in figures.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=20.0, help="clients a second")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two looks at the memory")
    parser.add_argument("--quick", action="store_true", help="20 s, or --seconds; a look a second")
    parser.add_argument("--seconds", type=float, default=QUICK_SECONDS, help="of the quick form")
    parser.add_argument("--folder", type=Path, required=True)
    chosen = parser.parse_args()
    seconds, every = (chosen.seconds, 1.0) if chosen.quick else (60 * chosen.minutes, chosen.every)
    figures = measure(chosen.folder, seconds, every, chosen.rate)
    print(json.dumps(figures))
    grown = [kind for kind, found in figures["mib_an_hour"].items() if found["verdict"] == "grows"]
    return 1 if figures["answered_otherwise"] or (grown and not chosen.quick) else 0


if __name__ == "__main__":
    run_command(main)
