"""Streamed images, read by Ray Data on a cluster: what a worker sees is what it would see without Ray."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from holdfast.config import parse_experiment
from holdfast.jobs import run_experiment
from holdfast.learning import ignore_progress
from holdfast.store import open_store
from tests.fixtures.runs import TINY

pytestmark = pytest.mark.long

READS = """
import sys
from pathlib import Path
import numpy as np
from holdfast.base import DataError
from holdfast.data import Reading, Schedule, SplitConfig, load_images, read_here
from holdfast.jobs.runtime import prepare_environment, ray_session
from holdfast.models import Preprocessing

prepare_environment()
from holdfast.jobs.stream_on_ray import read_on_ray

images = load_images(f"parquet:{sys.argv[1]}", SplitConfig(), Preprocessing(), streamed=64).images
schedule = Schedule(images.stack.pieces(images.rows), 24, 0, images.stack.window)
part = Reading(images, schedule, np.arange(8, 17), 2, step=3)
with ray_session():
    there, here = read_on_ray(part), read_here(part)
    for ours, theirs in zip(there, here, strict=True):
        assert np.array_equal(ours, theirs)
        assert ours.flags.writeable
    early = read_on_ray(part)
    next(early)
    early.close()
    for file in Path(sys.argv[1]).iterdir():
        file.write_bytes(b"PAR1 gone PAR1")
    try:
        list(read_on_ray(part))
    except DataError as error:
        print(error)
"""


def test_it_reads_what_is_read_without_ray_and_names_what_is_lost(
    cluster,
    shards: Path,
    tmp_path: Path,
) -> None:
    copied = tmp_path / "copied"
    copied.mkdir()
    for file in shards.iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", READS, copied],
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be read as Parquet" in done.stdout


def test_a_worker_learns_what_is_learned_without_ray(cluster, holdfast, shards: Path, tmp_path: Path) -> None:
    data = {**TINY["data"], "source": f"parquet:{shards}", "streaming": True, "shuffle": 32}
    values = {**TINY, "data": data, "stream": {"tasks": 2, "validation": 0.25}}
    with open_store(tmp_path / "here") as store:
        run_experiment(store, parse_experiment(values), ignore_progress, publish_anyway=True)
        expected = [version.contract for version in store.versions.list()]
    file = tmp_path / "streamed.yaml"
    file.write_text(yaml.safe_dump(values))
    process = holdfast(
        *("run", file, "--store", tmp_path / "there", "--workers", 1, "--publish-anyway"),
        environment=cluster.environment,
    )
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    with open_store(tmp_path / "there") as store:
        assert [version.contract for version in store.versions.list()] == expected
