"""How a network that begins with weights goes on learning."""

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from holdfast.base import ConfigError, parse_settings
from holdfast.models import Encoder, ModelConfig, Preprocessing, load_weights
from holdfast.models.trunks import rate_shares
from holdfast.testing import TrunkContract
from tests.fixtures.known_trunk import KIND, Known, KnownConfig, write_known


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_known(tmp_path_factory.mktemp("known") / "known.safetensors")


def model(weights: str | None, preprocessing: object = None, **trunk: object) -> ModelConfig:
    given = {"dimension": 4, "trunk": {"kind": KIND, "weights": weights, **trunk}}
    said = {} if preprocessing is None else {"preprocessing": preprocessing}
    return parse_settings(ModelConfig, {**given, **said}, "model")


def learning(config: ModelConfig) -> Encoder:
    torch.manual_seed(1)
    encoder = Encoder(config)
    encoder.begin(config)
    return encoder.train()


def step(encoder: Encoder) -> None:
    torch.manual_seed(2)
    optimizer = torch.optim.SGD([each for each in encoder.parameters() if each.requires_grad], lr=1.0)
    for _ in range(2):
        optimizer.zero_grad()
        encoder(torch.rand(4, 3, 32, 32))[:, 0].sum().backward()
        optimizer.step()


def changed(encoder: Encoder, weights: str) -> set[str]:
    own = Known()
    load_weights(own, weights, "known")
    return {
        name
        for name, tensor in own.state_dict().items()
        if not torch.equal(tensor, encoder.trunk.state_dict()[name])
    }


class TestContract(TrunkContract):
    @pytest.fixture
    def trunk(self, weights: str) -> object:
        return {"kind": KIND, "weights": weights}

    @pytest.fixture
    def preprocessing(self) -> Preprocessing:
        return KnownConfig().own_preprocessing()


def test_its_own_pixels_are_the_default_and_the_size_may_be_another(weights: str) -> None:
    own = KnownConfig().own_preprocessing()
    assert model(weights).preprocessing == own
    smaller = model(weights, {"size": 24}).preprocessing
    assert smaller == own.model_copy(update={"size": 24, "resize": 30})
    other = Preprocessing(size=28, channels=3)
    assert model(weights, other.model_dump(mode="json")).preprocessing == other
    again = model(weights, {"size": 24})
    assert ModelConfig.model_validate(again.model_dump(mode="json")) == again


def test_what_is_published_needs_no_file_and_tells_nothing_of_learning(weights: str, tmp_path: Path) -> None:
    copied = tmp_path / "copied.safetensors"
    copied.write_bytes(Path(weights).read_bytes())
    encoder = learning(model(str(copied), train="last-1", checkpointing=True))
    copied.unlink()
    step(encoder)
    encoder.settle()
    contract = encoder.eval().save(tmp_path / "version")
    assert contract.backbone == f'{{"kind": "{KIND}"}}'
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(Encoder.load(tmp_path / "version")(images), encoder(images))


@pytest.mark.parametrize(
    ("train", "learned"),
    [
        ("all", {"stem", "blocks.0", "blocks.1", "blocks.2", "last"}),
        ("last-2", {"blocks.1", "blocks.2", "last"}),
        ("last-1", {"blocks.2", "last"}),
        ("none", set()),
    ],
)
def test_what_is_to_learn_learns(train: str, learned: set[str], weights: str) -> None:
    encoder = learning(model(weights, train=train))
    step(encoder)
    encoder.settle()
    found = changed(encoder, weights)
    assert {".".join(name.split(".")[: 2 if name.startswith("blocks") else 1]) for name in found} == learned
    assert not any("running" in name for name in found)


def test_statistics_are_learned_where_that_is_said(weights: str) -> None:
    encoder = learning(model(weights, statistics="learned"))
    assert encoder.trunk.training
    step(encoder)
    assert "blocks.0.norm.running_mean" in changed(encoder, weights)


def test_lora_becomes_part_of_the_weights(weights: str) -> None:
    pytest.importorskip("peft")
    encoder = learning(model(weights, train="lora", lora={"rank": 2, "alpha": 4}))
    images = torch.rand(3, 3, 32, 32)
    before = Encoder(model(weights)).eval().trunk(images)
    torch.testing.assert_close(encoder.trunk(images), before)
    named = {name for name, each in encoder.trunk.named_parameters() if each.requires_grad}
    assert {name.rpartition(".lora")[0] for name in named} == {
        "stem", "last", "blocks.0.query", "blocks.1.query", "blocks.2.query"
    }  # fmt: skip
    step(encoder)
    learned = encoder.eval()(images)
    assert not torch.allclose(encoder.trunk(images), before)
    encoder.settle()
    torch.testing.assert_close(encoder(images), learned)
    assert encoder.state_dict().keys() == Encoder(model(None)).state_dict().keys()
    assert changed(encoder, weights) == {f"{name.rpartition('.lora')[0]}.weight" for name in named}


