"""The web page in headless Chromium: every view, what it says before something happens, and what it does."""

import http.server
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from holdfast.entries import Entries, Entry
from holdfast.models import Encoder
from holdfast.store import open_store
from tests.fixtures.endpoints import adopt_endpoint, running_vendor
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.long

CHROMIUM = "/usr/bin/chromium"
HOSTILE = "<img src=x onerror=\"document.title='broken'\">"
VIEWS = ("versions", "versions/v3", "traffic", "backfills", "gallery", "gallery/entry/drawing-05", "search")
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
    context = browser.new_context(viewport={"width": 1180, "height": 1000}, reduced_motion="reduce")
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
    """24 entries by v1 and 16 by v3, with small thumbnails; every other one names its image."""
    entries = []
    for version, numbers in (("v1", range(24)), ("v3", range(24, 40))):
        vectors = encoders[version].embed([png(number) for number in numbers])
        for number, vector in zip(numbers, vectors, strict=True):
            attributes = {"shape": f"block {number}", "drawer": number % 7, "thumbnail": data_uri(number)}
            if number == 5:
                attributes |= {"note": HOSTILE, "long": "word " * 400}
            source = server.store / f"{number}.png"
            if number % 2 == 0:
                source.write_bytes(png(number))
            entries.append(
                Entry(
                    f"drawing-{number:02d}",
                    version,
                    vector,
                    attributes,
                    str(source) if number % 2 == 0 else None,
                )
            )
    with open_store(server.store) as store:
        seq = Entries(store).upsert(entries)
        asked = {"image": data_uri(0), "model": "v1", "min_seq": seq}
        with server.http() as http:
            wait_until(lambda: http.post("/v1/search", json=asked).status_code == 200)
        yield seq
        Entries(store).delete([entry.id for entry in entries])


def connect(page: Any, server: Any, view: str = "versions", key: str = "") -> None:
    page.goto(f"{server.url}/#/{view}")
    page.fill("#key", key or server.key)
    page.click("text=Connect")
    page.wait_for_selector("#nav a")


def see(page: Any, server: Any, view: str) -> None:
    """Another view in the same tab."""
    page.goto(f"{server.url}/#/{view}")
    wait_until(lambda: page.locator("#title").count() == 1 and "Loading" not in page.inner_text("#view"))


def drop(page: Any, content: bytes, name: str = "drawing.png") -> None:
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": content})


def hits(page: Any) -> list[str]:
    page.wait_for_selector(".results:not(.busy) .hits li")
    ids: list[str] = page.eval_on_selector_all(".hits li", "nodes => nodes.map(node => node.dataset.id)")
    return ids


def said(page: Any) -> str:
    page.wait_for_selector("#said:not([hidden])")
    return str(page.inner_text("#said"))


