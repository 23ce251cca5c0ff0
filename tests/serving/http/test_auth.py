"""Keys and roles."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from holdfast.base import ConfigError, NotReadyError, StoreError
from holdfast.store import Key, Role, Store
from holdfast_serving.http.auth import FixedKeys, Gatekeeper, hash_key, parse_keys

ROUTES = {
    "read": [
        *(
            ("GET", f"/v1/{path}")
            for path in ("key", "models", "models/v1", "compatibility", "gallery", "traffic", "backfills")
        ),
        ("GET", "/v1/backfills/b1"),
    ],
    "write": [("DELETE", "/v1/gallery/entries/nothing")],
    "admin": [("POST", "/v1/traffic/rollback"), ("POST", "/v1/backfills")],
}
ORDER = ["read", "write", "admin"]


def test_keys_of_the_variable() -> None:
    keys = FixedKeys(parse_keys(" read:reader-key , admin:with:colons ,"))
    roles = {digest: key.role for digest, key in keys.valid().items()}
    assert roles == {hash_key("reader-key"): "read", hash_key("with:colons"): "admin"}
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
    "path", ["/livez", "/readyz", "/metrics", "/", "/page/app.js", "/openapi.json", "/docs"]
)
def test_open_without_a_key(serve_here: Callable[..., TestClient], path: str) -> None:
    assert serve_here().get(path).status_code == 200


def key_of(role: Role, expires_at: datetime | None = None) -> Key:
    return Key("0" * 8, "somebody", role, datetime.now(UTC), expires_at)


async def role_of(gatekeeper: Gatekeeper, secret: str) -> str | None:
    found = await gatekeeper.key(secret)
    return None if found is None else found.role


class Ring:
    """Counts how often it is read; `broken` is raised, `held` stops a reading until it is set."""

    def __init__(self, *secrets: str) -> None:
        self.keys = {hash_key(secret): key_of("read") for secret in secrets}
        self.readings = 0
        self.broken: Exception | None = None
        self.held: threading.Event | None = None

    def valid(self) -> Mapping[str, Key]:
        self.readings += 1
        if self.held is not None:
            assert self.held.wait(30)
        if self.broken is not None:
            raise self.broken
        return dict(self.keys)


def test_a_flood_of_unknown_keys_costs_a_few_queries_and_no_memory() -> None:
    async def main() -> None:
        ring = Ring("good-key")
        gatekeeper = Gatekeeper(ring)
        assert await role_of(gatekeeper, "good-key") == "read"
        for wave in range(3):
            unknown = [role_of(gatekeeper, f"random-{wave}-{number}") for number in range(1000)]
            assert set(await asyncio.gather(*unknown)) == {None}
        assert ring.readings <= 8
        ring.held = threading.Event()
        flood = asyncio.gather(*(role_of(gatekeeper, f"more-{number}") for number in range(1000)))
        await asyncio.sleep(0)
        assert await role_of(gatekeeper, "good-key") == "read"
        assert not flood.done(), "a good key waits for no unknown one"
        ring.held.set()
        await flood
        gatekeeper.close()

    asyncio.run(main())


def test_unknown_keys_that_arrive_at_any_moment_of_a_reading_block_nobody() -> None:
    async def main() -> None:
        gatekeeper = Gatekeeper(Ring("good-key"), pause_seconds=0.01)
        asked = []
        for number in range(200):
            asked.append(asyncio.create_task(role_of(gatekeeper, f"random-{number}")))
            await asyncio.sleep(0.001)
        assert set(await asyncio.gather(*asked)) == {None}
        gatekeeper.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "the event loop is blocked"


def test_a_new_key_works_at_once_and_a_withdrawn_one_for_a_few_seconds() -> None:
    async def main() -> None:
        ring = Ring("good-key")
        gatekeeper = Gatekeeper(ring, memory_seconds=0.3)
        assert await role_of(gatekeeper, "good-key") == "read"
        ring.keys[hash_key("new-key")] = key_of("write")
        assert await role_of(gatekeeper, "new-key") == "write"
        del ring.keys[hash_key("good-key")]
        assert await role_of(gatekeeper, "good-key") == "read"
        await asyncio.sleep(0.4)
        assert await role_of(gatekeeper, "good-key") is None
        gatekeeper.close()

    asyncio.run(main())


def test_known_keys_stay_good_while_the_database_is_away() -> None:
    async def main() -> None:
        ring = Ring("good-key")
        gatekeeper = Gatekeeper(ring, memory_seconds=0.0)
        assert await role_of(gatekeeper, "good-key") == "read"
        ring.broken = StoreError("The database is away.")
        for _ in range(20):
            assert await role_of(gatekeeper, "good-key") == "read"
        assert ring.readings == 2, "nobody tries again at once"
        with pytest.raises(StoreError):
            await role_of(gatekeeper, "another-key")
        gatekeeper.close()

    asyncio.run(main())


@pytest.mark.quiet
def test_a_database_that_hangs_holds_known_keys_up_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast_serving.http.auth.PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr("holdfast_serving.http.auth.UNKNOWN_SECONDS", 0.4)

    async def main() -> None:
        ring = Ring("good-key")
        gatekeeper = Gatekeeper(ring, memory_seconds=0.0)
        assert await role_of(gatekeeper, "good-key") == "read"
        ring.held = threading.Event()
        begun = time.monotonic()
        for _ in range(20):
            assert await role_of(gatekeeper, "good-key") == "read"
        assert time.monotonic() - begun < 2, "20 of them, each of which may wait 0.2 s"
        with pytest.raises(NotReadyError):
            await role_of(gatekeeper, "another-key")
        ring.held.set()
        gatekeeper.close()

    asyncio.run(main())


def test_a_key_ends_with_its_time_though_the_database_is_away() -> None:
    async def main() -> None:
        ring = Ring()
        ring.keys[hash_key("for-a-while")] = key_of("read", datetime.now(UTC) + timedelta(seconds=0.3))
        gatekeeper = Gatekeeper(ring, memory_seconds=60.0)
        assert await role_of(gatekeeper, "for-a-while") == "read"
        ring.broken = StoreError("The database is away.")
        await asyncio.sleep(0.35)
        assert await role_of(gatekeeper, "for-a-while") is None
        gatekeeper.close()

    asyncio.run(main())


def test_a_key_that_is_revoked_by_its_name_stops_working_without_a_restart(
    serve_here: Callable[..., TestClient], store: Store
) -> None:
    secret = store.keys.create("read", "somebody")
    client = serve_here()
    headers = {"X-API-Key": secret}
    assert client.get("/v1/models", headers=headers).status_code == 200
    store.keys.revoke_named("somebody")
    deadline = time.monotonic() + 10
    while client.get("/v1/models", headers=headers).status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.2)
