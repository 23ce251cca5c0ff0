"""Embedding and re-embedding that ask for GPUs: refused before any work, or brought where Ray has them."""

from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest
import torch

from holdfast.models import Encoder, ModelConfig
from holdfast.store import Draft, open_store
from tests.fixtures.clusters import Cluster, another_node
from tests.platform.jobs.test_backfill import png

pytestmark = pytest.mark.long

Holdfast = Callable[..., "Popen[str]"]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """With one version; beside it a folder of images."""
    torch.manual_seed(0)
    encoder = Encoder(ModelConfig(dimension=8, width=0.25)).eval()
    encoder.save(tmp_path / "encoder")
    with open_store(tmp_path / "store") as opened:
        opened.versions.publish(Draft("run", 1, 0, None, tmp_path / "encoder", "name: a", "d", {}))
    for number in range(3):
        file = tmp_path / "images" / f"class{number % 2}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(number))
    return tmp_path / "store"


def embed(holdfast: Holdfast, cluster: Cluster, store: Path) -> tuple[int, str]:
    images = f"folder:{store.parent / 'images'}"
    process = holdfast(
        *("embed", "v1", images, "-o", store.parent / "out.parquet", "--store", store),
        *("--gpus-per-worker", "0.5"),
        environment={**cluster.environment, "HOLDFAST_WAIT_SECONDS": "0"},
    )
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


def test_gpus_that_no_machine_has_are_refused(cluster: Cluster, holdfast: Holdfast, store: Path) -> None:
    code, said = embed(holdfast, cluster, store)
    assert code == 2, said
    assert "Embedding needs 1 CPU and 0.5 GPUs and the cluster has 2 CPUs and 0 GPUs" in said
    assert not (store.parent / "out.parquet").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_actor_goes_where_ray_has_a_gpu(cluster: Cluster, holdfast: Holdfast, store: Path) -> None:
    """And says in one sentence that PyTorch finds none there."""
    with another_node(cluster.environment, gpus=1):
        code, said = embed(holdfast, cluster, store)
    assert code == 2, said
    assert "--gpus-per-worker asks for a GPU and PyTorch finds none here" in said
    assert "Traceback" not in said
