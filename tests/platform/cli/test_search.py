"""`holdfast search` and `versions --check`, over an endpoint that embeds images and text."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from holdfast.entries import Entries, Entry
from holdfast.models import probe_files
from holdfast.store import Compatibility, open_store
from tests.fixtures.endpoints import DIMENSION, Vendor, running_vendor
from tests.fixtures.two_towers import clip

Holdfast = Callable[..., Any]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with running_vendor() as running:
        yield running


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def two_towers(tmp_path: Path) -> Path:
    return clip(tmp_path / "clip")


@pytest.fixture
def place(vendor: Vendor, holdfast: Holdfast, tmp_path: Path, photo: Path) -> str:
    """A store in which `clip` is v1 and embedded `photo` and `other`; `theirs` is v2, and v3 nobody's."""
    store = str(tmp_path / "store")
    command = ("adopt", "clip", f"http:{vendor.address('jina')}", "--body", "jina", "--batch", 4)
    made = holdfast(*command, "--model-name", "tiny-clip", "--store", store, "--json")
    assert made.json["version"] == "v1"
    for name in ("theirs", "others"):
        holdfast("adopt", name, f"vectors:them/{name}", "--dimension", DIMENSION, "--store", store)
    basis = np.eye(DIMENSION, dtype=np.float32)
    with open_store(store) as opened:
        embedded = opened.versions.load("clip").embed([photo.read_bytes()])
        entries = [
            Entry("[photo]", "v1", embedded[0], {"shop": "a"}, source=str(photo)),
            Entry("other", "v1", -embedded[0], {}),
            Entry("theirs", "v2", basis[0], {}, source=str(photo)),
            Entry("others", "v3", basis[1], {}),
        ]
        Entries(opened).upsert(entries)
        opened.compatibility.record([Compatibility("v1", "v2", 60.0, 50.0, 8.0, 12.0, True, "test")])
    return store


def test_by_an_image_a_text_or_a_vector(holdfast: Holdfast, place: str, photo: Path, tmp_path: Path) -> None:
    found = holdfast("search", "clip", "--image", photo, "--store", place)
    assert found.code == 0, found.err
    assert "[photo]" in found.out
    assert "v2: as they are" in found.out
    assert "v3: left out, 1 entries that v1 may not search" in found.out
    answer = holdfast("search", "v1", "--image", photo, "-k", 2, "--store", place, "--json").json
    assert answer["hits"][0]["id"] == "[photo]"
    assert answer["hits"][0]["score"] == pytest.approx(1.0, abs=1e-5)
    assert answer["hits"][0]["ranked_by"] == "own"
    assert (answer["query_version"], len(answer["hits"]), answer["excluded"]) == ("v1", 2, {"v3": 1})

    worded = holdfast("search", "clip", "--text", "red apples", "--store", place, "--json").json
    assert {hit["id"] for hit in worded["hits"]} == {"[photo]", "other", "theirs"}

    basis = np.eye(DIMENSION)
    np.save(tmp_path / "query.npy", basis[:1].astype(np.float32))
    (tmp_path / "query.json").write_text(json.dumps(basis[0].tolist()))
    for file in ("query.npy", "query.json"):
        given = holdfast("search", "theirs", "--vector", tmp_path / file, "--store", place, "--json").json
        assert [hit["id"] for hit in given["hits"]] == ["theirs"]


def test_a_cascade_reads_below_the_sources(
    holdfast: Holdfast, place: str, photo: Path, tmp_path: Path
) -> None:
    with open_store(place) as opened:
        wanting = Compatibility("v1", "v2", 60.0, 50.0, 8.0, 12.0, True, "test", candidates=10)
        opened.compatibility.record(
            [Compatibility("v1", "v2", 40.0, 50.0, -12.0, -8.0, False, "test"), wanting]
        )
    command = ("search", "clip", "--image", photo, "--store", place)
    found = holdfast(*command, "--sources", tmp_path)
    assert found.code == 0, found.err
    assert "1 embedded" in found.out
    answer = holdfast(*command, "--sources", tmp_path, "--json").json
    scores = {hit["id"]: hit["score"] for hit in answer["hits"]}
    assert scores["theirs"] == pytest.approx(1.0, abs=1e-5)
    assert answer["cascade"]["kept"] == 0

    with open_store(place) as opened:
        Entries(opened).delete(["[photo]", "other", "others"])
    refused = holdfast(*command)
    assert refused.code == 2
    assert "only in a cascade" in refused.err
    assert "--sources of holdfast search" in refused.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "exactly one of --image, --text and --vector, not none"),
        (("--text", "a", "--image", "b"), "not --image and --text"),
        (("--text", ""), "--text"),
        (("--image", "missing.png"), "missing.png cannot be read"),
        (("--image", "words.txt"), "not an image"),
        (("--vector", "words.txt"), "holds no vector"),
        (("--vector", "short.json"), "shape (2,)"),
        (("--text", "a", "-k", "0"), "k"),
    ],
)
def test_what_is_no_query(
    holdfast: Holdfast, place: str, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "words.txt").write_text("no image")
    (tmp_path / "short.json").write_text("[1, 0]")
    given = [str(tmp_path / each) if "." in each else each for each in arguments]
    assert said in holdfast("search", "clip", *given, "--store", place).sentence


