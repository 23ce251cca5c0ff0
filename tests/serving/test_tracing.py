"""Traces over gateway, stages and writer, in OpenTelemetry's own exporter for tests."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from holdfast.base import ConfigError
from holdfast.entries import Delete
from holdfast.index import open_index
from holdfast.search import Gallery
from holdfast.store import Store
from holdfast_serving import tracing as module
from holdfast_serving.config import ServingConfig
from holdfast_serving.http import create_app
from holdfast_serving.replica import Replica
from holdfast_serving.tracing import Tracing, open_tracing
from holdfast_serving.writer import StoreWriter, Writer
from tests.fixtures.waiting import wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Tracing:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider)


@pytest.fixture
def traced(store: Store, admin_key: str, tracing: Tracing) -> Iterator[TestClient]:
    store.traffic.promote("v1")
    config = ServingConfig(store=store.where)
    with closing(StoreWriter(store)) as writer:
        replica = Replica(config, store, Gallery(store, open_index(store, config.index)), writer)
        app = create_app(replica, tracing=tracing)
        headers = {"Authorization": f"Bearer {admin_key}"}
        with TestClient(app, raise_server_exceptions=False, headers=headers) as client:
            wait_until(lambda: client.get("/readyz").json()["ready"])
            yield client


def spans_of(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def test_a_request_is_a_span_with_its_stages_in_the_client_s_trace(
    traced: TestClient, exporter: InMemorySpanExporter, data_uri: Callable[..., str]
) -> None:
    entry = {"id": "cup", "image": data_uri(1)}
    seq = traced.put("/v1/gallery/entries", json={"entries": [entry]}).json()["seq"]
    exporter.clear()
    asked = {"image": data_uri(1), "min_seq": seq}
    answer = traced.post("/v1/search", json=asked, headers={"traceparent": PARENT, "X-Request-ID": "mine-9"})
    assert answer.status_code == 200
    (request,) = spans_of(exporter, "POST /v1/search")
    assert request.context is not None
    assert request.parent is not None
    assert f"{request.context.trace_id:032x}" == TRACE
    assert f"{request.parent.span_id:016x}" == PARENT.split("-")[2]
    assert request.attributes is not None
    assert dict(request.attributes) == {
        "http.request.method": "POST",
        "http.route": "/v1/search",
        "http.response.status_code": 200,
        "holdfast.request_id": "mine-9",
        "holdfast.version": "v1",
    }
    stages = [span for span in exporter.get_finished_spans() if span is not request]
    assert [span.name for span in stages] == ["decode", "queue", "embed", "recall", "rank"]
    for span in stages:
        assert span.parent is not None
        assert span.parent.span_id == request.context.span_id
        assert request.start_time is not None
        assert request.end_time is not None
        assert span.start_time is not None
        assert span.end_time is not None
        # To the millisecond: stages are measured by another clock.
        assert (
            request.start_time - 5_000_000 <= span.start_time <= span.end_time <= request.end_time + 5_000_000
        )


def test_a_failed_request_is_an_error(
    traced: TestClient, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Replica, "current_traffic", fails)
    assert traced.get("/v1/traffic").status_code == 500
    (request,) = spans_of(exporter, "GET /v1/traffic")
    assert not request.status.is_ok
    assert traced.get("/v1/models", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert spans_of(exporter, "GET other") or spans_of(exporter, "GET /v1/models")


def test_the_writer_goes_on_with_the_trace(
    store: Store, tracing: Tracing, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast_serving.writer.writer.open_tracing", lambda service, wanted: tracing)
    writer = Writer(ServingConfig(store=store.where, tracing=True))
    try:
        asyncio.run(writer.submit(Delete(["nothing"]), PARENT))
        asyncio.run(writer.submit(Delete(["nothing"])))
    finally:
        asyncio.run(writer.release())
    (span,) = spans_of(exporter, "commit to the database")
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE


def test_what_a_request_hands_to_the_writer_names_its_own_span(tracing: Tracing) -> None:
    span = tracing.begin({"traceparent": PARENT})
    context = span.get_span_context()
    assert module.traceparent.get() == f"00-{TRACE}-{context.span_id:016x}-01"


def test_nothing_is_traced_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_tracing("gateway", False) is None
    monkeypatch.setattr(
        module,
        "import_extra",
        lambda name, extra, needs, error: (_ for _ in ()).throw(error(f"{needs}: [{extra}]")),
    )
    with pytest.raises(ConfigError, match=r"\[tracing\]"):
        open_tracing("gateway", True)


def test_a_receiver_that_is_away_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(module, "FLUSH_MILLISECONDS", 50)
    opened = open_tracing("gateway", True)
    assert opened is not None
    opened.begin({}).end()
    opened.close()
