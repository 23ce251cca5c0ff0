"""Two workers over gloo against one: the same losses, the same weights."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.known_trunk import KIND, write_known

WORKER = """
import json, sys
from pathlib import Path
import torch
import torch.distributed as dist
sys.path.insert(0, sys.argv[1])
import conftest
from holdfast.data import Evaluation, StreamConfig
from holdfast.learning import Ancestor, Datasets, Ranks, SequencePlan, run_sequence
from holdfast.models import Preprocessing

rank, world, folder = int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
torch.set_num_threads(1)
if world > 1:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
held = conftest.image_set(6, 8, 9)
data = Datasets(conftest.image_set(12, 12, 1), Evaluation(held, held))
learning = {"epochs": 2, "batch_size": 17, "checkpoint_steps": 1000, "precision": "float32"}
class Nowhere:
    def latest(self): return None
    def save(self, state): pass
def learn(said):
    plan = SequencePlan(
        stream=StreamConfig(tasks=2),
        model={"dimension": 16, "preprocessing": Preprocessing(size=8), **said["model"]},
        learning={**learning, **said["learning"], "augment": {"mixup": 1, "crop": 0.5}},
        regularizers=(
            {"kind": "feature-distillation", "weight": 1.0},
            {"kind": "correlation-distillation", "weight": 10.0},
            {"kind": "prototype-alignment", "weight": 0.5},
        ),
    )
    publisher = conftest.MemoryPublisher()
    if said["taught"]:
        drawn = torch.randn(144, 12, generator=torch.Generator().manual_seed(1))
        vectors = torch.nn.functional.normalize(drawn)
        publisher.ancestor = Ancestor("v1", None, vectors=vectors.numpy())
    run_sequence(plan, data, publisher, Nowhere(), ranks=Ranks(rank, world))
    if rank > 0:
        return None  # the first one publishes
    histories = [one.history for one in publisher.learned.values()]
    norm = sum(float(v.double().pow(2).sum()) for v in publisher.learned[1].encoder.state_dict().values())
    return {"histories": histories, "norm": norm}
learned = {name: learn(said) for name, said in json.loads(sys.argv[5]).items()}
if rank == 0:
    (folder / f"{world}.json").write_text(json.dumps(learned))
if world > 1:
    dist.destroy_process_group()
"""


def run(world: int, folder: Path, plans: dict) -> dict:
    """What so many workers learn by each of the plans, one after the other in the same processes."""
    here = Path(__file__).parent
    arguments = [str(world), str(folder), json.dumps(plans)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(here), str(rank), *arguments], cwd=here.parents[2]
        )
        for rank in range(world)
    ]
    try:
        for process in processes:
            assert process.wait(timeout=600) == 0
    finally:
        for process in processes:
            process.kill()
    return json.loads((folder / f"{world}.json").read_text())


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[dict]]:
    """What one and two workers learn with a trunk."""
    folder = tmp_path_factory.mktemp("ranks")
    weights = write_known(folder / "known.safetensors", channels=1)
    plans = {
        "conv4": {"model": {"width": 0.125}, "learning": {}, "taught": False},
        "lora": {
            "model": {"trunk": {"kind": KIND, "weights": weights, "train": "lora", "lora": {"rank": 2}}},
            "learning": {"accumulate": 3, "optimizer": {"trunk_learning_rate": 0.01, "layer_decay": 0.5}},
            "taught": True,
        },
    }
    found = [run(world, folder, plans) for world in (1, 2)]
    return lambda trunk: [each[trunk] for each in found]


@pytest.mark.parametrize("trunk", ["conv4", "lora"])
def test_two_workers_learn_what_one_learns(trunk, learned):
    """A global batch of 17 is shared as 9 and 8; statistics, pairs, prototypes and mixtures are over all of
    it. One of them begins with what a parent without a network made of the images."""
    one, two = learned(trunk)
    for alone, together in zip(one["histories"], two["histories"], strict=True):
        for epoch_alone, epoch_together in zip(alone, together, strict=True):
            assert epoch_together == pytest.approx(epoch_alone, abs=1e-3)
    assert two["norm"] == pytest.approx(one["norm"], rel=1e-3)
