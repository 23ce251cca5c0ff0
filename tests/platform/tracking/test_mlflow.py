"""What MLflow's own client reads of it, from a real database."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.testing import TrackerContract, tracked_run, tracked_sweep
from holdfast.tracking import MLflowConfig, TrackerConfig, tell

mlflow = pytest.importorskip("mlflow", reason="pip install 'holdfast[mlflow]'")


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    before = {each.name for each in tmp_path.iterdir()}
    yield
    assert (
        not {each.name for each in tmp_path.iterdir()} - before - {"runs", "artifacts", "other.db", "mlruns"}
    )


@pytest.fixture
def client(tmp_path: Path) -> Any:
    return mlflow.MlflowClient(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")


class TestMLflow(TrackerContract):
    @pytest.fixture
    def config(self) -> TrackerConfig:
        return MLflowConfig()

    def test_a_run_that_went_on_is_one_run_and_a_version_is_registered_once(
        self, config: TrackerConfig, client: Any, tmp_path: Path
    ) -> None:
        self.test_it_follows_a_run_that_is_interrupted_and_goes_on(config, config.open(), tmp_path)
        experiment = client.get_experiment_by_name("photos")
        (run,) = client.search_runs([experiment.experiment_id])
        assert (run.info.status, run.data.tags["holdfast.fingerprint"]) == ("FINISHED", "0123456789abcdef")
        assert run.data.params["regularizers.pull.weight"] == "2.5"
        assert run.data.params["learning.augment.flip"] == "True"
        curve = client.get_metric_history(run.info.run_id, "loss/classification")
        assert sorted((each.step, each.value) for each in curve) == [
            (4 * task + step, 3.0 / step) for task in (0, 1) for step in (1, 2, 3, 4)
        ]
        assert run.data.metrics["self/recall_at_1"] == 71.0
        first, second = sorted(
            client.search_model_versions("name='photos'"), key=lambda each: int(each.version)
        )
        assert [each.tags["holdfast.version"] for each in (first, second)] == ["v1", "v2"]
        assert second.tags["holdfast.contract"] == "hf1-0000000000000001"
        assert second.tags["holdfast.compatible_with"] == "v1"
        assert second.tags["holdfast.self/recall_at_1"] == "71.0000"
        assert second.run_id == run.info.run_id
        assert "has to beat 50.00, difference +4.00 to +16.00: compatible" in second.description
        assert client.get_model_version_by_alias("photos", "holdfast-v1").version == first.version
        assert client.get_model_version_by_alias("photos", "newest").version == second.version
        fetched = mlflow.artifacts.download_artifacts(
            second.source, dst_path=str(tmp_path / "runs" / "fetched")
        )
        assert (Path(fetched) / "weights.safetensors").read_bytes() == bytes([1]) * 16

    def test_trials_lie_below_their_sweep(self, config: TrackerConfig, client: Any, tmp_path: Path) -> None:
        tracker = config.open()
        for event in tracked_sweep(tmp_path):
            tell(tracker, event)
        experiment = client.get_experiment_by_name("photos").experiment_id
        sweep = client.search_runs([experiment], "tags.`holdfast.key` != ''")[0]
        trials = {
            int(run.data.tags["holdfast.trial"]): run
            for run in client.search_runs([experiment], f"tags.mlflow.parentRunId = '{sweep.info.run_id}'")
        }
        assert [trials[number].info.status for number in range(3)] == ["FINISHED", "FINISHED", "FAILED"]
        assert trials[1].data.metrics["objective"] == 12.0
        assert trials[2].data.params == {"seed": "3", "rate": "0.25"}
        assert trials[2].data.tags["holdfast.error"] == "a loss became nan"
        assert sweep.data.metrics["best/objective"] == 12.0


def test_names_of_ones_own_and_weights_that_stay_in_the_store(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    config = MLflowConfig(uri=uri, experiment="team", model="embedder", weights=False)
    tracker = config.open()
    for event in tracked_run(tmp_path):
        tell(tracker, event)
    client = mlflow.MlflowClient(uri)
    assert client.get_experiment_by_name("team") is not None
    newest = client.get_model_version_by_alias("embedder", "newest")
    assert newest.source == str(tmp_path / "artifacts" / "v2")
