"""Endpoints as models, against a real server that speaks each vendor's bodies."""

import io
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from holdfast.base import (
    ChangedModelError,
    ConfigError,
    EndpointError,
    EndpointRefusedError,
    InvalidImageError,
    NotEmbeddableError,
    StoreError,
    UnsoundError,
)
from holdfast.models import Model, find_flaw, load_model, probe_files, write_description
from holdfast.models.foreign import HttpConfig, probe
from tests.fixtures.endpoints import DIMENSION, Vendor

BODIES = ("openai", "cohere", "jina", "tei")


def config_of(vendor: Vendor, body: str = "openai", **settings: Any) -> HttpConfig:
    return HttpConfig.model_validate(
        {"url": vendor.address(body), "body": body, "model": "tiny-clip", "deadline_seconds": 2.0, **settings}
    )


def adopted(vendor: Vendor, folder: Path, body: str = "openai", **settings: Any) -> Model:
    config = config_of(vendor, body, **settings)
    answers = probe(config)
    answers.save(folder)
    write_description(folder, config, answers.dimension)
    return load_model(folder)


def expected(vendor: Vendor, modality: str, item: str) -> np.ndarray:
    vector = np.array(vendor.embed(modality, item))
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("body", BODIES)
def test_embeds_images_and_text_in_every_vendors_words(vendor: Vendor, tmp_path: Path, body: str) -> None:
    model = adopted(vendor, tmp_path, body, batch=None if body == "cohere" else 3)
    assert model.takes == {"image", "text"}
    assert model.dimension == DIMENSION
    assert find_flaw(model) is None
    model.check()
    vectors = model.embed(np.stack([model.prepare(file) for file in probe_files()]))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(vectors, model.embed(list(probe_files())), atol=1e-6)
    np.testing.assert_allclose(
        model.embed_text(["red apples", "né"]),
        [expected(vendor, "text", "red apples"), expected(vendor, "text", "né")],
        atol=1e-6,
    )
    assert model.embed_text([]).shape == (0, DIMENSION)


@pytest.mark.parametrize(
    ("body", "named", "told"),
    [
        ("cohere", "input_type", ["search_query", "search_query", "search_document"]),
        ("jina", "task", [None, "retrieval.query", "retrieval.passage"]),
        ("openai", "input_type", [None, None, None]),
        ("tei", "input_type", [None, None, None]),
    ],
)
def test_an_endpoint_is_told_what_texts_are_for_where_it_takes_that(
    vendor: Vendor, tmp_path: Path, body: str, named: str, told: list[str | None]
) -> None:
    model = adopted(vendor, tmp_path, body)
    vendor.requests.clear()
    for purpose in (None, "query", "document"):
        model.embed_text(["red apples"], purpose)
    assert [asked.get(named) for asked in vendor.requests] == told


def test_coheres_newer_models_take_many_images_at_once(vendor: Vendor, tmp_path: Path) -> None:
    model = adopted(vendor, tmp_path, "cohere", batch=96)
    vendor.requests.clear()
    model.embed(list(probe_files()))
    (asked,) = vendor.requests
    assert len(asked["inputs"]) == 8


@pytest.mark.parametrize("takes", ["image", "text"])
def test_what_it_embeds_is_found_out(vendor: Vendor, tmp_path: Path, takes: str) -> None:
    vendor.takes = frozenset({takes})
    model = adopted(vendor, tmp_path)
    assert model.takes == {takes}
    assert find_flaw(model) is None
    with pytest.raises(NotEmbeddableError, match="embeds no"):
        model.embed_text(["a"]) if takes == "image" else model.prepare(probe_files()[0])


def test_a_data_uri_that_is_read_as_text_is_no_image(vendor: Vendor, tmp_path: Path) -> None:
    vendor.reads_images_as_text = True
    assert adopted(vendor, tmp_path).takes == {"text"}


def test_what_embeds_nothing_is_no_version(vendor: Vendor) -> None:
    vendor.takes = frozenset()
    with pytest.raises(ConfigError, match=r"this model takes no image.* neither images nor text"):
        probe(config_of(vendor))


