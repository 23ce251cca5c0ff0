"""What the page asks for beside what everybody does: the matrix, the key, the image of an entry."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from holdfast.entries import Entries, Entry
from holdfast.models import Encoder
from holdfast.store import Store


def test_the_matrix_has_every_ordered_pair(client: TestClient) -> None:
    content = client.get("/v1/compatibility").json()
    assert content["versions"] == ["v1", "v2", "v3"]
    pairs = {(pair["query"], pair["gallery"]): pair for pair in content["pairs"]}
    assert len(pairs) == 9
    assert pairs["v3", "v1"]["verdict"] == "compatible"
    assert (pairs["v3", "v1"]["low"], pairs["v3", "v1"]["high"]) == (8.0, 12.0)
    assert pairs["v2", "v1"]["command"] == "holdfast bridge v1 v2"
    assert (pairs["v2", "v3"]["verdict"], pairs["v2", "v3"]["value"]) == ("unmeasured", None)


@pytest.mark.parametrize("role", ["read", "write", "admin"])
def test_a_key_is_told_its_name_and_role_and_never_itself(
    serve_here: Callable[..., TestClient], store: Store, role: Any
) -> None:
    secret = store.keys.create(role, f"the-{role}")
    answer = serve_here().get("/v1/key", headers={"Authorization": f"Bearer {secret}"})
    assert answer.json() == {"name": f"the-{role}", "role": role, "expires_at": None}
    assert secret not in answer.text


def test_keys_of_the_configuration_have_the_name_that_the_history_gives_them(
    serve_here: Callable[..., TestClient],
) -> None:
    digest = "0f0e" * 16
    client = serve_here(key_hashes=(("admin", digest),))
    assert client.get("/v1/key").status_code == 401


def test_the_image_of_an_entry_is_read_below_the_sources_only(
    serve_here: Callable[..., TestClient],
    store: Store,
    admin_key: str,
    encoders: dict[str, Encoder],
    png: Callable[..., bytes],
    tmp_path: Any,
) -> None:
    inside, outside = tmp_path / "pictures", tmp_path / "secrets"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "1.png").write_bytes(png(1, 64))
    (inside / "bad.png").write_bytes(b"no picture")
    sources = {
        "good": str(inside / "1.png"), "outside": str(outside / "1.png"), "bad": str(inside / "bad.png"),
        "gone": str(inside / "2.png"), "none": None,
    }  # fmt: skip
    (vector,) = encoders["v1"].embed([png(1)])
    Entries(store).upsert([Entry(name, "v1", vector, {}, source) for name, source in sources.items()])
    closed, opened = serve_here(), serve_here(sources=(str(inside),))
    headers = {"Authorization": f"Bearer {admin_key}"}

    def ask(client: TestClient, name: str, **query: Any) -> Any:
        return client.get("/v1/gallery/image", params={"id": name, **query}, headers=headers)

    assert ask(closed, "good").json()["error"]["code"] == "no_sources"
    whole = ask(opened, "good")
    assert whole.headers["Content-Type"] == "image/png"
    assert "sandbox" in whole.headers["Content-Security-Policy"]
    assert Image.open(io.BytesIO(whole.content)).size == (64, 64)
    assert Image.open(io.BytesIO(ask(opened, "good", size=32).content)).size == (32, 32)
    assert ask(opened, "none").status_code == 204
    assert "outside the allowed sources" in ask(opened, "outside").json()["error"]["message"]
    assert ask(opened, "bad").json()["error"]["code"] == "invalid_image"
    assert [ask(opened, name).status_code for name in ("gone", "nobody", "outside")] == [404, 404, 404]
    assert ask(opened, "good", size=100000).status_code == 422
    assert opened.get("/v1/gallery/image?id=good").status_code == 401