def screenshot(page: Any, name: str) -> None:
    folder = os.environ.get("HOLDFAST_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@pytest.fixture
def epoch(server: Any) -> Iterator[int]:
    """The traffic's epoch; afterwards v1 answers and embeds again."""
    with server.http() as http:
        before = http.get("/v1/traffic").json()
        yield before["epoch"]
        after = http.get("/v1/traffic").json()["epoch"]
        fields = ("query_version", "write_version", "canary_version", "canary_share", "canary_keys")
        change = {"expect_epoch": after, "force": True} | {name: before[name] for name in fields}
        assert http.put("/v1/traffic", json=change).status_code == 200


def test_the_key_is_asked_for_once_and_stays_in_the_tab(page: Any, server: Any, filled: int) -> None:
    page.goto(server.url)
    page.fill("#key", "a-wrong-key")
    page.click("text=Connect")
    wait_until(lambda: "not known" in page.inner_text("#view"))
    connect(page, server, "traffic")
    page.reload()
    page.wait_for_selector("#nav a")
    assert server.key not in page.url
    assert page.evaluate("Object.keys(localStorage).length") == 0
    assert page.evaluate("document.cookie") == ""
    page.click("text=Sign out")
    page.wait_for_selector("#key")
    assert page.evaluate("Object.keys(sessionStorage).length") == 0


def test_the_matrix_says_every_verdict_in_words_and_goes_by_arrows(
    page: Any, server: Any, filled: int
) -> None:
    connect(page, server)
    page.wait_for_selector(".pair")
    words = page.eval_on_selector_all(".pair", "nodes => nodes.map(node => node.getAttribute('aria-label'))")
    assert len(words) == 9
    assert "v3 asks entries of v1: compatible, 60.0 %" in words
    assert "v2 asks entries of v1: incompatible, 1.0 %" in words
    assert "v1 asks entries of v2: not measured" in words
    page.focus("#pair-v3-v1")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "pair-v2-v1"
    wait_until(lambda: "holdfast bridge v1 v2" in page.inner_text(".details"))
    wait_until(lambda: "has to beat" in page.inner_text(".details"))
    assert page.url.endswith("pair=v2+v1")
    screenshot(page, "versions")


def test_a_promotion_says_what_it_will_do_does_it_and_is_recorded(
    page: Any, server: Any, filled: int, epoch: int
) -> None:
    connect(page, server, "traffic?do=promote&version=v3")
    now = page.inner_text("section[aria-label=Now]")
    assert len(re.findall(r"(canary|shadow)\s+none", now)) == 2, now
    wait_until(lambda: "Queries: v1 → v3" in page.inner_text(".foretold"))
    assert "24 entries of v1 are searched as they are" in page.inner_text(".foretold")
    assert "16 entries are v3's own" in page.inner_text(".foretold")
    assert "Nothing is in the way" in page.inner_text(".foretold")
    page.fill("form >> input[name=why]", "SHOP-7")
    page.click("form >> button[type=submit]")
    assert page.input_value("dialog >> input[name=why]") == "SHOP-7"
    page.click("dialog >> text=Promote v3 >> nth=-1")
    wait_until(lambda: "queries by v3" in said(page))
    wait_until(lambda: "Queries: v1 → v3" in page.locator(".history > li").first.inner_text())
    assert "SHOP-7" in page.locator(".history > li").first.inner_text()
    with server.http() as http:
        record = http.get("/v1/traffic").json()
        assert (record["query_version"], record["note"], record["forced"]) == ("v3", "SHOP-7", False)
        assert record["epoch"] == epoch + 1

        page.check("input[value=rollback]")
        wait_until(lambda: "Queries: v3 → v1" in page.inner_text(".foretold"))
        page.click("form >> button[type=submit]")
        change = {"expect_epoch": epoch + 1, "canary_version": "v3", "canary_share": 0.5}
        assert http.put("/v1/traffic", json=change).status_code == 200
        page.click("dialog >> text=Roll back >> nth=-1")
        wait_until(lambda: "decide anew" in said(page))
        assert http.get("/v1/traffic").json()["query_version"] == "v3"
    screenshot(page, "traffic")


def test_what_the_server_would_refuse_is_said_before_and_needs_force(
    page: Any, server: Any, filled: int, epoch: int
) -> None:
    connect(page, server, "traffic?do=promote&version=v2")
    wait_until(lambda: "will refuse this" in page.inner_text(".foretold"))
    with server.http() as http:
        refusal = http.put("/v1/traffic", json={"expect_epoch": epoch, "query_version": "v2"}).json()
        told = page.eval_on_selector_all(
            ".foretold .verdict li", "nodes => nodes.map(node => node.innerText)"
        )
        reasons = refusal["error"]["message"].split(". ")[0].split("; ")
        assert len(told) == len(reasons) == 2
        assert all(any(words.startswith(reason.split(" (")[0]) for reason in reasons) for words in told)
        page.click("form >> button[type=submit]")
        assert page.is_disabled("dialog >> button[type=submit]")
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="hidden")
        assert http.get("/v1/traffic").json()["epoch"] == epoch
        page.click("form >> button[type=submit]")
        page.check("dialog >> input[name=force]")
        page.click("dialog >> button[type=submit]")
        wait_until(lambda: "(forced)" in said(page))
        assert http.get("/v1/traffic").json()["forced"] is True