def test_the_same_answers_make_the_same_contract(vendor: Vendor, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other", "later", "third")]
    for folder in folders:
        folder.mkdir()
    first = adopted(vendor, folders[0]).contract()
    # How it is reached is no part of what it makes.
    vendor.key = "secret-key"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VENDOR_KEY", "secret-key")
        again = adopted(vendor, folders[1], key_env="VENDOR_KEY", batch=2, requests_per_minute=6000)
    assert again.contract().id == first.id
    assert "secret" not in (folders[1] / "foreign.json").read_text()
    vendor.key = None
    assert adopted(vendor, folders[2], revision="2026-11").contract().id != first.id
    vendor.model = 1
    assert adopted(vendor, folders[3]).contract().id != first.id


def test_an_endpoint_that_answers_differently_is_refused(vendor: Vendor) -> None:
    vendor.jitter = 0.3
    with pytest.raises(UnsoundError, match="answers differently for the same image"):
        probe(config_of(vendor))


def test_noise_of_numbers_is_no_change(vendor: Vendor, tmp_path: Path) -> None:
    vendor.jitter = 3e-3  # 1e-3 of the norm, in every number
    model = adopted(vendor, tmp_path)
    for _ in range(5):
        model.check()


def test_another_model_is_noticed(vendor: Vendor, tmp_path: Path) -> None:
    model = adopted(vendor, tmp_path)
    vendor.model = 1
    with pytest.raises(ChangedModelError, match=r"tiny-clip.*cosine of down to -?0\.\d"):
        model.check()
    vendor.model = 0
    model.check()
    vendor.dimension = 8
    with pytest.raises(ChangedModelError, match="8 dimensions, and had 16"):
        model.embed(list(probe_files()))


def test_the_key_is_named_and_never_shown(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.key = "a-very-secret-key"
    with pytest.raises(EndpointError, match="set the environment variable VENDOR_KEY"):
        probe(config_of(vendor, key_env="VENDOR_KEY"))
    with pytest.raises(EndpointError, match=r"does not let us in: give the name of the variable"):
        probe(config_of(vendor))
    monkeypatch.setenv("VENDOR_KEY", "a-wrong-key")
    with pytest.raises(EndpointError, match="Incorrect API key") as caught:
        probe(config_of(vendor, key_env="VENDOR_KEY"))
    assert "a-wrong-key" not in str(caught.value)
    assert "VENDOR_KEY" in str(caught.value)
    monkeypatch.setenv("VENDOR_KEY", "a-very-secret-key")
    model = adopted(vendor, tmp_path, key_env="VENDOR_KEY")
    assert vendor.requests[-1]["key"] == "Bearer a-very-secret-key"
    assert b"a-very-secret-key" not in pickle.dumps(model)


@pytest.mark.parametrize("key", ["sk-proj-123", "jina_0123abcd"])
def test_a_key_in_the_place_of_its_name_is_refused(vendor: Vendor, key: str) -> None:
    with pytest.raises(ValidationError, match="no name of an environment variable"):
        config_of(vendor, key_env=key)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "ftp://host/v1"}, "no address"),
        ({"url": "http://"}, "no address"),
        ({"url": "https://user:secret@host/v1"}, "holds a key or a password"),
        ({"url": "https://host/v1?api_key=secret"}, "holds a key or a password"),
        ({"model": ""}, "model is missing"),
        ({"key_env": "a b"}, "no name of an environment variable"),
        ({"dimension": 1}, "greater than or equal to 2"),
    ],
)
def test_what_is_no_endpoint(vendor: Vendor, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        config_of(vendor, **settings)


def test_an_address_without_a_path_gets_the_usual_one() -> None:
    for body, path in [("openai", "/v1/embeddings"), ("cohere", "/v2/embed"), ("tei", "/embed")]:
        config = HttpConfig.model_validate({"url": "http://host:80/", "body": body, "model": "m"})
        assert config.url == f"http://host:80{path}"
        assert config.provider == "host:80"


def test_busy_endpoints_are_asked_again(vendor: Vendor, tmp_path: Path) -> None:
    model = adopted(vendor, tmp_path)
    vendor.failures = [
        (429, {"Retry-After": "0.1"}, {"error": "slow down"}),
        (503, {}, "overloaded"),
        (429, {"Retry-After": "Sun, 29 Nov 2020 00:00:00 GMT"}, ""),
    ]
    assert model.embed_text(["a"]).shape == (1, DIMENSION)
    assert not vendor.failures


def test_what_stays_busy_is_given_up_at_the_deadline(vendor: Vendor, tmp_path: Path) -> None:
    model = adopted(vendor, tmp_path, deadline_seconds=0.4)
    vendor.failures = [(429, {"Retry-After": "60"}, {"detail": "quota of today"})]
    with pytest.raises(EndpointError, match=r"within 0.4 s \(one try\).*429: quota of today"):
        model.embed_text(["a"])
    vendor.seconds = 1.0
    with pytest.raises(EndpointError, match=r"within 0.4 s.*ReadTimeout"):
        model.embed_text(["a"])


def test_a_refusal_is_not_repeated(vendor: Vendor, tmp_path: Path) -> None:
    model = adopted(vendor, tmp_path)
    vendor.requests.clear()
    vendor.failures = [(422, {}, {"detail": [{"msg": "image is too large"}]})]
    with pytest.raises(EndpointRefusedError, match="422: image is too large"):
        model.embed(list(probe_files()))
    vendor.failures = [(404, {}, {"message": "no such model"})]
    with pytest.raises(EndpointError, match="404: no such model"):
        model.embed(list(probe_files()))
    assert len(vendor.requests) == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("<html>", "no JSON"),
        ({"data": []}, "0 vectors for 1 items"),
        ({"data": [{"index": 0, "embedding": [0.0] * DIMENSION}]}, "vector of zeros"),
        ({"data": [{"index": 0, "embedding": [1e300] * DIMENSION}]}, "not finite"),
        ({"data": [{"index": 0, "embedding": [float("nan")] * DIMENSION}]}, "not finite"),
        ({"data": [{"index": 0, "embedding": ["a"]}]}, "something else"),
        ({"data": [{"index": 0, "embedding": "%%%"}]}, "something else"),
        ({"data": [{"index": 0, "embedding": [[1.0]]}]}, "something else"),
        ({"vectors": [[1.0]]}, "something else"),
        ([[1.0]], "something else"),
    ],
)
def test_answers_that_are_no_embeddings(vendor: Vendor, tmp_path: Path, answer: Any, said: str) -> None:
    model = adopted(vendor, tmp_path)
    vendor.failures = [(200, {}, answer)]
    with pytest.raises(EndpointError, match=said):
        model.embed_text(["a"])


