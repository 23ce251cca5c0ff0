"""What TensorBoard itself reads of it."""

from pathlib import Path
from typing import Any

import pytest

from holdfast.testing import TrackerContract, tracked_run, tracked_sweep
from holdfast.tracking import TensorBoardConfig, TrackerConfig, tell

accumulators = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="pip install 'holdfast[tensorboard]'"
)


def read(folder: Path) -> Any:
    found = accumulators.EventAccumulator(str(folder))
    found.Reload()
    return found


def series(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(each.step, pytest.approx(each.value, rel=1e-6)) for each in read(folder).Scalars(name)]


class TestTensorBoard(TrackerContract):
    @pytest.fixture
    def config(self) -> TrackerConfig:
        return TensorBoardConfig()

    def test_a_run_that_went_on_is_one_curve(self, config: TrackerConfig, tmp_path: Path) -> None:
        self.test_it_follows_a_run_that_is_interrupted_and_goes_on(config, config.open(), tmp_path)
        folder = tmp_path / "runs" / "photos" / "tracking" / "tensorboard" / "attempt-1"
        assert series(folder, "loss/acme.parts_Push") == [(step, 0.5) for step in range(1, 9)]
        assert series(folder, "self/recall_at_1") == [(4, 70.0), (4, 70.0), (8, 71.0)]
        assert series(folder, "cross/v1") == [(8, 60.0)]
        assert series(folder, "epoch_loss/classification")[-1] == (8, 0.75)
        texts = {name: read(folder).Tensors(name) for name in read(folder).Tags()["tensors"]}
        said = "".join(
            part.decode() for each in texts.values() for row in each for part in row.tensor_proto.string_val
        )
        assert "hf1-0000000000000001" in said
        assert "| v1 | 60.00 | 50.00 | +4.00 to +16.00 | adapter | yes |" in said
        assert "kind: acme.parts:Push" in said

    def test_a_trial_is_a_run_with_its_values(self, config: TrackerConfig, tmp_path: Path) -> None:
        tracker = config.open()
        for event in tracked_sweep(tmp_path):
            tell(tracker, event)
        folder = tmp_path / "runs" / "photos" / "tracking" / "tensorboard"
        assert sorted(each.name for each in folder.iterdir()) == ["sweep", "trial-0", "trial-1", "trial-2"]
        assert series(folder / "trial-1", "objective") == [(1, 11.0), (2, 12.0)]
        assert "_hparams_/session_start_info" in read(folder / "trial-1").summary_metadata
        assert series(folder / "sweep", "best/objective") == [(0, 12.0)]


def test_a_folder_of_ones_own_has_one_for_each_experiment(tmp_path: Path) -> None:
    tracker = TensorBoardConfig(folder=str(tmp_path / "mine")).open()
    for event in tracked_run(tmp_path):
        tell(tracker, event)
    assert series(tmp_path / "mine" / "photos" / "attempt-1", "ac") == [(8, 1.0)]
    assert not (tmp_path / "runs").exists()
