"""What every adapter keeps to, whichever config fitted it."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from holdfast.adapters import AdapterConfig, AnyAdapterConfig, Pairs, fit_from_pairs, load_adapter
from holdfast.base import DataError, InvalidVectorError, StoreError
from holdfast.testing.vectors import unit_vectors

SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]


class AdapterContract:
    """Give it the fixture `config`, of an adapter that is fitted in a moment."""

    @pytest.fixture
    def config(self) -> AdapterConfig:
        raise NotImplementedError("give the suite a fixture `config`")

    def test_its_config_is_read_as_it_is_written(self, config: AdapterConfig) -> None:
        assert TypeAdapter(AnyAdapterConfig).validate_python(config.model_dump(mode="json")) == config

    def test_entries_are_mapped_unless_the_file_says_queries(self, config: AdapterConfig) -> None:
        configs = TypeAdapter(AnyAdapterConfig)
        given = config.model_dump(mode="json", exclude={"maps", "views"})
        assert (configs.validate_python(given).maps, configs.validate_python(given).views) == ("entries", 0)
        assert configs.validate_python(given | {"maps": "queries"}).maps == "queries"
        for wrong in ({"maps": "both"}, {"views": -1}):
            with pytest.raises(ValidationError):
                configs.validate_python(given | wrong)

    @settings(max_examples=15, deadline=None, suppress_health_check=SHARED)
    @given(
        rows=st.integers(2, 30), source=st.integers(2, 9), target=st.integers(2, 9), seed=st.integers(0, 99)
    )
    def test_maps_unit_vectors_to_unit_vectors_from_however_few_pairs(
        self, config: AdapterConfig, rows: int, source: int, target: int, seed: int
    ) -> None:
        pairs = Pairs(unit_vectors(seed, rows, source), unit_vectors(seed + 1, rows, target))
        adapter = fit_from_pairs(config, pairs)
        assert (adapter.source_dimension, adapter.target_dimension) == (source, target)
        mapped = adapter.apply(pairs.source)
        assert mapped.shape == (rows, target)
        assert mapped.dtype == np.float32
        assert mapped.flags.c_contiguous
        np.testing.assert_allclose(np.linalg.norm(mapped, axis=1), 1, atol=1e-6)
        assert adapter.apply(pairs.source[:0]).shape == (0, target)

    @pytest.mark.parametrize("variety", ["equal", "two places", "opposite"])
    def test_pairs_without_variety_give_finite_maps(self, config: AdapterConfig, variety: str) -> None:
        source, target = poor_pairs(variety)
        adapter = config.fit(source, target)
        assert all(np.isfinite(tensor).all() for tensor in adapter.tensors().values())

    def test_the_same_seed_gives_the_same_bytes_whatever_the_global_state(
        self, config: AdapterConfig
    ) -> None:
        source, target = unit_vectors(3, 50, 8), unit_vectors(4, 50, 8)
        torch.manual_seed(1)
        before = torch.get_rng_state()
        first = config.fit(source, target, seed=7)
        assert torch.equal(torch.get_rng_state(), before), "it draws from torch's global generator"
        torch.manual_seed(2)
        second = config.fit(source, target, seed=7)
        assert {name: tensor.tobytes() for name, tensor in first.tensors().items()} == {
            name: tensor.tobytes() for name, tensor in second.tensors().items()
        }

    def test_fitting_changes_no_pairs(self, config: AdapterConfig) -> None:
        source, target = unit_vectors(3, 20, 8), unit_vectors(4, 20, 8)
        copies = source.copy(), target.copy()
        config.fit(source, target)
        np.testing.assert_array_equal(source, copies[0])
        np.testing.assert_array_equal(target, copies[1])

    def test_pairs_that_cannot_be_fitted_are_refused(self, config: AdapterConfig) -> None:
        source, target = unit_vectors(0, 5, 4), unit_vectors(1, 5, 4)
        with pytest.raises(InvalidVectorError, match="5 source vectors and 4 target"):
            config.fit(source, target[:4])
        with pytest.raises(DataError, match="on 1 pairs: give at least 2"):
            config.fit(source[:1], target[:1])
        broken = target.copy()
        broken[3, 0] = np.nan
        with pytest.raises(InvalidVectorError, match="Row 3 of the target vectors holds NaN"):
            config.fit(source, broken)
        with pytest.raises(InvalidVectorError, match="Row 0 of the source vectors has norm 2"):
            config.fit(2 * source, target)

    def test_vectors_that_cannot_be_mapped_are_refused(self, config: AdapterConfig) -> None:
        adapter = config.fit(unit_vectors(0, 9, 4), unit_vectors(1, 9, 3))
        with pytest.raises(InvalidVectorError, match="have 5 dimensions: the adapter maps from 4"):
            adapter.apply(unit_vectors(0, 2, 5))
        with pytest.raises(InvalidVectorError, match="must be a float matrix"):
            adapter.apply(unit_vectors(0, 2, 4)[0])
        with pytest.raises(InvalidVectorError, match="Row 1 of the source vectors has norm 0"):
            adapter.apply(unit_vectors(0, 2, 4) * np.array([[1], [0]], np.float32))
        with pytest.raises(InvalidVectorError, match="NaN or infinity"):
            adapter.apply(np.full((1, 4), np.inf, np.float32))

    def test_what_is_stored_is_the_adapter(self, config: AdapterConfig) -> None:
        adapter = config.fit(unit_vectors(0, 9, 4), unit_vectors(1, 9, 3))
        tensors = adapter.tensors()
        assert all(each.dtype == np.float32 and each.flags.c_contiguous for each in tensors.values())
        again = load_adapter(adapter.kind, tensors)
        queries = unit_vectors(2, 5, 4)
        assert again.apply(queries).tobytes() == adapter.apply(queries).tobytes()

    def test_other_tensors_are_refused(self, config: AdapterConfig) -> None:
        adapter = config.fit(unit_vectors(0, 9, 4), unit_vectors(1, 9, 3))
        with pytest.raises(StoreError):
            load_adapter(adapter.kind, {"nothing of the kind": np.ones((2, 2), np.float32)})


def poor_pairs(variety: str) -> tuple[np.ndarray, np.ndarray]:
    """Twelve pairs that are equal, of two places, or of two that lie opposite each other."""
    source, target = unit_vectors(0, 12, 6), unit_vectors(1, 12, 6)
    if variety == "opposite":
        signs = np.where(np.arange(12) % 2, -1, 1)[:, None].astype(np.float32)
        return source[0] * signs, target[0] * signs
    places = np.arange(12) % (1 if variety == "equal" else 2)
    return source[places], target[places]
