"""What any HTTP client may expect of every address: methods, media types, prefixes, one description."""

import base64
import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

Start = Callable[..., TestClient]
PLAIN = {"/": {"GET"}, "/docs": {"GET"}, "/openapi.json": {"GET"}, "/page/app.js": {"GET"}}


def addresses(client: TestClient) -> dict[str, set[str]]:
    """Every address of the server, with an entry's or a version's name in it, and its methods."""
    paths: dict[str, Any] = client.get("/openapi.json").json()["paths"]
    found = {re.sub("{.*?}", "v1", path): set(map(str.upper, methods)) for path, methods in paths.items()}
    for path in ("lookup", "delete", "list", "count"):  # these may be ids as well
        found[f"/v1/gallery/entries/{path}"] |= {"GET", "PUT", "DELETE"}
    return found | PLAIN


def test_every_address_answers_head_and_options_and_names_its_methods(client: TestClient) -> None:
    found = addresses(client)
    assert len(found) > 15
    for path, methods in found.items():
        allowed = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        options = client.options(path)
        assert (options.status_code, set(options.headers["Allow"].split(", "))) == (204, allowed), path
        head = client.head(path)
        if "GET" in methods:
            get = client.get(path)
            assert (head.status_code, head.content) == (get.status_code, b""), path
            assert head.headers["Content-Type"] == get.headers["Content-Type"]
            assert path == "/metrics" or head.headers["Content-Length"] == get.headers["Content-Length"]
        else:
            assert head.status_code == 405
        for method in {"GET", "PUT", "POST", "DELETE", "PATCH", "TRACE", "PROPFIND"} - methods:
            refused = client.request(method, path)
            assert (refused.status_code, set(refused.headers["Allow"].split(", "))) == (405, allowed), path
            assert refused.json()["error"]["code"] == "method_not_allowed"
            assert refused.json()["error"]["message"].count(method) == 1
    assert client.options("/nowhere").status_code == client.head("/nowhere").status_code == 404


def test_a_slash_too_many_is_led_away_by_a_relative_address(client: TestClient) -> None:
    for path in ("/v1/models/", "/v1/gallery/", "/docs/", "/livez/"):
        answer = client.get(f"{path}?a=1", follow_redirects=False)
        assert answer.status_code == 307
        assert answer.headers["Location"] == f"../{path.split('/')[-2]}?a=1"
        assert client.get(path).status_code == 200


def test_the_document_declares_every_status(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["components"]["schemas"].keys().isdisjoint({"HTTPValidationError", "ValidationError"})
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            declared = set(map(int, operation["responses"]))
            assert {400, 408, 500, 503} <= declared, (path, method)
            if path.startswith("/v1"):
                assert {401, 413, 422, 429} <= declared, (path, method)
            if "requestBody" in operation:
                assert 415 in declared, (path, method)
            if "{" in path:
                assert 404 in declared, (path, method)
            assert any(200 <= status < 300 for status in declared)
            for status, response in operation["responses"].items():
                if int(status) >= 400 and path != "/readyz":
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, ["no Content-Type", "application/json"]),
        ({"Content-Type": "text/plain"}, ["text/plain", "application/json"]),
        ({"Content-Type": "application/x-www-form-urlencoded"}, ["form-urlencoded", "application/json"]),
        ({"Content-Type": "multipart/form-data; boundary=x"}, ["multipart", "application/json"]),
        ({"Content-Type": "application/json; charset=utf-16"}, ["utf-16", "UTF-8"]),
        ({"Content-Type": "nonsense"}, ["nonsense"]),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, ["gzip", "uncompressed"]),
        ({"Content-Type": "application/json", "Content-Encoding": "br"}, ["br", "uncompressed"]),
    ],
)
def test_a_body_in_another_form_is_415_and_says_which_is_read(
    client: TestClient, headers: dict[str, str], words: list[str]
) -> None:
    lookup = "/v1/gallery/entries/lookup"
    for method, path in (("POST", lookup), ("PUT", "/v1/traffic"), ("POST", "/v1/traffic/rollback")):
        answer = client.request(method, path, content=b"{}", headers=headers)
        assert answer.status_code == 415, answer.text
        assert answer.json()["error"]["code"] == "unsupported_media_type"
        assert all(word in answer.json()["error"]["message"] for word in words)
        assert answer.headers["Accept"] == "application/json"
        assert answer.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "kind", ["application/json", "application/JSON; charset=UTF-8", "application/vnd.api+json"]
)
def test_json_by_any_of_its_names(client: TestClient, kind: str) -> None:
    body = b'\xef\xbb\xbf{"ids": ["x"]}'
    answer = client.post("/v1/gallery/entries/lookup", content=body, headers={"Content-Type": kind})
    assert answer.json() == {"entries": [], "missing": ["x"]}


