"""A run as a Ray Train job: killed and restarted, with several workers, with a user's mistake."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from holdfast.data import open_source
from holdfast.store import open_store

SMALL_RAY = ("--set", "scaling.cpus_per_worker=1")


def finish(process, seconds=240):
    output, _ = process.communicate(timeout=seconds)
    return process.returncode, output


def contracts(store):
    with open_store(store) as opened:
        return [version.contract for version in opened.versions()]


def test_killed_runs_go_on_to_the_same_weights(holdfast, tiny_file, tmp_path):
    """SIGKILL to the whole process group at three random moments; then the run is finished."""
    whole = finish(holdfast("run", tiny_file, "--store", tmp_path / "whole", "--workers", 0))
    assert whole[0] == 0, whole[1]

    store, checkpoints = tmp_path / "broken", tmp_path / "broken/runs/tiny/checkpoints-1"
    moments = sorted(random.sample(range(8), 3))
    print(f"killed after checkpoints {moments}")
    for least in moments:
        process = holdfast("run", tiny_file, "--store", store, "--workers", 1, *SMALL_RAY)
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline and process.poll() is None:
            saved = sorted(checkpoints.glob("checkpoint-*.pt"))
            if saved and int(saved[-1].stem.split("-")[1]) >= least:
                break
            time.sleep(0.02)
        assert process.poll() is None, process.communicate()[0]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    code, output = finish(holdfast("run", tiny_file, "--store", store, "--workers", 1, *SMALL_RAY))
    assert code == 0, output
    assert contracts(store) == contracts(tmp_path / "whole")


def test_two_workers_learn_what_one_learns(holdfast, tiny_file, tmp_path):
    """Batch statistics and pair losses are over the global batch, so the first task's losses agree."""
    histories = []
    for workers in (0, 2):
        store = tmp_path / f"store-{workers}"
        code, output = finish(holdfast("run", tiny_file, "--store", store, "--workers", workers, *SMALL_RAY))
        assert code == 0, output
        with open_store(store) as opened:
            histories.append(opened.version("v1").metrics["history"])
    for one, two in zip(*histories, strict=True):
        assert two == pytest.approx(one, abs=1e-3)


def test_a_mistake_on_a_worker_is_one_sentence(holdfast, tiny_file, tmp_path):
    process = holdfast(
        "run", tiny_file, "--store", tmp_path / "store", "--workers", 1, *SMALL_RAY,
        "--set", "learning.optimizer.learning_rate=1e30",
    )  # fmt: skip
    code, output = finish(process)
    assert code == 2
    assert "The term 'classification' became" in output
    assert "Traceback" not in output
    with open_store(tmp_path / "store") as opened:
        assert opened.versions() == []


def test_a_relative_source_means_the_users_folder(tiny_file, tmp_path):
    """And with --json the report is all that standard output holds."""
    table = open_source("glyphs:?classes=36&instances=8").read()
    pq.write_table(table, tmp_path / "glyphs.parquet")
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "run", tiny_file, "--json", "--workers", "1",
         "--set", "data.source=parquet:glyphs.parquet"],
        cwd=tmp_path, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["versions"] == ["v1", "v2", "v3"]
    assert contracts(tmp_path / "holdfast-store")


def test_a_run_over_a_database_leaves_nothing_where_it_was_started(
    holdfast, tiny_file, tmp_path, monkeypatch
):
    """Its report, its checkpoints and what Ray writes lie with the store's files, in a remote file system."""
    where = ("--store", f"sqlite:///{tmp_path / 'x.db'}")
    place = ("--artifacts", f"fsspec+file://{tmp_path / 'bucket'}")
    short = ("--set", "stream.tasks=1", "--set", "learning.epochs=1")
    for name, given in (("here", place), ("there", ())):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        code, output = finish(holdfast("run", tiny_file, *where, *given, *short, "--workers", 1, *SMALL_RAY))
        assert code == 0, output
        assert not any((tmp_path / name).iterdir())
    assert "is already finished" in output
    (run,) = tmp_path.glob("bucket/stores/*/runs/tiny")
    assert {path.name for path in run.iterdir()} >= {"report.json", "report.html", "checkpoints-1", "ray"}
    assert list(run.glob("checkpoints-1/checkpoint-*.pt"))
