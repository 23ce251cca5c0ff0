"""What a type checker makes of programs that use Holdfast. Read by mypy in `make lint`, never run."""

from pathlib import Path
from typing import assert_type

import numpy as np

import holdfast
from holdfast import Encoder, Store, Version, open_store
from holdfast.adapters import Adapter, AdapterConfig, RidgeConfig, load_adapter
from holdfast.config import Experiment, load_experiment
from holdfast.data import Source, open_source
from holdfast.entries import Entry
from holdfast.index import Hit, Index, IndexConfig, IndexSettings, open_index
from holdfast.models import Contract, Model, ModelConfig, Trunk, TrunkConfig
from holdfast.regularizers import Regularizer, RegularizerConfig
from holdfast.search import Gallery, SearchResult
from holdfast_serving import ServingConfig


def a_store_is_opened_read_and_closed(folder: Path) -> None:
    assert_type(holdfast.__version__, str)
    with open_store(folder) as store:
        assert_type(store, Store)
        assert_type(store.versions.load("v1"), Model)
        assert_type(store.versions.load_encoder("v1"), Encoder)
        assert_type(store.versions.list(), list[Version])


def a_version_embeds(encoder: Encoder, version: Version, folder: Path) -> None:
    assert_type(version.name, str)
    assert_type(version.dimension, int)
    assert_type(version.parent, str | None)
    assert_type(encoder.embed([b"png"]), np.ndarray)
    assert_type(encoder.save(folder), Contract)
    assert_type(Encoder.load(folder), Encoder)
    assert_type(encoder.config, ModelConfig)
    assert_type(encoder.config.trunk, str | TrunkConfig)
    assert_type(encoder.trunk, Trunk)


def a_gallery_is_filled_and_searched(store: Store, vector: np.ndarray) -> None:
    assert_type(open_index(store, IndexConfig(kind="exact")), Index)
    gallery = Gallery(store, open_index(store, IndexConfig()))
    assert_type(gallery.upsert([Entry("a", "v1", vector, {"color": "red"})]), int)
    found = gallery.search(vector, "v2", k=3)
    assert_type(found, SearchResult)
    for hit in found.hits:
        assert_type(hit, Hit)
        assert_type(hit.embedded_by, str)


def an_experiment_is_read(file: Path) -> None:
    experiment = load_experiment(file, ["learning.epochs=2"])
    assert_type(experiment, Experiment)
    assert_type(experiment.adapter, AdapterConfig | None)
    assert_type(experiment.fingerprint, str)
    for term in experiment.regularizers:
        assert_type(term, RegularizerConfig)
        assert_type(term.build(), Regularizer)


def parts_are_made(store: Store, pairs: tuple[np.ndarray, np.ndarray]) -> None:
    assert_type(open_source("glyphs:"), Source)
    adapter = RidgeConfig().fit(*pairs)
    assert_type(load_adapter(adapter.kind, adapter.tensors()), Adapter)
    assert_type(ServingConfig(store="store").index, IndexSettings)