def test_lora_goes_where_it_is_told(weights: str) -> None:
    pytest.importorskip("peft")
    encoder = learning(model(weights, train="lora", lora={"targets": ["1.query", "last"]}))
    step(encoder)
    encoder.settle()
    assert changed(encoder, weights) == {"blocks.1.query.weight", "last.weight"}


def test_activations_that_are_computed_again_change_nothing(weights: str) -> None:
    plain, thrifty = (learning(model(weights, checkpointing=each)) for each in (False, True))
    step(plain)
    step(thrifty)
    copied = copy.deepcopy(thrifty)
    copied.settle()
    for other in (thrifty, copied):
        assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), other.parameters(), strict=True))


def test_blocks_learn_slower_the_nearer_they_are_to_the_images(weights: str) -> None:
    encoder = Encoder(model(weights))
    shares = rate_shares(encoder.trunk, 0.5)
    found = {name: shares[each] for name, each in encoder.trunk.named_parameters() if "weight" in name}
    assert found["stem.weight"] == 0.125
    assert [found[f"blocks.{at}.query.weight"] for at in range(3)] == [0.25, 0.5, 1.0]
    assert found["last.weight"] == 1.0


@pytest.mark.parametrize(
    ("trunk", "said"),
    [
        ({"train": "last-4"}, "train: last-4 has 3 blocks: choose fewer"),
        ({"train": "last-0"}, "train: .* is no way to learn; allowed are all, lora, none, and last-2"),
        ({"train": "some"}, "train: .* is no way to learn; allowed are all, lora, none, and last-2"),
        ({"train": "lora", "statistics": "learned"}, "statistics: learned goes with train: all"),
        (
            {"train": "lora", "lora": {"targets": ["quarry"]}},
            "'quarry'; there are stem, query, last. Did you mean 'query'",
        ),
        ({"train": "lora", "lora": {"targets": ["spread"]}}, "ends with 'spread'"),
    ],
)
def test_what_cannot_learn_is_refused(trunk: dict[str, object], said: str, weights: str) -> None:
    with pytest.raises(ConfigError, match=said):
        learning(model(weights, **trunk))


def test_weights_of_another_network_are_named(tmp_path: Path) -> None:
    state = Known().state_dict()
    cases = {
        "stem.weight, of shape .6, 3, 4, 4., is lacking": {
            k: v for k, v in state.items() if k != "stem.weight"
        },
        "last.weight, of shape .* is of shape .2,.": {**state, "last.weight": torch.zeros(2)},
        "it has no more": {**state, "more": torch.zeros(2)},
    }
    for said, given in cases.items():
        save_file(given, tmp_path / "other.safetensors")
        with pytest.raises(ConfigError, match=f"known: the weights in .*other.safetensors.*{said}"):
            Encoder(model(str(tmp_path / "other.safetensors")))
    with pytest.raises(ConfigError, match=r"gone.safetensors is no file of safetensors"):
        Encoder(model(str(tmp_path / "gone.safetensors")))


def test_a_missing_library_is_named(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"train: lora needs peft.*pip install 'holdfast\[lora\]'"):
        learning(model(weights, train="lora"))


@pytest.mark.parametrize("dimension", [4, 8, 11])
def test_an_embedding_begins_at_what_the_trunk_knows(dimension: int, weights: str) -> None:
    config = model(weights).model_copy(update={"dimension": dimension})
    torch.manual_seed(3)
    encoder, images = Encoder(config), np.random.default_rng(0).integers(0, 256, (40, 3, 32, 32), np.uint8)
    encoder.begin_at(lambda: images)
    pixels = torch.from_numpy(images)
    with torch.no_grad():
        features = encoder.eval().trunk(encoder.preprocessing.normalize(pixels))
        drawn = Encoder(model(None).model_copy(update={"dimension": dimension}))
        before = drawn.linear.weight.clone()
        drawn.begin_at(lambda: images)
    assert torch.equal(before, drawn.linear.weight)
    cosines = torch.nn.functional.normalize(features)
    found = torch.from_numpy(encoder.embed(images))
    exact = 1e-5 if dimension >= 8 else 0.02
    torch.testing.assert_close(found @ found.T, cosines @ cosines.T, atol=exact, rtol=0)
    # While it learns, too.
    encoder.begin(config)
    torch.testing.assert_close(encoder.train()(pixels).detach(), found, atol=1e-3, rtol=0)
