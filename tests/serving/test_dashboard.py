"""The Grafana dashboard shows every metric, and asks for none that there is not."""

import re

from prometheus_client import generate_latest

from holdfast_serving.dashboard import grafana_dashboard
from holdfast_serving.replica import Metrics

SUFFIXES = {"histogram": ("_bucket",), "counter": ("_total",), "gauge": ("",)}


def expressions(dashboard: dict) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]


def test_every_metric_has_a_panel_and_every_panel_a_metric() -> None:
    metrics = Metrics()
    families = metrics.families()
    there = {family.name + suffix for family in families for suffix in SUFFIXES[family.kind]}
    asked = {
        name
        for each in expressions(grafana_dashboard(families))
        for name in re.findall(r"holdfast_\w+", each)
    }
    assert asked == there
    exposed = generate_latest(metrics.registry).decode()
    assert {family.name for family in families} == {
        line.split()[2].removesuffix("_total")
        for line in exposed.splitlines()
        if line.startswith("# TYPE") and not line.split()[2].endswith("_created")
    }


def test_labels_that_are_shown_are_those_of_the_metric() -> None:
    metrics = Metrics()
    labels = {family.name: set(family.labels) for family in metrics.families()}
    for panel in grafana_dashboard(metrics.families())["panels"]:
        for target in panel.get("targets", []):
            (name, *_) = re.findall(r"holdfast_\w+", target["expr"])
            family = name if name in labels else name.rpartition("_")[0]
            used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) - {"instance"}
            assert panel["type"] == "stat" or used <= labels[family]
            assert target["expr"].count("(") == target["expr"].count(")")


def test_no_panel_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    panels = grafana_dashboard(Metrics().families())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