def test_an_image_in_any_form_of_base64(client: TestClient, png: Callable[..., bytes]) -> None:
    content = next(each for each in map(png, range(100)) if b"+" in base64.b64encode(each))
    plain = base64.b64encode(content).decode()
    forms = [
        plain,
        plain.rstrip("="),
        base64.urlsafe_b64encode(content).decode(),
        base64.urlsafe_b64encode(content).decode().rstrip("="),
        base64.encodebytes(content).decode(),
        "\r\n ".join(plain),
        f"data:image/png;base64,{plain}",
        f"DATA:image/png;charset=utf-8;BASE64,{plain.rstrip('=')}",
        f"data:;base64,{plain}",
        f"data:application/octet-stream;base64,{plain}",
        f"data:image/png;base64,{quote(plain, safe='')}",
        f"data:image/png,{quote(content)}",
    ]
    answer = client.post("/v1/embeddings", json={"input": forms})
    assert answer.status_code == 200, answer.text
    rows = [row["embedding"] for row in answer.json()["data"]]
    assert all(row == pytest.approx(rows[0], abs=1e-5) for row in rows)
    for bad in ("data:text/html;base64,aGk=", "data:image/png;base64,%%%", "A", "ab=cd", "data:image/png"):
        refused = client.post("/v1/embeddings", json={"input": bad})
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid_image"), bad
        assert "input: " in refused.text


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("embeddings", {"input": 7}, "input has to be text, an object or a list, not 7."),
        ("embeddings", {"input": ["x", 7]}, "input[1] has to be text or an object, not 7."),
        (
            "embeddings",
            {"input": []},
            "input has to be text, an object or a list of at least 1 items, not [].",
        ),
        ("embeddings", {}, "input is missing."),
        ("search", {"id": "x", "k": 0}, "k has to be a number of at least 1, not 0."),
        (
            "search",
            {"id": "x", "k": "many", "min_seq": -1},
            "k has to be a whole number, not 'many'; min",
        ),
        (
            "search",
            {"id": "x", "kk": 1},
            "'kk' is no key here (did you mean k?): the keys are image, image_url, text, vec",
        ),
        ("search", [], "the body has to be an object, not []."),
        ("embeddings", {"input": "x", "encoding_format": "hex"}, "'binary' or 'ubinary', not 'hex'."),
        (
            "search",
            {"vector": ["a"] * 9, "model": "v1"},
            "vector[0] has to be a number, not 'a'; vec",
        ),
        ("search", {"vector": ["a"] * 9, "model": "v1"}, "; and 4 more such faults."),
    ],
)
def test_a_refusal_says_where_and_what_is_allowed(
    client: TestClient, path: str, body: Any, message: str
) -> None:
    answer = client.post(f"/v1/{path}", json=body)
    assert answer.status_code == 422
    assert message in answer.json()["error"]["message"]


def test_a_refused_attribute_is_named_with_what_it_may_be(client: TestClient) -> None:
    for value, where in (([{"b": 1}], "a[0]"), ({"b": 1}, "a")):
        item = {"id": "x", "vector": [1.0], "version": "v1", "attributes": {"a": value}}
        answer = client.put("/v1/gallery/entries", json={"entries": [item]})
        said = answer.json()["error"]["message"]
        assert said.startswith(f"entries[0].attributes.{where} has to be text, a whole number, a number")
        assert "more" not in said


