"""Vectors of a frozen network are made once an image, and made again only where they are no longer whole."""

from pathlib import Path

import numpy as np
import pytest

from holdfast.base import UnsoundError
from holdfast.data import DataConfig, EvaluateConfig, Featurizer, SplitConfig, load_evaluation, load_training

CONFIG = DataConfig(
    source="glyphs:?classes=6&instances=6",
    train=SplitConfig(split="train"),
    evaluate=EvaluateConfig(split="evaluation", queries=0.5),
)


class Counting:
    """Makes a vector of an image's first bytes, and counts."""

    dimension = 5

    def __init__(self) -> None:
        self.seen = 0

    def prepare(self, image: bytes) -> np.ndarray:
        return np.frombuffer(image[:300].ljust(300, b"\0"), np.uint8)

    def embed(self, images: np.ndarray) -> np.ndarray:
        self.seen += len(images)
        rows = np.stack([np.random.default_rng(image).standard_normal(5) for image in images])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def files(cache: Path) -> list[Path]:
    return sorted((cache / "features").glob("*/*.safetensors"))


def test_every_image_is_seen_once(tmp_path: Path) -> None:
    network = Counting()
    features = Featurizer("hf1-a", network)
    training = load_training(CONFIG, features, tmp_path)
    assert (training.images.dtype, training.images.shape) == (np.float32, (len(training), 5))
    assert network.seen == len(training)
    again = load_training(CONFIG, features, tmp_path)
    # Other rows of the same images are made of what is kept.
    some = CONFIG.model_copy(update={"train": SplitConfig(split="train", where="label != ''")})
    third = load_training(some, features, tmp_path)
    assert network.seen == len(training)
    assert np.array_equal(again.images, training.images)
    assert np.array_equal(third.images, training.images)
    assert again.fingerprint == training.fingerprint


def test_another_network_has_vectors_of_its_own(tmp_path: Path) -> None:
    first = load_training(CONFIG, Featurizer("hf1-a", Counting()), tmp_path)
    other = Counting()
    load_training(CONFIG, Featurizer("hf1-b", other), tmp_path)
    assert other.seen == len(first)


def test_an_interruption_costs_only_what_was_not_yet_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.data.features.BLOCK", 1)
    monkeypatch.setattr("holdfast.data.decode.FIRST_BATCH", 4)
    monkeypatch.setattr("holdfast.data.decode.BATCH", 4)
    whole = load_training(CONFIG, Featurizer("hf1-a", Counting()), tmp_path / "whole")

    class Dies(Counting):
        def embed(self, images: np.ndarray) -> np.ndarray:
            if self.seen >= 12:
                raise KeyboardInterrupt
            return super().embed(images)

    with pytest.raises(KeyboardInterrupt):
        load_training(CONFIG, Featurizer("hf1-a", Dies()), tmp_path / "cut")
    network = Counting()
    again = load_training(CONFIG, Featurizer("hf1-a", network), tmp_path / "cut")
    assert network.seen == len(whole) - 12
    assert np.array_equal(again.images, whole.images)
    assert again.fingerprint == whole.fingerprint


@pytest.mark.parametrize("spoil", ["cut", "foreign"])
def test_files_that_are_not_whole_are_made_again(tmp_path: Path, spoil: str) -> None:
    whole = load_training(CONFIG, Featurizer("hf1-a", Counting()), tmp_path)
    (file,) = files(tmp_path)
    if spoil == "cut":
        file.write_bytes(file.read_bytes()[:-7])
    else:
        file.write_bytes(b"something else")
    network = Counting()
    some = CONFIG.model_copy(update={"train": SplitConfig(split="train", where="label != ''")})
    again = load_training(some, Featurizer("hf1-a", network), tmp_path)
    assert network.seen == len(whole)
    assert np.array_equal(again.images, whole.images)


def test_vectors_that_are_none_are_not_kept(tmp_path: Path) -> None:
    class Zero(Counting):
        def embed(self, images: np.ndarray) -> np.ndarray:
            return np.zeros((len(images), 5), np.float32)

    with pytest.raises(UnsoundError, match=r"hf1-a.*not of unit norm"):
        load_training(CONFIG, Featurizer("hf1-a", Zero()), tmp_path)
    assert files(tmp_path) == []


def test_queries_and_gallery_are_vectors_too(tmp_path: Path) -> None:
    evaluation = load_evaluation(CONFIG, Featurizer("hf1-a", Counting()), 0, tmp_path)
    assert evaluation.queries.images.shape[1:] == evaluation.gallery.images.shape[1:] == (5,)
