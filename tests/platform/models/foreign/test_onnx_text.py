"""A text tower beside an image tower, both ONNX."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

from holdfast.base import ConfigError
from holdfast.models import Model, Wishes, adopt_files, load_model
from tests.fixtures.onnx_models import write_onnx, write_text_onnx

WORDS = ["[PAD]", "[UNK]", "a", "photo", "of", "dog", "red", "apples"]


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    made = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = Lowercase(), Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


@pytest.fixture
def adopt(tmp_path: Path, tokenizer: Path) -> Any:
    def make(text: Path, **wishes: Any) -> Model:
        (tmp_path / "said.yaml").write_text("scale: 0..1")
        folder = tmp_path / f"adopted-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        given = {"preprocessing": tmp_path / "said.yaml", "text": text, "tokenizer": tokenizer, **wishes}
        return adopt_files(f"onnx:{write_onnx(tmp_path / 'image.onnx')}", Wishes(**given), folder)

    return make


def expected(*texts: list[str]) -> np.ndarray:
    table = np.random.default_rng(5).normal(size=(40, 12)).astype(np.float32)
    vectors = np.stack([table[[WORDS.index(word) for word in text]].mean(0) for text in texts])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_texts_of_any_length_are_embedded_each_by_itself(adopt, tmp_path):
    model = adopt(write_text_onnx(tmp_path / "text.onnx"))
    assert model.takes == {"image", "text"}
    found = model.embed_text(["a Dog", "red apples of a photo"])
    np.testing.assert_allclose(
        found, expected(["a", "dog"], ["red", "apples", "of", "a", "photo"]), atol=1e-6
    )
    again = load_model(max(tmp_path.glob("adopted-*")))
    np.testing.assert_array_equal(again.embed_text(["a dog"]), found[:1])


def test_a_fixed_length_is_filled_up_and_cut_off(adopt, tmp_path, tokenizer):
    text = write_text_onnx(tmp_path / "text.onnx", length=3)
    with pytest.raises(ConfigError, match="which token fills them up"):
        adopt(text)
    config = {"pad_token": {"content": "[PAD]"}, "model_max_length": 77}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    found = adopt(text).embed_text(["dog", "a photo of red apples"])
    np.testing.assert_allclose(found, expected(["dog"], ["a", "photo", "of"]), atol=1e-6)


def test_what_is_no_pair_is_refused(adopt, tmp_path, tokenizer):
    text = write_text_onnx(tmp_path / "text.onnx")
    with pytest.raises(ConfigError, match="two files"):
        adopt(text, tokenizer=None)
    with pytest.raises(ConfigError, match="meet in one space"):
        adopt(write_text_onnx(tmp_path / "wide.onnx", features=5))
    with pytest.raises(ConfigError, match=r"\(texts, dimension\)"):
        adopt(text, text_output="vectors")
    with pytest.raises(ConfigError, match="takes input_ids"):
        adopt(write_onnx(tmp_path / "other.onnx"))
    tokenizer.write_text("{}")
    with pytest.raises(ConfigError, match=r"no tokenizer\.json"):
        adopt(text)