def test_vectors_alone_have_no_words(holdfast: Holdfast, place: str) -> None:
    said = holdfast("search", "theirs", "--text", "a dog", "--store", place).sentence
    assert "it embeds no text; give vectors" in said


def test_a_changed_endpoint_is_found_by_the_check(
    holdfast: Holdfast, place: str, vendor: Vendor, photo: Path, tmp_path: Path
) -> None:
    fine = holdfast("versions", "--check", "--store", place)
    assert fine.code == 0
    assert "All of them answer" in fine.out
    vendor.model = 1
    found = holdfast("versions", "--check", "--store", place, "--json")
    assert found.code == 1
    faults = {each["id"]: each["fault"] for each in found.json}
    assert "has become another model" in faults.pop("v1")
    assert faults == {"v2": None, "v3": None}
    refused = holdfast("search", "clip", "--image", photo, "--store", place).sentence
    assert "has become another model" in refused
    # Nothing is written by it either.
    folder = tmp_path / "photos" / "a"
    folder.mkdir(parents=True)
    photo.rename(folder / "photo.png")
    file = tmp_path / "embedded.parquet"
    command = ("embed", "clip", f"folder:{tmp_path / 'photos'}", "-o", file, "--store", place)
    assert "has become another model" in holdfast(*command).sentence
    assert not file.exists()
    command = ("backfill", "start", "clip", "--kind", "re-embed", "--sources", tmp_path, "--force")
    moved = holdfast(*command, "--store", place)
    assert moved.code != 0
    assert "has become another model" in moved.err
    with open_store(place) as opened:
        assert Entries(opened).count() == {"v1": 2, "v2": 1, "v3": 1}
    again = holdfast(
        *("adopt", "clip", f"http:{vendor.address('jina')}", "--body", "jina", "--model-name", "tiny-clip"),
        *("--store", place),
    )
    assert "adopt it under another name" in again.sentence


def test_a_key_in_the_place_of_its_name_is_not_shown(
    holdfast: Holdfast, vendor: Vendor, tmp_path: Path
) -> None:
    command = ("adopt", "clip", f"http:{vendor.address('jina')}", "--model-name", "m")
    refused = holdfast(*command, "--key-env", "sk-secret-1", "--store", tmp_path / "store")
    assert "What --key-env gives is no name of an environment variable" in refused.sentence
    assert "sk-secret-1" not in refused.err + refused.out
    missing = holdfast(*command, "--key-env", "NO_SUCH_KEY", "--store", tmp_path / "store")
    assert "set the environment variable NO_SUCH_KEY" in missing.sentence
    assert not (tmp_path / "store").exists()


def test_words_find_images_by_a_model_of_two_towers(
    holdfast: Holdfast, tmp_path: Path, two_towers: Path
) -> None:
    store = str(tmp_path / "store")
    holdfast("adopt", "clip", f"transformers:{two_towers}", "--store", store)
    with open_store(store) as opened:
        model = opened.versions.load("clip")
        embedded = model.embed(list(probe_files()))
        Entries(opened).upsert([Entry(f"p{n}", "v1", vector) for n, vector in enumerate(embedded)])
        nearest = np.argsort(-embedded @ model.embed_text(["a dog"])[0], kind="stable")
    hits = holdfast("search", "clip", "--text", "a dog", "-k", 8, "--store", store, "--json").json["hits"]
    assert [hit["id"] for hit in hits] == [f"p{n}" for n in nearest]