def test_a_read_key_sees_no_buttons_that_it_may_not_use(page: Any, server: Any, filled: int) -> None:
    with open_store(server.store) as store:
        reader = store.keys.create("read")
    connect(page, server, key=reader)
    for view in VIEWS:
        see(page, server, view)
        buttons = page.locator("main button:visible, main input[type=checkbox]:visible").all_inner_texts()
        assert not [words for words in buttons if any(word in words for word in ("…", "pause", "cancel"))], (
            view
        )
    see(page, server, "traffic")
    wait_until(lambda: "needs the role admin" in page.inner_text("main"))
    assert page.locator("main form").count() == 0


def test_two_versions_as_moved_ranks(page: Any, server: Any, filled: int, png: Callable[..., bytes]) -> None:
    connect(page, server, "search")
    drop(page, png(30))
    assert hits(page)[0] == "drawing-30"
    assert "1.0000" not in page.inner_text(".hits li >> nth=0")
    page.select_option("select[name=b]", "v3")
    page.wait_for_selector(".summary")
    assert all(name in page.inner_text(".summary") for name in ("v1", "v3"))
    with server.http() as http:
        image = page.get_attribute("#preview", "src")
        both = [
            [
                hit["id"]
                for hit in http.post("/v1/search", json={"image": image, "model": name, "k": 8}).json()[
                    "hits"
                ]
            ]
            for name in ("v1", "v3")
        ]
    shown = hits(page)
    assert shown == both[1] + [name for name in both[0] if name not in both[1]]
    moved = page.locator(f".hits li[data-id={both[1][0]}] .change").inner_text()
    assert moved == ("= same" if both[0][0] == both[1][0] else moved)
    assert page.locator("svg.lines path").count() == len(both[0])
    assert page.locator(".hits img.thumb").count() == len(shown)
    screenshot(page, "moved-ranks")

    page.fill("#k", "3")
    page.press("#k", "Tab")
    wait_until(lambda: len(hits(page)) <= 6)
    page.select_option("select[name=b]", "v2")
    page.wait_for_selector(".results .problem")
    words = page.inner_text(".results .problem")
    assert "may not share a ranking" in words
    assert "v2 is not compatible with entries of v1" in words
    drop(page, b"this is no picture")
    wait_until(lambda: "not an image" in page.inner_text(".results"))


def test_more_like_an_entry_is_a_link_that_can_be_sent(page: Any, server: Any, filled: int) -> None:
    connect(page, server, "gallery/entry/drawing-30")
    page.click("text=More like this")
    found = hits(page)
    assert "drawing-30" not in found
    assert len(found) == 8
    page.reload()
    assert hits(page) == found

    def drawers() -> list[int]:
        return [int(name.rpartition("-")[2]) % 7 for name in hits(page)]

    page.fill("#by", "drawer")
    page.press("#by", "Tab")
    wait_until(lambda: sorted(drawers()) == [*range(7)])
    assert "by=drawer" in page.url
    screenshot(page, "grouped")
    # By its image the entry would find itself, as the best of its drawer.
    page.select_option("select[name=b]", "v3")
    page.wait_for_selector(".summary")
    assert set(drawers()) == {*range(7)}
    assert "drawing-30" not in hits(page)


def test_an_entry_is_shown_as_text_clamped_and_deleted_after_a_question(
    page: Any, server: Any, filled: int
) -> None:
    connect(page, server, "gallery/entry/drawing-05")
    page.wait_for_selector(".entry img.large")
    wait_until(lambda: HOSTILE in page.inner_text("main"))
    assert page.title().startswith("Entry drawing-05")
    assert "2,000 characters" in page.inner_text("details.long")
    page.click("main >> text=Delete …")
    page.click("dialog >> text=Leave it as it is")
    page.click("main >> text=Delete …")
    page.click("dialog >> text=Delete it")
    page.wait_for_selector(".grid li")
    wait_until(lambda: "Deleted" in said(page))  # at the place that one comes to
    with server.http() as http:
        assert http.get("/v1/gallery/entries/drawing-05").status_code == 404
    see(page, server, "gallery/entry/drawing-05")
    wait_until(lambda: "no such entry" in page.inner_text("main"))


