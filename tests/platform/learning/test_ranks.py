"""Two workers over gloo against one: the same losses, the same weights."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = """
import json, sys
from pathlib import Path
import torch
import torch.distributed as dist
sys.path.insert(0, sys.argv[1])
import conftest
from holdfast.data import Evaluation, StreamConfig
from holdfast.learning import Datasets, FolderCheckpoints, LearningConfig, Ranks, SequencePlan, run_sequence
from holdfast.models import ModelConfig, Preprocessing

rank, world, folder = int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
torch.set_num_threads(1)
if world > 1:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
held = conftest.image_set(6, 8, 9)
data = Datasets(conftest.image_set(12, 12, 1), Evaluation(held, held))
plan = SequencePlan(
    stream=StreamConfig(tasks=2),
    model=ModelConfig(dimension=16, width=0.125, preprocessing=Preprocessing(size=8)),
    learning=LearningConfig(
        epochs=2, batch_size=17, checkpoint_steps=1000, precision="float32", augment={"mixup": 1, "crop": 0.5}
    ),
    regularizers=(
        {"kind": "feature-distillation", "weight": 1.0},
        {"kind": "correlation-distillation", "weight": 10.0},
        {"kind": "prototype-alignment", "weight": 0.5},
    ),
)
publisher = conftest.MemoryPublisher()
class Nowhere:
    def latest(self): return None
    def save(self, state): pass
run_sequence(plan, data, publisher, Nowhere(), ranks=Ranks(rank, world))
if rank == 0:
    histories = [one.history for one in publisher.learned.values()]
    norm = sum(float(v.double().pow(2).sum()) for v in publisher.learned[1].encoder.state_dict().values())
    (folder / f"{world}.json").write_text(json.dumps({"histories": histories, "norm": norm}))
if world > 1:
    dist.destroy_process_group()
"""


def run(world: int, folder: Path) -> dict:
    here = str(Path(__file__).parent)
    processes = [
        subprocess.Popen([sys.executable, "-c", WORKER, here, str(rank), str(world), str(folder)])
        for rank in range(world)
    ]
    try:
        for process in processes:
            assert process.wait(timeout=600) == 0
    finally:
        for process in processes:
            process.kill()
    return json.loads((folder / f"{world}.json").read_text())


def test_two_workers_learn_what_one_learns(tmp_path):
    """A global batch of 17 is shared as 9 and 8; statistics, pairs, prototypes and mixtures are over all of
    it."""
    one, two = run(1, tmp_path), run(2, tmp_path)
    for alone, together in zip(one["histories"], two["histories"], strict=True):
        for epoch_alone, epoch_together in zip(alone, together, strict=True):
            assert epoch_together == pytest.approx(epoch_alone, abs=1e-3)
    assert two["norm"] == pytest.approx(one["norm"], rel=1e-3)
