"""From nothing to a report and an answered search over a gallery of mixed versions, in about two minutes.

It calls the public command line as you would, and shows every command: learn three versions of a model from
the built-in glyphs, let the first and the last of them fill one gallery, serve it, and search it by HTTP.
"""

import argparse
import base64
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from holdfast.cli import INTERRUPTED, failure_of
from holdfast.config import load_experiment
from holdfast.data import open_source
from holdfast.evaluation import PAGE, REPORT
from holdfast.runs import RunFolder
from holdfast.store import open_store

EXPERIMENT = Path(__file__).with_name("quickstart.yaml")
SOURCE, SPLIT = "glyphs:", "evaluation"
OLD, NEW = range(5, 16), range(16, 20)
"""Of every character's 20 images: those that the first version put into the gallery, and those that the last
version added. The others only ask."""
HITS = 8

console = Console(soft_wrap=True, highlight=False)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", default="holdfast-store", help="folder or SQLAlchemy URL")
    parser.add_argument("--artifacts", help="folder or URI of the store's files, as for holdfast run")
    parser.add_argument("--experiment", type=Path, default=EXPERIMENT)
    arguments = parser.parse_args()
    started = time.monotonic()
    store = ["--store", arguments.store]
    store += ["--artifacts", arguments.artifacts] if arguments.artifacts else []

    holdfast("run", str(arguments.experiment), *store)
    with open_store(arguments.store, arguments.artifacts) as opened:
        run = RunFolder(opened, load_experiment(arguments.experiment).name)
        versions = json.loads(run.read(REPORT) or b"{}")["versions"]
        report, folder = run.place(PAGE), run.path.parent.parent / "quickstart"
    first, last = versions[0], versions[-1]

    for version, instances in ((first, OLD), (last, NEW)):
        file = folder / f"{version}.parquet"
        holdfast("embed", version, SOURCE, "--split", SPLIT, "--thumbnails", "-o", str(file), *store)
        keep_instances(file, instances)
        holdfast("gallery", "import", str(file), *store)

    promoted = holdfast("promote", last, *store, check=False) == 0
    with server(store) as client:
        show_search(client, None if promoted else last)

    console.print(f"Report:  {report}")
    program = (
        "holdfast"
        if shutil.which("holdfast")
        else os.path.relpath(Path(sys.executable).with_name("holdfast"))
    )
    console.print(f"Serve:   {program} serve {shlex.join(store)}   and open http://127.0.0.1:8000")
    console.print(f"Seconds: {time.monotonic() - started:.0f}")


def holdfast(*arguments: str, check: bool = True) -> int:
    """Run one command; what it says goes to the terminal. Ends the quickstart where it must not fail."""
    console.print(f"\n[bold]$ holdfast {shlex.join(arguments)}[/]")
    code = subprocess.run([sys.executable, "-m", "holdfast", *arguments]).returncode
    if check and code != 0:
        sys.exit(code)
    return code


def keep_instances(file: Path, instances: range) -> None:
    """Keep the rows of these instances of every character; a sample_id ends with its instance's number."""
    table = pq.read_table(file)
    kept = [int(name.rpartition("_")[2]) in instances for name in table["sample_id"].to_pylist()]
    pq.write_table(table.filter(pa.array(kept)), file)


@contextmanager
def server(store: list[str]) -> Iterator[httpx.Client]:
    """`holdfast serve` on a free port for as long as the block lasts; it has to end with exit code 0."""
    key = secrets.token_urlsafe(16)
    console.print(f"\n[bold]$ HOLDFAST_API_KEYS=admin:... holdfast serve --port 0 {shlex.join(store)}[/]")
    process = subprocess.Popen(
        [sys.executable, "-m", "holdfast", "serve", "--port", "0", *store],
        env={**os.environ, "HOLDFAST_API_KEYS": f"admin:{key}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = process.stdout.readline().strip()
        console.print(ready)
        address = next((word for word in ready.split() if word.startswith("http://")), None)
        if address is None:
            sys.exit(process.wait() or 1)
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=address, headers=headers, timeout=30) as client:
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    console.print(f"The server drained and ended with exit code {code}.\n")
    if code != 0:
        sys.exit(code)


def show_search(client: httpx.Client, only: str | None) -> None:
    """Search with one image that the gallery does not hold. `only`: the version that may be searched."""
    rows = open_source(SOURCE).read(SPLIT)
    row = rows.slice(rows["label"].to_pylist().index("Latin small letter g"), 1).to_pylist()[0]
    body: dict[str, Any] = {"image": base64.b64encode(row["image"]).decode(), "k": HITS}
    if only is not None:
        console.print(f"Not measured to be compatible, so the search is limited to entries of {only}.")
        body |= {"model": only, "versions": [only]}
    answer = client.post("/v1/search", json=body)
    if answer.status_code != 200:
        sys.exit(f"error: {answer.json()['error']['message']}")
    found = answer.json()
    console.print(
        f"[bold]POST /v1/search[/] with an image of '{row['label']}', embedded by {found['query_version']}:"
    )
    table = Table("", "score", "entry", "label", "embedded by", box=SIMPLE_HEAD)
    for hit in found["hits"]:
        label = hit["attributes"]["label"]
        mark = "[green]✓[/]" if label == row["label"] else "[red]✗[/]"
        table.add_row(mark, f"{hit['score']:.3f}", hit["id"], label, hit["embedded_by"])
    console.print(table)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        failure = failure_of(error, sys.argv)
        sys.stderr.write(f"error: {failure.message}\n")
        sys.exit(failure.exit_code)
