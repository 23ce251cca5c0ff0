"""Requests a second by wrk, which leaves the cores to the server; by our own client where there is no wrk."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.serving import load

_SCRIPT = """local bodies = {}
for line in io.lines(%s) do bodies[#bodies + 1] = line end
local headers = {["Content-Type"] = "application/json", ["Authorization"] = "Bearer %s"}
local at = 0
request = function()
  at = at %% #bodies + 1
  return wrk.format("POST", nil, headers, bodies[at])
end
done = function(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.read + summary.errors.timeout
  io.write(string.format("FOUND %%.9g %%.9g %%.9g %%d\\n", summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end
"""


def ask(url: str, bodies: Sequence[str], key: str, clients: int, seconds: float) -> Record:
    """`clients` connections that ask these in turn, as fast as they are answered.

    Raises RuntimeError where requests failed.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as temporary:
        folder = Path(temporary)
        if shutil.which("wrk") is None:
            (folder / "body").write_text(bodies[0])
            options = ["--key", key, "--clients", str(clients), "--seconds", str(seconds)]
            return measure_in_child(load.__name__, [url, str(folder / "body"), *options])
        (folder / "bodies").write_text("\n".join(bodies))
        (folder / "ask.lua").write_text(_SCRIPT % (json.dumps(str(folder / "bodies")), key))
        command = [
            "wrk",
            "-t1",
            f"-c{clients}",
            f"-d{max(1, round(seconds))}",
            "--timeout",
            "60s",
            "-s",
            str(folder / "ask.lua"),
            url,
        ]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"FOUND (\S+) (\S+) (\S+) (\d+)", said)
    if found is None or int(found[4]):
        raise RuntimeError(f"requests to {url} failed:\n{said}")
    names = ("requests_per_second", "p50_ms", "p99_ms")
    return {name: float(figure) for name, figure in zip(names, found.groups()[:3], strict=True)}