def test_the_gallery_is_filtered_by_its_address_and_what_is_chosen_deleted(
    page: Any, server: Any, filled: int
) -> None:
    rows = quote('[["drawer","is","3"]]')
    connect(page, server, f"gallery?filter={rows}&version=v3")
    page.wait_for_selector(".grid li")
    with server.http() as http:
        wanted = {"filter": {"drawer": 3}, "versions": ["v3"]}
        ids = [entry["id"] for entry in http.post("/v1/gallery/entries/list", json=wanted).json()["entries"]]
        assert page.locator(".grid .id").all_inner_texts() == ids
        # The list is there before the count.
        wait_until(lambda: f"1 to {len(ids)} of {len(ids)} entries that match" in page.inner_text("main"))
        page.check(f"[aria-label='choose {ids[0]}']")
        page.click("text=Delete 1 entry …")
        page.click("dialog >> button[type=submit]")
        wait_until(lambda: "1 entry deleted" in said(page))
        assert http.post("/v1/gallery/entries/count", json=wanted).json()["count"] == len(ids) - 1
        wait_until(lambda: f"of {len(ids) - 1} entries that match" in page.inner_text("main"))
        page.click("text=Delete all")
        assert page.is_disabled("dialog >> button[type=submit]")
        page.fill("dialog >> input[name=count]", str(len(ids) - 1))
        page.click("dialog >> button[type=submit]")
        wait_until(lambda: http.post("/v1/gallery/entries/count", json=wanted).json()["count"] == 0)


def test_a_shadow_is_shown_and_a_change_scheduled_and_taken_back(
    page: Any, server: Any, filled: int, epoch: int, data_uri: Callable[..., str]
) -> None:
    with server.http() as http:
        change = {"expect_epoch": epoch, "shadow_version": "v3"}
        assert http.put("/v1/traffic", json=change).status_code == 200
        assert http.post("/v1/search", json={"image": data_uri(1)}).status_code == 200
        wait_until(lambda: http.get("/v1/traffic/shadow").json()["queries"] == 1)
        connect(page, server, "traffic?do=canary&version=v3")
        wait_until(lambda: "1 query answered by both" in page.inner_text("main"))
        page.check("input[name=gate]")
        wait_until(lambda: "1 query of the 1,000 that are required" in page.inner_text(".foretold"))
        page.uncheck("input[name=gate]")
        page.fill("input[name=ramp]", "50, 100")
        page.fill("input[name=at]", "2031-01-01T03:00")
        wait_until(lambda: "The canary grows: 5 %, 50 %, 100 %" in page.inner_text(".foretold"))
        page.click("form >> button[type=submit]")
        page.click("dialog >> button[type=submit]")
        wait_until(lambda: "Scheduled: 3 changes" in said(page))
        scheduled = http.get("/v1/traffic/schedule").json()["scheduled"]
        assert [each["changes"]["canary_share"] for each in scheduled] == [0.05, 0.5, 1.0]
        page.click(f"[aria-label='take {scheduled[0]['id']} back']")
        wait_until(lambda: "The 2 steps after it" in page.inner_text("dialog"))
        page.click("dialog >> button[type=submit]")
        wait_until(lambda: "Nothing waits for its moment" in page.inner_text("main"))
        states = {each["status"] for each in http.get("/v1/traffic/schedule").json()["scheduled"]}
        assert "waiting" not in states
        now = http.get("/v1/traffic").json()["epoch"]
        http.put("/v1/traffic", json={"expect_epoch": now, "shadow_version": None})


