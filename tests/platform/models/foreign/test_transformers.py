"""Folders of transformers as models: tiny networks of each family, with random weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from holdfast.base import ConfigError, NotEmbeddableError
from holdfast.models import PROBE_TEXTS, Model, Wishes, adopt_files, load_model, probe_files
from tests.fixtures.two_towers import TEXT, TINY, VISION, clip, save

FILES = list(probe_files())
SQUARE = {"size": {"height": 32, "width": 32}}


def vit(folder: Path, kind: Any = transformers.ViTModel) -> Path:
    model = kind(transformers.ViTConfig(**VISION, intermediate_size=37))
    return save(folder, model, image_processor_type="ViTImageProcessor", **SQUARE)


def dinov2(folder: Path) -> Path:
    model = transformers.Dinov2Model(transformers.Dinov2Config(**VISION))
    return save(
        folder, model, image_processor_type="BitImageProcessor", size={"shortest_edge": 36}, crop_size=32
    )


def dinov3(folder: Path) -> Path:
    model = transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**VISION, intermediate_size=37))
    return save(folder, model, image_processor_type="DINOv3ViTImageProcessorFast", **SQUARE)


def convnext(folder: Path) -> Path:
    config = transformers.ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], image_size=32)
    model = transformers.ConvNextModel(config)
    return save(folder, model, image_processor_type="ConvNextImageProcessor", size={"shortest_edge": 32})


def siglip(folder: Path) -> Path:
    sentencepiece = pytest.importorskip("sentencepiece")
    folder.mkdir()
    text = folder.with_suffix(".txt")
    text.write_text("\n".join(f"the quick brown fox jumps over a lazy dog, {word}" for word in range(200)))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "spiece"),
        vocab_size=60,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    transformers.SiglipTokenizer(vocab_file=str(folder / "spiece.model")).save_pretrained(folder)
    config = transformers.SiglipConfig(text_config={**TEXT, "projection_size": 32}, vision_config=VISION)
    return save(
        folder, transformers.SiglipModel(config), image_processor_type="SiglipImageProcessor", **SQUARE
    )


@pytest.fixture
def adopt(tmp_path: Path) -> Any:
    def make(source: Path, **wishes: Any) -> Model:
        folder = tmp_path / f"adopted-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return adopt_files(f"transformers:{source}", Wishes(**wishes), folder)

    return make


def of_unit_norm(vectors: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(vectors).numpy()


def pixels(model: Model) -> torch.Tensor:
    """What the processor of the folder would make of the probes."""
    preprocessing = model._config.preprocessing  # type: ignore[attr-defined]
    return preprocessing.normalize(torch.from_numpy(np.stack([model.prepare(file) for file in FILES])))


@pytest.mark.parametrize("family", [vit, dinov2, dinov3, convnext], ids=lambda family: family.__name__)
def test_one_tower_gives_what_it_pools(adopt, tmp_path, family):
    torch.manual_seed(0)
    source = family(tmp_path / "source")
    model = adopt(source)
    network = transformers.AutoModel.from_pretrained(source).eval()
    with torch.no_grad():
        expected = of_unit_norm(network(pixels(model)).pooler_output.flatten(1))
    np.testing.assert_allclose(model.embed(FILES), expected, atol=1e-5)
    assert model.takes == {"image"}
    with pytest.raises(NotEmbeddableError, match="no text"):
        model.embed_text(["a dog"])


@pytest.mark.parametrize("output", ["cls", "mean"])
def test_another_feature_can_be_chosen(adopt, tmp_path, output):
    source = vit(tmp_path / "source")
    model = adopt(source, output=output)
    network = transformers.AutoModel.from_pretrained(source).eval()
    with torch.no_grad():
        last = network(pixels(model)).last_hidden_state
    expected = of_unit_norm(last[:, 0] if output == "cls" else last.mean(1))
    np.testing.assert_allclose(model.embed(FILES), expected, atol=1e-5)
    assert model.contract().model["output"] == output  # type: ignore[attr-defined]


def test_a_pooler_without_weights_is_not_drawn_at_random(adopt, tmp_path):
    source = vit(tmp_path / "source", transformers.ViTForImageClassification)
    model = adopt(source)
    assert model.contract().model["output"] == "cls"
    np.testing.assert_array_equal(adopt(source).embed(FILES), model.embed(FILES))
    with pytest.raises(ConfigError, match="it has cls, mean"):
        adopt(source, output="pooler_output")


@pytest.mark.parametrize("family", [clip, siglip], ids=lambda family: family.__name__)
def test_two_towers_embed_text_into_the_space_of_the_images(adopt, tmp_path, family):
    torch.manual_seed(0)
    source = family(tmp_path / "source")
    model = adopt(source)
    network = transformers.AutoModel.from_pretrained(source).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    tokens = tokenizer(
        list(PROBE_TEXTS), padding="max_length", truncation=True, max_length=16, return_tensors="pt"
    )
    with torch.no_grad():
        images = network.get_image_features(pixels(model)).pooler_output
        texts = network.get_text_features(**tokens).pooler_output
    assert model.takes == {"image", "text"}
    np.testing.assert_allclose(model.embed(FILES), of_unit_norm(images), atol=1e-5)
    np.testing.assert_allclose(model.embed_text(PROBE_TEXTS), of_unit_norm(texts), atol=1e-5)
    assert len(set(model.embed_text(["a", "b", "c" * 200])[:, 0].tolist())) == 3
    again = load_model(model._folder)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(again.embed_text(PROBE_TEXTS), model.embed_text(PROBE_TEXTS))


def test_what_transformers_did_not_save_is_refused(adopt, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="weights as safetensors"):
        adopt(tmp_path / "empty")
    source = vit(tmp_path / "source")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(ConfigError, match="lacks weights of its model"):
        adopt(source)
    (source / "config.json").write_text(json.dumps({"model_type": "mine", "auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(ConfigError, match="never run"):
        adopt(source)


def test_weights_as_pickles_are_refused(adopt, tmp_path):
    source = vit(tmp_path / "source")
    (source / "model.safetensors").unlink()
    torch.save({}, source / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="weights as safetensors"):
        adopt(source)


def test_a_text_model_is_refused(adopt, tmp_path):
    config = transformers.BertConfig(**TINY, intermediate_size=37, vocab_size=60)
    source = save(tmp_path / "source", transformers.BertModel(config))
    with pytest.raises(ConfigError, match="does not embed images"):
        adopt(source)
