"""What is shared among the machines of a cluster: here two nodes of one machine, which see other folders.

`/proc/self/cwd` is another folder to each process, as `/home/me` is another one on each machine.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from experiments.benchmarks.harness.published import publish_untrained
from holdfast.jobs import embed_source
from holdfast.learning import ignore_progress
from holdfast.models import ModelConfig
from holdfast.store import open_store
from tests.fixtures.clusters import Cluster, another_node

pytestmark = pytest.mark.long

WORK = """
import json, sys
from pathlib import Path
from holdfast.base import ConfigError
from holdfast.jobs import embed_source
from holdfast.jobs.reaching import require_reached
from holdfast.jobs.runtime import ray_session
from holdfast.learning import ignore_progress
from holdfast.store import open_store

said = []
with ray_session():
    for folder in sys.argv[3:]:
        try:
            require_reached({"storage_path": folder, "storage_filesystem": None})
            said.append("reached")
        except ConfigError as error:
            said.append(str(error))
with open_store(sys.argv[1]) as store:
    place = Path(sys.argv[2])
    done = embed_source(store, "v1", "glyphs:?classes=90&instances=8", None, place, ignore_progress, large=1)
print(json.dumps([said, done]))
"""


def test_a_folder_that_others_do_not_see_is_refused_and_embedding_keeps_its_order(
    cluster: Cluster, tmp_path: Path
) -> None:
    with open_store(tmp_path / "store") as store:
        publish_untrained(store, tmp_path, ModelConfig(dimension=8, width=0.25))
        images = "glyphs:?classes=90&instances=8"
        embed_source(store, "v1", images, None, tmp_path / "here.parquet", ignore_progress)
    with another_node(cluster.environment):
        done = subprocess.run(
            [
                *(sys.executable, "-c", WORK, "store", "there.parquet"),
                *(str(tmp_path / "shared"), "/proc/self/cwd/alone"),
            ],
            env=cluster.environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    # Ray may have said before that a node of another test is gone.
    (shared, alone), (count, _) = json.loads(done.stdout.splitlines()[-1])
    assert shared == "reached"
    assert alone.startswith("/proc/self/cwd/alone is not reached from ")
    assert "s3://" in alone
    here, there = (pq.read_table(tmp_path / f"{place}.parquet") for place in ("here", "there"))
    assert len(there) == count
    assert there.drop_columns("vector").equals(here.drop_columns("vector"))
    np.testing.assert_allclose(
        np.stack(there.column("vector").to_pylist()), np.stack(here.column("vector").to_pylist()), atol=1e-5
    )