def test_focus_and_what_was_typed_outlive_a_refresh(page: Any, server: Any, filled: int) -> None:
    connect(page, server, "traffic?do=canary&version=v3")
    page.fill("input[name=keys]", "checkout")
    page.evaluate("document.querySelector('input[name=keys]').mark = 'the same node'")
    with page.expect_response("**/v1/traffic/history*"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(50)
    assert page.evaluate("document.activeElement.mark") == "the same node"
    assert page.input_value("input[name=keys]") == "checkout"
    wait_until(lambda: "those of the keys checkout" in page.inner_text(".foretold"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_scrolls_sideways_on_a_phone(
    browser: Any, server: Any, filled: int, png: Callable[..., bytes], scheme: str
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page = context.new_page()
    connect(page, server)
    for view in VIEWS:
        see(page, server, view)
        if view == "search":
            drop(page, png(3))
            page.select_option("select[name=b]", "v3")
            page.wait_for_selector(".summary")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), view
        screenshot(page, f"phone-{scheme}-{view.replace('/', '-')}")
    context.close()


def test_a_backfill_is_started_watched_and_cancelled(page: Any, server: Any, filled: int) -> None:
    connect(page, server, "backfills")
    page.wait_for_selector("text=Nothing was backfilled yet")
    page.select_option("select[name=target]", "v3")
    wait_until(lambda: "There is no adapter between v3 and v1" in page.inner_text(".foretold"))
    page.select_option("select[name=kind]", "re-embed")
    wait_until(lambda: "24 entries of v1 become entries of v3" in page.inner_text(".foretold"))
    with server.http() as http:
        body = {
            "target": "v3",
            "kind": "re-embed",
            "sources": ["v1"],
            "batch_size": 1,
            "pace": 0.5,
            "force": True,
        }
        assert http.post("/v1/backfills", json=body).status_code == 201
        page.reload()
        page.wait_for_selector("#backfill-b1 progress")
        page.click("#backfill-b1 >> text=pause")
        wait_until(lambda: "paused" in page.inner_text("#backfill-b1"))
        assert http.get("/v1/backfills/b1").json()["status"] == "paused"
        page.click("#backfill-b1 >> text=cancel")
        page.click("dialog >> text=Cancel b1 >> nth=-1")
        wait_until(lambda: "cancelled" in page.inner_text("#backfill-b1"))
        assert page.locator("#backfill-b1 button").count() == 0
        page.select_option("select[name=target]", "v3")
        page.select_option("select[name=kind]", "re-embed")
        page.click("text=Start …")
        for box in page.locator("dialog >> input[name=force]").all():
            box.check()  # where an earlier test left a previous version that would lose sight of them
        page.click("dialog >> button[type=submit]")
        wait_until(lambda: "entries to move" in said(page))
        wait_until(lambda: "12 have no source" in page.inner_text("#backfill-b2"))
        wait_until(lambda: http.get("/v1/backfills/b2").json()["left"] == 0)
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
    page.goto(f"{prefixed}#/search")
    page.fill("#key", server.key)
    page.click("text=Connect")
    page.wait_for_selector("#file", state="attached")
    drop(page, png(30))
    assert hits(page)[0] == "drawing-30"
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
    connect(page, server, "search")
    page.wait_for_selector("#file", state="attached")
    assert page.locator("#text").count() == 0
    with running_vendor() as vendor, server.http() as http:
        with open_store(server.store) as store:
            adopt_endpoint(store, vendor, "clip")
        wish = {"query_version": "clip", "write_version": "clip", "force": True}
        epoch = http.get("/v1/traffic").json()["epoch"]
        assert http.put("/v1/traffic", json={"expect_epoch": epoch, **wish}).json()["query_version"] == "v4"
        entries = [{"id": f"photo-{number}", "image": data_uri(number)} for number in range(3)]
        assert http.put("/v1/gallery/entries", json={"entries": entries}).status_code == 200
        page.reload()
        page.wait_for_selector("#text")
        page.select_option("select[name=b]", "v1")
        page.fill("#text", "red apples on a shelf")
        page.press("#text", "Enter")
        page.wait_for_selector(".results .problem")
        assert "text" in page.inner_text(".results .problem")
        assert sorted(hits(page)) == ["photo-0", "photo-1", "photo-2"]
        screenshot(page, "text")
        vendor.dimension = 8
        assert http.post("/v1/search", json={"text": "a"}).json()["error"]["code"] == "model_changed"
        page.reload()
        wait_until(lambda: "8 dimensions" in page.inner_text("#notice"))
