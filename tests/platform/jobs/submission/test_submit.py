"""Submission to a Ray cluster that was started separately."""

import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from holdfast.data import open_source
from holdfast.store import open_store

pytestmark = pytest.mark.long


def submit(arguments, environment):
    return subprocess.run(
        [sys.executable, "-m", "holdfast", "submit", *map(str, arguments)],
        env=environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def test_a_submitted_run_learns_on_the_cluster(cluster, tiny_file, tmp_path):
    """Where its data are is a secret of whoever submits it, which its workers need as well."""
    address = cluster.dashboard
    environment = {name: value for name, value in cluster.environment.items() if name != "RAY_ADDRESS"}
    source = "glyphs:?classes=36&instances=8"
    pq.write_table(open_source(source).read(), tmp_path / "images.parquet")
    tiny_file.write_text(tiny_file.read_text().replace(source, "parquet:$PLACE_TOKEN/images.parquet"))
    environment["PLACE_TOKEN"] = str(tmp_path)
    command = ["run", tiny_file, "--store", tmp_path / "store", "--set", "learning.epochs=1", "--workers", 1]
    done = submit(["--address", address, "--json", "--env", "PLACE_TOKEN", "--", *command], environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "SUCCEEDED"
    with open_store(tmp_path / "store") as opened:
        assert [version.name for version in opened.versions.list()] == ["v1", "v2", "v3"]
    # Another verb, which fails there as it would here; and what the cluster says of both.
    command = ["evaluate", tiny_file, "--store", tmp_path / "store", "--version", "v9"]
    options = ("--env", "HOME", "--env", "PLACE_TOKEN")
    failed = submit(["--address", address, *options, "--", *command], environment)
    assert failed.returncode == 2, failed.stderr
    assert "v9" in failed.stderr
    listed = [sys.executable, "-m", "holdfast", "jobs", "list", "--address", address, "--json"]
    jobs = json.loads(subprocess.run(listed, env=environment, capture_output=True, text=True).stdout)
    # Other tests have submitted to the same cluster.
    ours = [(job["status"], job["what"].split()[0]) for job in jobs if str(tiny_file) in job["what"]]
    assert ours == [("FAILED", "evaluate"), ("SUCCEEDED", "run")]