def test_pages_of_other_origins_are_let_in_only_where_they_are_named(
    serve_here: Start, client: TestClient, admin_key: str
) -> None:
    asks = {"Origin": "https://one.example", "Access-Control-Request-Method": "POST"}
    assert "Access-Control-Allow-Origin" not in client.options("/v1/search", headers=asks).headers
    for origins in (("https://one.example",), ("*",)):
        open_to = serve_here(cors_origins=origins)
        asked = open_to.options("/v1/search", headers=asks)
        assert asked.status_code == 204
        assert asked.headers["Access-Control-Allow-Origin"] == "https://one.example"
        assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
        refused = open_to.get("/v1/models", headers={"Origin": "https://one.example"})
        assert refused.status_code == 401
        assert refused.headers["Access-Control-Allow-Origin"] == "https://one.example"
        assert "X-Request-ID" in refused.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in refused.headers
    named = serve_here(cors_origins=("https://one.example",))
    other = named.options("/v1/search", headers={**asks, "Origin": "https://two.example"})
    assert "Access-Control-Allow-Origin" not in other.headers
    assert other.headers["Vary"] == "Origin"


def test_nothing_of_the_pages_leads_to_the_root_or_elsewhere(client: TestClient) -> None:
    names = [file.name for file in files("holdfast_serving.http").joinpath("page").iterdir()]
    assert {"app.js", "docs.js", "page.css"} <= set(names)
    for path in ("/", "/docs", *(f"/page/{name}" for name in names)):
        text = client.get(path).text
        assert not re.search(r"""(src|href|from|fetch|get|post|put|remove|Blob)(=| |\()["'`]/""", text), path
        assert "innerHTML" not in text, path
        assert not re.search(r"https?://(?!www\.w3\.org)", text), path


def test_who_has_a_file_of_the_page_is_not_sent_it_again(client: TestClient) -> None:
    for path in ("/", "/docs", "/page/app.js", "/page/icon.svg"):
        first = client.get(path)
        tag = first.headers["ETag"]
        assert (first.status_code, first.headers["Cache-Control"]) == (200, "no-cache")
        for held in (tag, f"W/{tag}", f'"other", {tag}'):
            again = client.get(path, headers={"If-None-Match": held})
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        assert client.get(path, headers={"If-None-Match": '"other"'}).text == first.text
    other = client.get("/", headers={"X-Forwarded-Prefix": "/gallery"}).headers["ETag"]
    assert other != client.get("/").headers["ETag"]


def test_below_the_prefix_of_an_application_of_serve(serve_here: Start, admin_key: str) -> None:
    """Serve leaves its prefix in the address; a proxy in front may have taken one more off."""
    alone = TestClient(serve_here().app, root_path="/embeddings")
    behind = TestClient(serve_here(root_path="/gallery").app, root_path="/embeddings")
    for client, shown in ((alone, "/embeddings"), (behind, "/gallery/embeddings")):
        headers = {"X-API-Key": admin_key}
        assert f'<base href="{shown}/">' in client.get("/embeddings/").text
        assert client.get("/embeddings/openapi.json").json()["servers"] == [{"url": shown}]
        assert client.get("/embeddings/v1/models", headers=headers).status_code == 200
        assert client.post("/embeddings/v1/search", json={"k": 1}, headers=headers).status_code == 422
        assert client.get("/embeddings/v1/nothing").status_code == 404
        assert client.get("/embeddings").status_code == client.get("/embeddings/livez").status_code == 200
        assert 'route="/v1/models"' in client.get("/embeddings/metrics", headers=headers).text


def test_a_prefix_is_kept(serve_here: Start, admin_key: str) -> None:
    headers = {"X-API-Key": admin_key}
    told, set_up = serve_here(), serve_here(root_path="/gallery")
    forwarded = {"X-Forwarded-Prefix": "/gallery/"}
    for client, path, more in ((told, "", forwarded), (set_up, "/gallery", {}), (set_up, "", {})):
        assert '<base href="/gallery/">' in client.get(f"{path}/", headers=more).text
        assert '<base href="/gallery/">' in client.get(f"{path}/docs", headers=more).text
        assert client.get(f"{path}/openapi.json", headers=more).json()["servers"] == [{"url": "/gallery"}]
        assert client.get(f"{path}/v1/models", headers=headers | more).status_code == 200
        assert client.options(f"{path}/v1/models", headers=more).status_code == 204
        assert client.get(f"{path}/page/app.js", headers=more).status_code == 200
    assert set_up.get("/gallery").status_code == set_up.get("/gallery/livez").status_code == 200
    assert 'route="/v1/models"' in set_up.get("/gallery/metrics", headers=headers).text
    for hostile in ('/"><script>', "//evil.example", "https://evil.example", "/a b", "/é".encode()):
        page = told.get("/", headers={"X-Forwarded-Prefix": hostile})
        assert "<base" not in page.text
