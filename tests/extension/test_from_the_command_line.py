"""A package's parts train, adapt and search like the built-in ones."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from holdfast.base import ConfigError, DataError, load_settings
from holdfast.cli import main
from holdfast.data import open_source
from holdfast.index import open_index
from holdfast.search import Gallery
from holdfast.store import Compatibility, open_store
from holdfast_serving import ServingConfig
from tests.extension.conftest import forget

SOURCE = "acme.sources:StripesConfig?classes=12&instances=6"
EXPERIMENT = {
    "name": "acme",
    "data": {"source": SOURCE, "train": {"split": "train"}, "evaluate": {"split": "evaluation"}},
    "stream": {"tasks": 2},
    "model": {
        "dimension": 8,
        "trunk": {"kind": "acme.networks:PatchesConfig", "filters": 16},
        "head": {"kind": "acme.networks:PlainHeadConfig", "scale": 8},
    },
    "learning": {"epochs": 1, "batch_size": 16, "precision": "float32"},
    "regularizers": [{"kind": "acme.regularizers:PullConfig", "weight": 2, "power": 4}],
    "adapter": {"kind": "acme.adapters:ShiftConfig"},
    "scaling": {"workers": 0, "cpus_per_worker": 1},
    "evaluation": {"resamples": 100},
}

Holdfast = Callable[..., int]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def holdfast() -> Holdfast:
    def call(*arguments: object) -> int:
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        return int(ended.value.code or 0)

    return call


@pytest.fixture(scope="module")
def store(folder: Path, holdfast: Holdfast) -> Path:
    """Two versions, and the gallery that the first of them filled."""
    (folder / "acme.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    made = folder / "store"
    assert holdfast("run", folder / "acme.yaml", "--store", made) == 0
    assert holdfast("embed", "v1", SOURCE, "-o", folder / "v1.parquet", "--store", made) == 0
    assert holdfast("gallery", "import", folder / "v1.parquet", "--store", made) == 0
    return made


@pytest.fixture(scope="module")
def settings(folder: Path) -> Path:
    file = folder / "serve.yaml"
    file.write_text(yaml.safe_dump({"index": {"kind": "acme.indexes:PlainConfig", "room": 100}}))
    return file


def test_the_newer_version_searches_through_the_adapter_in_the_index(store: Path, settings: Path) -> None:
    config = load_settings(ServingConfig, settings, [f"store={store}"]).index
    with open_store(store) as opened:
        (adapter,) = opened.adapters.list()
        assert adapter.kind == "acme.adapters:Shift"
        # So short a run would leave to chance whether they are compatible.
        measured = Compatibility("v2", "v1", 60.0, 50.0, 5.0, 15.0, True, "made up", adapter=adapter.digest)
        opened.compatibility.record([measured])
        gallery = Gallery(opened, open_index(opened, config))
        gallery.refresh()
        images = open_source(SOURCE).read("evaluation").column("image").to_pylist()[:1]
        query, entry = (opened.versions.load(name).embed(images) for name in ("v2", "v1"))
        found = gallery.search(query[0], "v2", k=72)
        mapped = opened.adapters.open(adapter).apply(entry)
        assert any(hit.score == pytest.approx(float(mapped[0] @ query[0]), abs=1e-5) for hit in found.hits)
        assert {hit.embedded_by for hit in found.hits} == {"v1"}


def test_what_is_kept_of_the_index_is_verified(
    store: Path, settings: Path, holdfast: Holdfast, capsys: pytest.CaptureFixture[str]
) -> None:
    assert holdfast("gallery", "verify", "--config", settings, "--store", store) == 0
    assert "The index acme.indexes:PlainConfig is built from the entries" in capsys.readouterr().out


def test_its_experiment_is_evaluated_again(store: Path, folder: Path, holdfast: Holdfast) -> None:
    assert holdfast("evaluate", folder / "acme.yaml", "--store", store) == 0


def test_mistakes_are_explained(settings: Path) -> None:
    with pytest.raises(DataError, match=r"clases: unknown key. Did you mean 'classes'\?"):
        open_source("acme.sources:StripesConfig?clases=3")
    with pytest.raises(DataError, match=r"acme.sources has no StripeConfig. Did you mean"):
        open_source("acme.sources:StripeConfig")
    with pytest.raises(ConfigError, match=r"index.acme.indexes:PlainConfig.room: Input should be"):
        load_settings(ServingConfig, settings, ["store=x", "index.room=0"])


def test_without_the_package_its_versions_say_what_to_install(
    store: Path,
    folder: Path,
    holdfast: Holdfast,
    installed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.path", [each for each in sys.path if each != str(installed)])
    forget()
    assert holdfast("versions", "--store", store) == 0
    assert holdfast("embed", "v1", "glyphs:?classes=36", "-o", folder / "x.parquet", "--store", store) == 2
    assert "no module 'acme' here; install the package" in capsys.readouterr().err
