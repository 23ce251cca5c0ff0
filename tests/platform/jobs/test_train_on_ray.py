"""A run as a Ray Train job: killed and restarted, with several workers, with a user's mistake.

Where nothing hangs on it, the job joins a cluster in place of starting a Ray of its own.
"""

import json
import os
import random
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from holdfast.data import open_source
from holdfast.jobs.train import run_experiment
from holdfast.learning.progress import ignore_progress
from holdfast.store import open_store
from tests.fixtures.trackers import read_events
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.long

SMALL_RAY = ("--set", "scaling.cpus_per_worker=1")


def finish(process, seconds=600):
    output, _ = process.communicate(timeout=seconds)
    return process.returncode, output


def contracts(store):
    with open_store(store) as opened:
        return [version.contract for version in opened.versions.list()]


def test_killed_runs_go_on_to_the_same_weights(cluster, holdfast, tiny, tiny_file, tmp_path):
    """SIGKILL to the whole process group at three random moments, once with Ray; a cluster finishes it."""
    with open_store(tmp_path / "whole") as whole:
        run_experiment(whole, tiny(), ignore_progress)

    store, checkpoints = tmp_path / "broken", tmp_path / "broken/runs/tiny/checkpoints-1"
    moments = sorted(random.sample(range(8), 3))
    workers = random.sample((0, 0, 1), 3)
    print(f"killed after checkpoints {moments} with workers {workers}")
    for least, count in zip(moments, workers, strict=True):
        process = holdfast("run", tiny_file, "--store", store, "--workers", count, *SMALL_RAY)

        def has_come_so_far(least=least, process=process):
            assert process.poll() is None, process.communicate()[0]
            saved = sorted(checkpoints.glob("checkpoint-*.pt"))
            return saved and int(saved[-1].stem.split("-")[1]) >= least

        wait_until(has_come_so_far, 600)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    command = ("run", tiny_file, "--store", store, "--workers", 1, *SMALL_RAY)
    code, output = finish(holdfast(*command, environment=cluster.environment))
    assert code == 0, output
    assert contracts(store) == contracts(tmp_path / "whole")


TAKES_A_CPU = """
import ray, sys
ray.init(address="auto", log_to_driver=False)
held = ray.util.placement_group([{"CPU": 1}])
ray.get(held.ready())
print("taken", flush=True)
sys.stdin.read()
"""


def test_two_workers_learn_what_one_learns(cluster, holdfast, tiny, tiny_file, tmp_path):
    """Batch statistics and pair losses are over the global batch, so the first task's losses agree.

    Of the two CPUs one is taken at first, and the run says what it waits for.
    """
    one = tiny(stream={"tasks": 1, "validation": 0.25})
    with open_store(tmp_path / "one") as store:
        run_experiment(store, one, ignore_progress)
        alone = store.versions.get("v1").metrics["history"]
    told = tmp_path / "told"
    tracking = [{"kind": "tests.fixtures.trackers:RecordingConfig", "file": str(told)}]
    tiny_file.write_text(tiny(stream={"tasks": 1, "validation": 0.25}, tracking=tracking).to_yaml())
    other = subprocess.Popen(
        [sys.executable, "-c", TAKES_A_CPU],
        env=cluster.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == "taken\n"
    command = ("run", tiny_file, "--store", tmp_path / "two", "--workers", 2, *SMALL_RAY)
    process = holdfast(*command, environment=cluster.environment)
    said = next((line for line in process.stdout if "waits for" in line), "")
    other.communicate("", timeout=60)
    assert "Run 'tiny' waits for 2 times 1 CPU; free on all machines together: 1 CPU (for 3" in said
    code, output = finish(process)
    assert code == 0, output
    events = [each["event"] for each in read_events(told)]
    assert events[:1] + events[-3:] == ["Begun", "TaskEnded", "VersionPublished", "Ended"]
    assert "Stepped" in events
    with open_store(tmp_path / "two") as store:
        together = store.versions.get("v1").metrics["history"]
    for epoch_alone, epoch_together in zip(alone, together, strict=True):
        assert epoch_together == pytest.approx(epoch_alone, abs=1e-3)


def test_a_mistake_on_one_worker_is_one_sentence_and_no_other_waits_for_it(
    cluster, holdfast, tiny_file, tmp_path
):
    """As where one machine of a cluster lacks the data: RANK is set on the workers alone."""
    images = open_source("glyphs:?classes=36&instances=8").read()
    for who in ("$RANK", "0"):
        pq.write_table(images, tmp_path / f"seen-by-{who}.parquet")
    process = holdfast(
        "run", tiny_file, "--store", tmp_path / "store", "--workers", 2, *SMALL_RAY,
        "--set", f"data.source=parquet:{tmp_path}/seen-by-$RANK.parquet", environment=cluster.environment,
    )  # fmt: skip
    code, output = finish(process, seconds=120)
    assert code == 2, output
    assert f"there is no file or folder {tmp_path}/seen-by-1.parquet" in output
    assert "Traceback" not in output
    with open_store(tmp_path / "store") as opened:
        assert opened.versions.list() == []


def test_a_run_reads_from_the_users_folder_and_leaves_nothing_there(
    holdfast, tiny_file, tmp_path, monkeypatch
):
    """Its report, its checkpoints and what Ray writes lie with the store's files, in a remote file system.

    And with --json the report is all that standard output holds.
    """
    pq.write_table(open_source("glyphs:?classes=36&instances=8").read(), tmp_path / "glyphs.parquet")
    where = ("--store", f"sqlite:///{tmp_path / 'x.db'}")
    place = ("--artifacts", f"fsspec+file://{tmp_path / 'bucket'}")
    short = ("--set", "stream.tasks=1", "--set", "learning.epochs=1")
    source = ("--set", "data.source=parquet:../glyphs.parquet")
    for name, more in (("here", (*place, "--json")), ("there", ())):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        options = (*where, *more, *short, *source, "--workers", 1, *SMALL_RAY)
        process = holdfast("run", tiny_file, *options, stderr=subprocess.PIPE)
        output, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        assert not any((tmp_path / name).iterdir())
        if "--json" in more:
            assert json.loads(output)["versions"] == ["v1"]
    assert "is already finished" in errors
    (run,) = tmp_path.glob("bucket/stores/*/runs/tiny")
    assert {path.name for path in run.iterdir()} >= {"report.json", "report.html", "checkpoints-1", "ray"}
    assert list(run.glob("checkpoints-1/checkpoint-*.pt"))
