"""A Grafana dashboard with a panel for every metric, made from the list of metrics itself."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from holdfast_serving.replica import Family

SOURCE = {"type": "prometheus", "uid": "${source}"}
CHOSEN = 'instance=~"$instance"'
COLUMNS, WIDTH, HEIGHT = 3, 8, 7
QUANTILES = (0.5, 0.95, 0.99)

ROWS = (
    ("Requests", r"request|stage|away"),
    ("Embedding", r"embed|version"),
    ("Search", r"search|cascade"),
    ("Gallery and traffic", r""),
)
"""Titles, and what the names of their metrics hold: a metric is in the first row that takes it."""

SUMMARY = (
    ("Requests a second", f"sum(rate(holdfast_requests_total{{{CHOSEN}}}[$__rate_interval]))", "reqps"),
    (
        "Share that failed (5xx)",
        f'(sum(rate(holdfast_requests_total{{{CHOSEN},code=~"5.."}}[$__rate_interval])) or vector(0)) / '
        f"sum(rate(holdfast_requests_total{{{CHOSEN}}}[$__rate_interval]))",
        "percentunit",
    ),
    (
        "99 of 100 are answered within",
        "histogram_quantile(0.99, "
        f"sum by (le) (rate(holdfast_request_seconds_bucket{{{CHOSEN}}}[$__rate_interval])))",
        "s",
    ),
    ("Away", f"sum by (part) (holdfast_away{{{CHOSEN}}})", "short"),
)


def grafana_dashboard(families: Iterable[Family]) -> dict[str, Any]:
    """What Grafana imports; it asks there for the Prometheus that reads `/metrics`."""
    panels: list[dict[str, Any]] = []
    for number, (title, expression, unit) in enumerate(SUMMARY):
        place = {"x": 6 * number, "y": 0, "w": 6, "h": 5}
        panels.append(_panel("stat", title, "", [(expression, "{{part}}")], unit, place))
    y, waiting = 5, list(families)
    for title, pattern in ROWS:
        mine = [family for family in waiting if re.search(pattern, family.name)]
        waiting = [family for family in waiting if family not in mine]
        panels.append({"type": "row", "title": title, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        y += 1
        for number, family in enumerate(mine):
            place = {"x": WIDTH * (number % COLUMNS), "y": y, "w": WIDTH, "h": HEIGHT}
            panels.append(_panel_of(family, place))
            y += HEIGHT if number % COLUMNS == COLUMNS - 1 or number == len(mine) - 1 else 0
    return {
        "title": "Holdfast",
        "uid": "holdfast",
        "tags": ["holdfast"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": list(_variables())},
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, start=1)],
    }


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    yield {
        "name": "instance",
        "type": "query",
        "datasource": SOURCE,
        "query": "label_values(holdfast_requests_total, instance)",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _panel_of(family: Family, place: dict[str, int]) -> dict[str, Any]:
    legend = " ".join(f"{{{{{label}}}}}" for label in family.labels)
    by = f" by ({', '.join(family.labels)}) " if family.labels else " "
    title = family.name.removeprefix("holdfast_").replace("_", " ")
    if family.kind == "histogram":
        of = ", ".join(["le", *family.labels])
        rate = f"sum by ({of}) (rate({family.name}_bucket{{{CHOSEN}}}[$__rate_interval]))"
        queries = [
            (f"histogram_quantile({quantile}, {rate})", f"{legend} {quantile:.0%}".strip())
            for quantile in QUANTILES
        ]
    elif family.kind == "counter":
        rate = f"rate({family.name}_total{{{CHOSEN}}}[$__rate_interval])"
        queries, title = [(f"sum{by}({rate})", legend)], f"{title} a second"
    else:
        queries = [(f"{family.name}{{{CHOSEN}}}", f"{legend} {{{{instance}}}}".strip())]
    unit = "s" if family.name.endswith("_seconds") else "short"
    return _panel("timeseries", title, family.about, queries, unit, place)


def _panel(
    kind: str, title: str, about: str, queries: list[tuple[str, str]], unit: str, place: dict[str, int]
) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
        for at, (expression, legend) in enumerate(queries)
    ]
    return {
        "type": kind,
        "title": title[:1].upper() + title[1:],
        "description": about,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "gridPos": place,
        "targets": targets,
    }
