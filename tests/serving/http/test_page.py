"""The web page in headless Chromium: a key, an image, two versions side by side."""

import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.entries import Entries, Entry
from holdfast.models import Encoder
from holdfast.store import open_store
from tests.fixtures.endpoints import adopt_endpoint, running_vendor
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.long

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def server(served_here: Any) -> Any:
    """What stands in front of the app is tested with a real server."""
    return served_here


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or CHROMIUM
    if not Path(chromium).exists():
        pytest.skip("there is no chromium on this machine")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh tab; fails on anything that the page logs as an error or fetches from elsewhere."""
    context = browser.new_context(viewport={"width": 1180, "height": 1000})
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("http://127.0.0.1", "data:", "blob:"))
            else problems.append(request.url)
        ),
    )
    yield opened
    context.close()
    assert not problems


@pytest.fixture
def filled(
    server: Any, encoders: dict[str, Encoder], png: Callable[..., bytes], data_uri: Callable[..., str]
) -> Iterator[int]:
    """24 entries by v1 and 16 by v3, with small thumbnails."""
    entries = []
    for version, numbers in (("v1", range(24)), ("v3", range(24, 40))):
        vectors = encoders[version].embed([png(number) for number in numbers])
        for number, vector in zip(numbers, vectors, strict=True):
            attributes = {"shape": f"block {number}", "drawer": number % 7, "thumbnail": data_uri(number)}
            entries.append(Entry(f"drawing-{number:02d}", version, vector, attributes))
    with open_store(server.store) as store:
        seq = Entries(store).upsert(entries)
        yield seq
        Entries(store).delete([entry.id for entry in entries])


def connect(page: Any, server: Any) -> None:
    page.goto(server.url)
    page.fill("#key", server.key)
    page.click("text=Connect")
    wait_until(lambda: page.locator("#left option").count() == 3)


def drop(page: Any, content: bytes, name: str = "drawing.png") -> None:
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": content})


def hits(page: Any, side: str) -> list[str]:
    page.wait_for_selector(f"#column-{side} .hits li")
    ids: list[str] = page.eval_on_selector_all(
        f"#column-{side} .hits li", "nodes => nodes.map(node => node.dataset.id)"
    )
    return ids


def screenshot(page: Any, name: str) -> None:
    folder = os.environ.get("HOLDFAST_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_two_versions_side_by_side(
    page: Any, server: Any, filled: int, png: Callable[..., bytes], tmp_path: Path
) -> None:
    connect(page, server)
    page.select_option("#left", "v1")
    page.select_option("#right", "v3")
    drop(page, png(30))
    left, right = hits(page, "left"), hits(page, "right")
    assert len(left) == len(right) == 8
    assert left[0] == right[0] == "drawing-30"
    assert page.inner_text("#column-left h3").strip() == "v1"
    assert page.inner_text("#column-right h3").strip() == "v3"
    first = page.inner_text("#column-right .hits li >> nth=0")
    assert "1.0000" in first
    assert "v3" in first
    assert "shape: block 30" in first
    assert page.locator("#column-left .hits img.thumb").count() == 8
    assert page.inner_text("#traffic").split()[:2] == ["live", "v1"]
    wait_until(lambda: page.inner_text("#total") == "40")
    assert "v1 24" in " ".join(page.inner_text("#legend").split())
    screenshot(page, "two-versions")

    page.fill("#k", "3")
    page.press("#k", "Tab")
    wait_until(lambda: page.locator("#column-left .hits li").count() == 3)

    page.select_option("#right", "v2")
    page.wait_for_selector("#column-right .problem")
    words = page.inner_text("#column-right .problem")
    assert "may not share a ranking" in words
    assert "v2 is not compatible with entries of v1" in words
    assert "holdfast evaluate" in words
    screenshot(page, "refused")
    assert len(hits(page, "left")) == 3


def test_dark_and_narrow(browser: Any, server: Any, filled: int, png: Callable[..., bytes]) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 900}, color_scheme="dark")
    page = context.new_page()
    connect(page, server)
    drop(page, png(3))
    assert hits(page, "left")[0] == "drawing-03"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    screenshot(page, "dark-narrow")
    context.close()


def test_errors_in_words(page: Any, server: Any, filled: int, png: Callable[..., bytes]) -> None:
    page.goto(server.url)
    page.wait_for_selector("#notice:not([hidden])")
    assert "Enter the API key" in page.inner_text("#notice")
    page.fill("#key", "a-wrong-key")
    page.click("text=Connect")
    wait_until(lambda: "not known" in page.inner_text("#notice"))
    connect(page, server)
    page.wait_for_selector("#notice", state="hidden")
    drop(page, b"this is no picture")
    page.wait_for_selector("#column-left .problem")
    assert "not an image" in page.inner_text("#column-left .problem")


def test_the_key_stays_in_the_tab_and_out_of_the_address(page: Any, server: Any, filled: int) -> None:
    connect(page, server)
    page.reload()
    wait_until(lambda: page.locator("#left option").count() == 3)
    assert server.key not in page.url
    assert page.evaluate("Object.keys(localStorage).length") == 0
    assert page.evaluate("document.cookie") == ""


def test_a_backfill_has_a_bar_and_buttons(page: Any, server: Any, filled: int) -> None:
    connect(page, server)
    assert page.is_hidden("#backfills")
    with server.http() as http:
        body = {"target": "v3", "kind": "re-embed", "sources": ["v1"], "batch_size": 1, "pace": 0.5}
        assert http.post("/v1/backfills", json=body).status_code == 201
        page.reload()
        page.wait_for_selector("#backfill-list li[data-id=b1] progress")
        page.click("#backfill-list li[data-id=b1] >> text=pause")
        wait_until(lambda: "paused" in page.inner_text("#backfill-list"))
        assert http.get("/v1/backfills/b1").json()["status"] == "paused"
        page.click("#backfill-list li[data-id=b1] >> text=cancel")
        wait_until(lambda: "cancelled" in page.inner_text("#backfill-list"))
        assert page.locator("#backfill-list button").count() == 0
        assert http.post("/v1/backfills", json={**body, "batch_size": 256, "pace": None}).status_code == 201
        # The entries have no sources: nothing is moved, and the page says why.
        wait_until(
            lambda: "failed · 0 of 24 moved · skipped: 24 no source" in page.inner_text("#backfill-list")
        )
    screenshot(page, "backfills")


@pytest.fixture(params=["told", "untold"])
def prefixed(request: pytest.FixtureRequest, server: Any) -> Iterator[str]:
    """The URL of a proxy that shows the server below /some/where only, and tells it so or not."""
    more = {"X-Forwarded-Prefix": "/some/where"} if request.param == "told" else {}
    kept = ("authorization", "content-type", "x-api-key")

    class Proxy(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if not self.path.startswith("/some/where/"):
                self.send_error(404)
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() in kept}
            url = server.url + self.path.removeprefix("/some/where")
            found = httpx.request(self.command, url, content=body, headers=headers | more, timeout=30)
            self.send_response(found.status_code)
            for name in ("content-type", "location", "content-security-policy"):
                if name in found.headers:
                    self.send_header(name, found.headers[name])
            self.send_header("content-length", str(len(found.content)))
            self.end_headers()
            self.wfile.write(found.content)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}/some/where/"
        proxy.shutdown()


def test_everything_works_below_a_path_of_a_proxy(
    page: Any, server: Any, filled: int, prefixed: str, png: Callable[..., bytes]
) -> None:
    page.goto(prefixed)
    page.fill("#key", server.key)
    page.click("text=Connect")
    wait_until(lambda: page.locator("#left option").count() == 3)
    drop(page, png(30))
    assert hits(page, "left")[0] == "drawing-30"
    page.click("header a >> text=API")
    page.wait_for_selector("#list_models")
    assert page.url == f"{prefixed}docs"
    assert httpx.get(f"{prefixed}docs/").headers["Location"] == "../docs"


def test_the_description_of_the_api_needs_nothing_from_elsewhere(page: Any, server: Any, filled: int) -> None:
    page.goto(f"{server.url}/docs")
    page.wait_for_selector("#search")
    assert page.locator("details.operation").count() > 20
    page.fill("#key", server.key)
    page.click("#get_entry summary")
    fields = page.inner_text("#get_entry")
    for word in ("entry_id", "embedded_by", "404", "ErrorAnswer", "vector"):
        assert word in fields
    page.fill("#get_entry input[name=entry_id]", "drawing-01")
    page.click("#get_entry >> text=Try it")
    wait_until(lambda: '"embedded_by": "v1"' in page.inner_text("#get_entry pre"))
    page.click("#search summary")
    for word in ("min_seq", "calibrated", "409", "image"):
        assert word in page.inner_text("#search")
    screenshot(page, "docs")


def test_words_where_the_live_version_takes_text(
    page: Any, server: Any, filled: int, data_uri: Callable[..., str]
) -> None:
    """The last one here: it leaves a fourth version."""
    connect(page, server)
    assert page.is_hidden("#words")
    with running_vendor() as vendor, server.http() as http:
        with open_store(server.store) as store:
            adopt_endpoint(store, vendor, "clip")
        wish = {"query_version": "clip", "write_version": "clip", "force": True}
        epoch = http.get("/v1/traffic").json()["epoch"]
        assert http.put("/v1/traffic", json={"expect_epoch": epoch, **wish}).json()["query_version"] == "v4"
        entries = [{"id": f"photo-{number}", "image": data_uri(number)} for number in range(3)]
        assert http.put("/v1/gallery/entries", json={"entries": entries}).status_code == 200
        page.reload()
        page.wait_for_selector("#words:visible")
        page.select_option("#left", "v4")
        page.select_option("#right", "v1")
        page.fill("#text", "red apples on a shelf")
        page.press("#text", "Enter")
        assert sorted(hits(page, "left")) == ["photo-0", "photo-1", "photo-2"]
        page.wait_for_selector("#column-right .problem")
        assert "text" in page.inner_text("#column-right .problem")
        screenshot(page, "text")
        vendor.dimension = 8
        assert http.post("/v1/search", json={"text": "a"}).json()["error"]["code"] == "model_changed"
        page.reload()
        wait_until(lambda: "8 dimensions" in page.inner_text("#notice"))
