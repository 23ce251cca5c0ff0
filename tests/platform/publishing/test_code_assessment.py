"""The compatibility matrix on compact codes, from the run to the report."""

import json

import numpy as np
import pytest
import torch

from holdfast.base import ConfigError
from holdfast.evaluation import score
from holdfast.jobs.train import run_experiment
from holdfast.learning.progress import ignore_progress
from holdfast.runs import load_datasets
from holdfast.runs.evaluate import evaluate_lineage
from holdfast.store import Versions, open_store

CODES = {"dimension": 16, "width": 0.25, "head": {"kind": "opqn", "bits": 8, "words": 4}}


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store") as opened:
        yield opened


def report_of(outcome):
    return json.loads(outcome.report.with_suffix(".json").read_text())


def test_every_version_is_measured_on_the_codes_of_every_version(store, tiny, monkeypatch):
    experiment = tiny(model=CODES, adapter=None)
    outcome = run_experiment(store, experiment, ignore_progress)
    codes = report_of(outcome)["codes"]
    assert (codes["versions"], codes["bits"], codes["bytes"]) == (["v1", "v2", "v3"], 8, 1)

    evaluation = load_datasets(experiment).evaluation
    encoders = [store.versions.load(name) for name in codes["versions"]]
    queries = [encoder.embed(evaluation.queries.images) for encoder in encoders]
    gallery = [encoder.embed(evaluation.gallery.images) for encoder in encoders]
    recall, codes_of = np.zeros((3, 3)), {}
    for i, query in enumerate(encoders):
        for j, entry in enumerate(encoders):
            written = entry.quantizer.encode(gallery[j])
            assert written.shape == (len(gallery[j]), 1)
            codes_of[j] = written.tobytes()
            # Of so few bits many entries have one code, and are told apart by rounding alone: the vectors
            # have to be the same.
            asked, entries = query.quantizer.ask(queries[i]), entry.quantizer.decode(written)
            found = score(asked, evaluation.queries.labels, entries, evaluation.gallery.labels)
            recall[i, j] = found.percent()["recall_at_1"]
    np.testing.assert_allclose(codes["recall_at_1"], recall, atol=1e-6)
    assert len(set(codes_of.values())) == 3  # each version writes codes of its own
    passed = [codes["recall_at_1"][i][j] > codes["recall_at_1"][j][j] for i in range(3) for j in range(i)]
    assert codes["ac"] == pytest.approx(np.mean(passed))
    for i, j in ((0, 1), (2, 0)):
        comparison, older = codes["compatible"][i][j], min(i, j)
        assert comparison["value"] == pytest.approx(codes["recall_at_1"][i][j])
        assert comparison["reference"] == pytest.approx(codes["recall_at_1"][older][older])
    page = outcome.report.read_text()
    assert "<h2>On compact codes</h2>" in page
    assert "An entry is kept as 8 bits" in page

    def run_no_model(self: Versions, name: str) -> None:
        raise AssertionError(f"{name} was run again")

    monkeypatch.setattr(Versions, "load", run_no_model)
    evaluate_lineage(store, experiment, None, ignore_progress)
    assert report_of(outcome)["codes"] == codes


def test_versions_without_codes_have_no_such_matrix(store, tiny):
    outcome = run_experiment(store, tiny(adapter=None), ignore_progress)
    assert report_of(outcome)["codes"] == {}
    assert "compact codes" not in outcome.report.read_text()


def test_codes_begin_in_the_middle_of_a_lineage(store, tiny):
    run_experiment(store, tiny(adapter=None, stream={"tasks": 1, "validation": 0.25}), ignore_progress)
    later = run_experiment(store, tiny(name="later", model=CODES, adapter=None), ignore_progress)
    report = report_of(later)
    assert report["versions"] == ["v1", "v2", "v3", "v4"]
    assert report["codes"]["versions"] == ["v2", "v3", "v4"]

    other = {**CODES, "head": {**CODES["head"], "bits": 4}}
    with pytest.raises(ConfigError, match="the parent's codes have bits 8 and words 4, these bits 4"):
        run_experiment(store, tiny(name="other", model=other), ignore_progress)
    with pytest.raises(ConfigError, match=r"set model\.dimension to 16"):
        run_experiment(store, tiny(name="wider", model={**CODES, "dimension": 32}), ignore_progress)


def test_a_learned_assignment_belongs_to_the_lineage(store, tiny):
    model = {**CODES, "head": {**CODES["head"], "assignment": "learned", "normalization": "public"}}
    outcome = run_experiment(store, tiny(model=model, adapter=None), ignore_progress)
    first, *later = (store.versions.load(name).assignment for name in outcome.versions)
    assert len(later) == 2
    assert all(torch.equal(first, each) for each in later)
    assert report_of(outcome)["codes"]["versions"] == outcome.versions
