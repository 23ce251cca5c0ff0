"""A run over a network with weights, from the experiment to versions that need no file of the user's."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch.nn import functional

from holdfast.base import ConfigError, DataError
from holdfast.config import Experiment
from holdfast.learning import SequencePlan, ignore_progress
from holdfast.models import Encoder, Wishes
from holdfast.regularizers import PROJECTED
from holdfast.runs import adopt_model, learn_experiment, try_model
from holdfast.store import Store, open_store
from tests.fixtures.two_towers import VISION, save

Tiny = Callable[..., Experiment]
SQUARE = {"size": {"height": 32, "width": 32}}
LEARNING = {
    "epochs": 1,
    "batch_size": 32,
    "checkpoint_steps": 1,
    "precision": "float32",
    "optimizer": {"trunk_learning_rate": 1e-4},
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = transformers.ViTModel(transformers.ViTConfig(**VISION, intermediate_size=37))
    return save(tmp_path / "vit", model, image_processor_type="ViTImageProcessor", **SQUARE)


def learn(store: Store, tiny: Tiny, name: str, trunk: object, **model: object) -> list[Encoder]:
    experiment = tiny(
        name=name,
        parent="none",
        stream={"tasks": 2, "validation": 0.25},
        learning=LEARNING,
        model={"trunk": trunk, "dimension": 16, **model},
        adapter=None,
    )
    versions = learn_experiment(store, experiment, ignore_progress).versions
    return [store.versions.load_encoder(version) for version in versions]


def test_a_run_begins_with_a_folder_and_is_done_with_it(store: Store, tiny: Tiny, folder: Path) -> None:
    first, second = learn(store, tiny, "tuned", {"kind": "transformers", "weights": str(folder)})
    assert first.preprocessing.size == 32
    assert first.config.trunk == second.config.trunk
    shutil.rmtree(folder)
    again = store.versions.load_encoder("v2")
    images = np.zeros((1, 3, 32, 32), np.uint8)
    assert np.array_equal(again.embed(images), second.embed(images))

    # A version that was trained here goes on learning, with another head and other images to come.
    third, _ = learn(store, tiny, "on", {"kind": "version", "name": "v1", "train": "last-1"})
    assert third.config.trunk == first.config.trunk
    assert third.preprocessing == first.preprocessing
    stem = "trunk.model.embeddings.patch_embeddings.projection.weight"
    assert torch.equal(third.get_parameter(stem), first.get_parameter(stem))


def test_a_frozen_trunk_becomes_the_base_of_projections(store: Store, tiny: Tiny, folder: Path) -> None:
    frozen = {"kind": "transformers", "weights": str(folder), "train": "none"}

    def learn_over(name: str) -> list[str]:
        plan = tiny(name=name, stream={"tasks": 1, "validation": 0}, model={"trunk": frozen}, parent="latest")
        return learn_experiment(store, plan, ignore_progress).versions

    plan = SequencePlan.model_validate({"stream": {"tasks": 1}, "model": {"trunk": frozen}})
    assert plan.regularizers == PROJECTED
    assert learn_over("first") == learn_over("first") == ["v2"]
    assert learn_over("second") == ["v3"]
    base, *projections = store.versions.list()
    assert (base.kind, base.run) == ("foreign", "first-trunk")
    assert [(each.kind, each.base) for each in projections] == [("projection", "v1")] * 2
    encoder = store.versions.load_encoder("v1")
    images = encoder.probes()
    with torch.inference_mode():
        features = encoder.trunk(encoder.preprocessing.normalize(torch.from_numpy(images)))
    np.testing.assert_allclose(encoder.embed(images), functional.normalize(features), atol=1e-6)
    assert store.versions.load("v2").dimension == encoder.dimension


def test_an_adopted_network_goes_on_learning(store: Store, tiny: Tiny, folder: Path) -> None:
    with try_model("theirs", f"transformers:{folder}", Wishes()) as candidate:
        adopted, _ = adopt_model(store, candidate)
    shutil.rmtree(folder)
    first, _ = learn(store, tiny, "on", {"kind": "version", "name": "theirs"}, preprocessing={"size": 48})
    assert first.preprocessing.size == 48
    base = store.versions.load(adopted.name)
    stem = "embeddings.patch_embeddings.projection.weight"
    before = base._started()._model.get_parameter(stem)  # type: ignore[attr-defined]
    assert torch.nn.functional.cosine_similarity(
        before.flatten(), first.get_parameter(f"trunk.model.{stem}").flatten(), dim=0
    ) > 0.99  # fmt: skip


def test_a_small_network_goes_on_learning(store: Store, tiny: Tiny) -> None:
    plain, _ = learn(store, tiny, "small", "conv4", width=0.125)
    tuned, _ = learn(store, tiny, "on", {"kind": "version", "name": "v1"})
    assert (tuned.config.trunk.kind, tuned.trunk.features) == ("conv4", plain.trunk.features)  # type: ignore[union-attr]
    assert tuned.preprocessing == plain.preprocessing


def test_what_cannot_learn_is_refused_before_anything_is_written(
    store: Store, tiny: Tiny, folder: Path, tmp_path: Path
) -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, 2), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    exported = torch.export.export(network.eval(), (torch.zeros(2, 3, 32, 32),))
    torch.export.save(exported, tmp_path / "net.pt2")
    (tmp_path / "pixels.yaml").write_text("{size: 32, mean: 0.5, std: 0.5}")
    wishes = Wishes(preprocessing=tmp_path / "pixels.yaml")
    with try_model("theirs", f"torch:{tmp_path / 'net.pt2'}", wishes) as candidate:
        adopt_model(store, candidate)
    cases: dict[str, dict[str, Any]] = {
        "theirs was adopted as torch, and such a network cannot go on": {"kind": "version", "name": "theirs"},
        "has 2 blocks: choose fewer": {"kind": "transformers", "weights": str(folder), "train": "last-3"},
    }
    for said, trunk in cases.items():
        with pytest.raises(ConfigError, match=said):
            learn(store, tiny, "refused", trunk)
    assert not store.runs.list()


def test_other_weights_under_the_same_place_end_a_run_that_was_interrupted(
    store: Store, tiny: Tiny, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    trunk = {"kind": "transformers", "weights": str(folder)}
    with monkeypatch.context() as patch:
        patch.setattr("holdfast.publishing.publisher.StorePublisher.publish", die)
        with pytest.raises(KeyboardInterrupt):
            learn(store, tiny, "tuned", trunk)
    model = transformers.ViTModel(transformers.ViTConfig(**VISION, intermediate_size=37))
    model.save_pretrained(folder)
    with pytest.raises(DataError, match=r"model.trunk.weights: other weights"):
        learn(store, tiny, "tuned", trunk)
