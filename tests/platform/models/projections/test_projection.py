"""A projection is a map: what it makes of a vector, how it begins, what is kept of it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from holdfast.adapters import LinearAdapter
from holdfast.base import InvalidVectorError, NotEmbeddableError, StoreError
from holdfast.models import (
    ModelConfig,
    ProjectedModel,
    Projection,
    VersionTrunkConfig,
    build_learnable,
    find_flaw,
    load_model,
)

BASE = VersionTrunkConfig(name="v1", train="none", contract="hf1-0123456789abcdef", dimension=6)


def projection(dimension: int = 6, seed: int | None = None) -> Projection:
    made = build_learnable(ModelConfig(trunk=BASE, dimension=dimension)).eval()
    assert isinstance(made, Projection)
    if seed is not None:
        torch.manual_seed(seed)
        torch.nn.init.normal_(made.linear.weight)
    return made


def unit(count: int, dimension: int = 6, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_it_begins_at_its_base() -> None:
    rows = unit(20)
    np.testing.assert_allclose(projection().embed(rows), rows, atol=1e-6)
    np.testing.assert_allclose(projection(9).embed(rows), np.pad(rows, ((0, 0), (0, 3))), atol=1e-6)


def test_a_narrower_one_begins_at_the_directions_with_the_most_length() -> None:
    rows = unit(500) * np.array([1, 3, 0.1, 2, 0.1, 0.1], np.float32)
    narrow = projection(3)
    narrow.begin_at(lambda: rows)
    matrix = np.abs(narrow.matrix())
    assert matrix.argmax(axis=0).tolist() == [1, 3, 0]
    np.testing.assert_allclose(narrow.matrix().T @ narrow.matrix(), np.eye(3), atol=1e-5)
    kept = np.linalg.norm(rows @ narrow.matrix(), axis=1) / np.linalg.norm(rows, axis=1)
    assert kept.mean() > 0.98


def test_it_is_the_linear_adapter_of_its_matrix() -> None:
    made, rows = projection(4, seed=0), unit(30)
    made.rotate(torch.linalg.qr(torch.randn(4, 4))[0])
    np.testing.assert_allclose(LinearAdapter.of(made.matrix()).apply(rows), made.embed(rows), atol=1e-6)
    np.testing.assert_allclose(made.embed(rows[:1]), made.embed(rows)[:1], atol=1e-6)


def test_one_that_was_turned_is_read_again_as_it_was(tmp_path: Path) -> None:
    made, rows = projection(4, seed=0), unit(30)
    straight = made.embed(rows)
    made.rotate(torch.linalg.qr(torch.randn(4, 4))[0])
    made.save(tmp_path)
    again = load_model(tmp_path)
    assert np.array_equal(again.embed(rows), made.embed(rows))
    assert not np.allclose(again.embed(rows), straight)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    made = projection(4, seed=1)
    contract = made.save(tmp_path)
    assert contract.base == BASE.contract
    again = load_model(tmp_path)
    assert again.contract() == contract
    assert np.array_equal(again.embed(unit(5)), made.embed(unit(5)))
    assert projection(4, seed=2).contract().id != contract.id
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match=r"weights.safetensors is damaged"):
        load_model(tmp_path)


def test_alone_it_maps_vectors_and_nothing_else() -> None:
    made = projection()
    assert made.takes == frozenset()
    with pytest.raises(InvalidVectorError, match=r"vectors \(n, 6\) of its base, not \(2, 5\)"):
        made.embed(unit(2, 5))
    with pytest.raises(NotEmbeddableError, match="embeds no images"):
        made.prepare(b"")
    assert find_flaw(made) is None
    with torch.no_grad():
        made.linear.weight[0, 0] = torch.nan
    assert "linear.weight" in str(find_flaw(made))


class Fixed:
    """A base that makes the same of anything."""

    quantizer, dimension, takes = None, 6, frozenset({"image", "text"})

    def __init__(self, contract: str) -> None:
        self._contract = contract

    def contract(self):
        class Named:
            id = self._contract

        return Named

    def embed(self, images):
        return unit(len(images))

    def embed_text(self, texts, purpose=None):
        return self.embed(texts)


def test_with_its_base_it_embeds_what_the_base_does() -> None:
    made = projection(4, seed=3)
    whole = ProjectedModel(Fixed(str(BASE.contract)), made)
    assert (whole.takes, whole.dimension) == (frozenset({"image", "text"}), 4)
    np.testing.assert_array_equal(whole.embed(["one", "two"]), made.embed(unit(2)))
    np.testing.assert_array_equal(whole.embed_text(["a"]), whole.map_vectors(unit(1)))
    with pytest.raises(StoreError, match="learned over hf1-0123456789abcdef, and its base is hf1-other"):
        ProjectedModel(Fixed("hf1-other"), made)
