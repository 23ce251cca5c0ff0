"""Keys and roles."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from holdfast.errors import ConfigError
from holdfast.store import Store
from holdfast_serving.auth import FixedKeys, parse_keys

ROUTES = {
    "read": [
        *(("GET", f"/v1/{path}") for path in ("models", "models/v1", "gallery", "traffic", "backfills")),
        ("GET", "/v1/backfills/b1"),
    ],
    "write": [("DELETE", "/v1/gallery/entries/nothing")],
    "admin": [("POST", "/v1/traffic/rollback"), ("POST", "/v1/backfills")],
}
ORDER = ["read", "write", "admin"]


def test_keys_of_the_variable() -> None:
    keys = FixedKeys(parse_keys(" read:reader-key , admin:with:colons ,"))
    assert keys.check("reader-key") == "read"
    assert keys.check("with:colons") == "admin"
    assert keys.check("nobodys-key") is None
    assert parse_keys("") == ()


@pytest.mark.parametrize("text", ["secret-key", "root:secret-key", "read:short", "read:", ",", " , "])
def test_a_malformed_variable_is_refused_without_showing_a_key(text: str) -> None:
    with pytest.raises(ConfigError, match="HOLDFAST_API_KEYS") as caught:
        parse_keys(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("held", ORDER)
def test_roles_reach_what_they_should(serve_here: Callable[..., TestClient], store: Store, held: str) -> None:
    client = serve_here()
    secret = store.keys.create(held)  # type: ignore[arg-type]
    for needed, routes in ROUTES.items():
        for method, path in routes:
            answer = client.request(method, path, headers={"Authorization": f"Bearer {secret}"})
            if ORDER.index(held) < ORDER.index(needed):
                assert answer.status_code == 403, (method, path)
                assert answer.json()["error"]["code"] == "forbidden"
            else:
                assert answer.status_code not in (401, 403), (method, path)


def test_no_key_and_a_wrong_key_are_401_and_the_other_header_works(
    serve_here: Callable[..., TestClient], store: Store
) -> None:
    client = serve_here()
    secret = store.keys.create("read")
    without = client.get("/v1/models")
    assert without.status_code == 401
    assert without.headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/v1/models", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/v1/models", headers={"Authorization": f"Basic {secret}"}).status_code == 401
    assert client.get("/v1/models", headers={"X-API-Key": secret}).status_code == 200


def test_keys_of_the_variable_replace_those_of_the_store(
    serve_here: Callable[..., TestClient], store: Store
) -> None:
    client = serve_here(key_hashes=parse_keys("read:from-the-variable"))
    stored = store.keys.create("admin")
    assert client.get("/v1/models", headers={"X-API-Key": stored}).status_code == 401
    assert client.get("/v1/models", headers={"X-API-Key": "from-the-variable"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/metrics", "/", "/page/page.js", "/openapi.json", "/docs"]
)
def test_open_without_a_key(serve_here: Callable[..., TestClient], path: str) -> None:
    assert serve_here().get(path).status_code == 200