def test_nobody_answers(tmp_path: Path) -> None:
    config = HttpConfig(url="http://127.0.0.1:9/v1", model="m", deadline_seconds=0.3)
    with pytest.raises(EndpointError, match=r"127.0.0.1:9.*did not answer within 0.3 s.*ConnectError"):
        probe(config)


def test_it_keeps_to_its_pace(vendor: Vendor, tmp_path: Path) -> None:
    model = adopted(vendor, tmp_path, requests_per_minute=600, deadline_seconds=0.05)
    begun = time.monotonic()
    for _ in range(4):
        model.embed_text(["a"])
    assert time.monotonic() - begun >= 0.3


def test_the_dimension_that_was_asked_for(vendor: Vendor, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="16 dimensions, although 8 were asked for"):
        probe(config_of(vendor, dimension=8))
    adopted(vendor, tmp_path, dimension=16)
    assert vendor.requests[-1]["dimensions"] == 16


def test_the_users_own_bytes_are_sent(vendor: Vendor, tmp_path: Path) -> None:
    model = adopted(vendor, tmp_path)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"):
        buffer = io.BytesIO()
        picture.save(buffer, kind)
        sent = model.prepare(buffer.getvalue()).item()
        if kind in ("PNG", "JPEG", "WEBP"):
            assert sent == buffer.getvalue()
        else:
            with Image.open(io.BytesIO(sent)) as opened:
                assert (opened.format, opened.size) == ("PNG", (60, 40))
    grey = model.prepare(np.zeros((8, 8, 1), np.uint8)).item()
    assert grey.startswith(b"\x89PNG")
    with pytest.raises(InvalidImageError):
        model.prepare(b"no image")
    with pytest.raises(InvalidImageError, match="too large"):
        model.prepare(picture, max_pixels=100)


def test_a_copy_in_another_process_asks_as_well(vendor: Vendor, tmp_path: Path) -> None:
    model = pickle.loads(pickle.dumps(adopted(vendor, tmp_path)))
    np.testing.assert_allclose(model.embed_text(["a"])[0], expected(vendor, "text", "a"), atol=1e-6)


def test_damaged_answers_are_noticed(vendor: Vendor, tmp_path: Path) -> None:
    adopted(vendor, tmp_path)
    (tmp_path / "answers.safetensors").write_bytes(b"other")
    with pytest.raises(StoreError, match="is damaged"):
        load_model(tmp_path)
