import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from holdfast.evaluation import Report, write_report

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects what a page holds, and fails on tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data

    def all(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        return [a for t, a in self.tags if t == tag and kind in ["", *(a.get("class") or "").split()]]


@pytest.mark.parametrize("versions", [1, 2, 5, 12])
def test_a_report_of_any_number_of_versions(tmp_path, make_report, versions):
    report = make_report(versions)
    path = write_report(tmp_path / "runs" / "x", report)
    page = Page(path.read_text())
    cells = [a for t, a in page.tags if t == "td" and "--h" in (a.get("style") or "")]
    assert len(cells) == (versions**2 if versions > 1 else 0)
    assert len(page.all("img")) == 6 * 6
    assert len(page.all("figure", "right")) + len(page.all("figure", "wrong")) == 30
    for row in report.recall_at_1 if versions > 1 else []:
        for value in row:
            assert f"{value:.1f}" in page.words
    if versions > 1:
        comparison = report.compatible[1][0]
        low = f"{comparison['low']:+.2f}".replace("-", "\N{MINUS SIGN}")
        assert any(low in (cell.get("title") or "") for cell in cells)
        assert len(page.all("svg")) == (4 if versions == 2 else 5)


def test_the_page_loads_nothing(tmp_path, make_report):
    text = write_report(tmp_path, make_report(3)).read_text()
    page = Page(text)
    assert not page.all("script")
    assert not page.all("link")
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in page.all("img"))
    assert not re.search(r"https?://|@import|url\(", text)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_the_numbers_of_the_json_are_the_report(tmp_path, make_report):
    report = make_report(3)
    write_report(tmp_path, report)
    written = json.loads((tmp_path / "report.json").read_text())
    promised = {
        "experiment", "seed", "versions", "recall_at_1", "map_at_r", "intervals", "ac", "am", "forgetting",
        "per_task_recall_at_1", "images_per_second", "seconds", "machine", "compatible", "mixed",
        "negative_flips", "update_gain", "control",
    }  # fmt: skip
    assert promised <= written.keys()
    for name in ("versions", "recall_at_1", "map_at_r", "ac", "am", "intervals", "compatible", "mixed"):
        assert written[name] == getattr(report, name), name
    assert set(written["compatible"][1][0]) == {
        "value", "reference", "difference", "low", "high", "compatible", "decided",
    }  # fmt: skip
    assert isinstance(written["compatible"][1][0]["compatible"], bool)
    assert written["verdict"] in Page((tmp_path / "report.html").read_text()).words
    assert "png" not in written["examples"][0]["hits"][0]
    assert written["examples"][0]["hits"][0]["embedded_by"] in report.versions


def test_missing_and_infinite_figures_become_null(tmp_path, make_report):
    holes = [[50.0, None, math.nan], [np.float32(60), np.float64(61), np.inf], [62.0, 63.0, 64.0]]
    report = make_report(
        3,
        recall_at_1=holes,
        compatible=[],
        intervals=[],
        mixed={},
        ac=math.nan,
        forgetting=None,
        update_gain=None,
        negative_flips=[],
        per_task_recall_at_1=[],
        seconds={"learn": math.nan},
        images_per_second=None,
        history={"validation_recall_at_1": [1.0, math.nan, 3.0]},
    )
    page = Page(write_report(tmp_path, report).read_text())
    text = (tmp_path / "report.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["recall_at_1"] == [[50.0, None, None], [60.0, 61.0, None], [62.0, 63.0, 64.0]]
    assert "nan" not in re.findall(r"\w+", page.words.lower())
    assert len(page.all("td", "none")) == 3


def test_a_report_tells_which_cells_went_through_an_adapter(tmp_path, make_report):
    report = make_report(3)
    raw = [
        [value / 2 if j < i else value for j, value in enumerate(r)] for i, r in enumerate(report.recall_at_1)
    ]
    adapters = [[None, None, None], ["a" * 64, None, None], ["b" * 64, None, None]]
    page = Page(
        write_report(
            tmp_path,
            replace(report, ac=1.0, ac_raw=0.25, mixed_raw=12.25, recall_at_1_raw=raw, adapters=adapters),
        ).read_text()
    )
    titles = [a.get("title") or "" for a in page.all("td")]
    assert sum(f"through an adapter, {raw[1][0]:.2f} % without" in title for title in titles) == 1
    assert sum("through an adapter" in title for title in titles) == 2
    assert len(page.all("sup", "adapted")) == 2
    assert "AC 1.00, 0.25 without adapters" in page.words
    assert "Recall@1 without adapters" in page.words
    assert "queries by v3, 12.2 without adapters" in page.words
    assert "Without adapters it is 12.2 %." in page.words
    assert "v3 without adapters: 12.2" in page.words
    written = json.loads((tmp_path / "report.json").read_text())
    assert (written["recall_at_1_raw"], written["ac_raw"], written["adapters"]) == (raw, 0.25, adapters)
    assert written["mixed_raw"] == 12.25
    plain = Page(write_report(tmp_path, report).read_text())
    assert "adapters" not in plain.words
    assert json.loads((tmp_path / "report.json").read_text())["recall_at_1_raw"] is None


def test_a_report_says_what_calibration_did(tmp_path, make_report):
    report = make_report(3)
    assert "alibrat" not in Page(write_report(tmp_path, report).read_text()).words
    comparison = {"difference": -1.25, "low": -2.04, "high": 0.5}
    known = {"uncalibrated": 61.25, "against_uncalibrated": comparison}
    shifted = {**report.mixed, **known, "shifts": [0.0, -0.02, 0.0]}
    words = Page(write_report(tmp_path, replace(report, mixed=shifted)).read_text()).words
    assert "Calibrated scores make a difference of \N{MINUS SIGN}1.2 points" in words
    assert "interval \N{MINUS SIGN}2.0 to +0.5" in words
    assert "v3 without calibration: 61.2" in words
    as_they_are = {**report.mixed, **known, "shifts": [0.0, 0.0, 0.0]}
    words = Page(write_report(tmp_path, replace(report, mixed=as_they_are)).read_text()).words
    assert "No calibration of scores helped on the training images" in words
    assert "without calibration" not in words


def test_the_smallest_report_there_is(tmp_path):
    page = Page(write_report(tmp_path, Report("bare", ["v1"], [[None]], [[None]])).read_text())
    assert "v1 is the first version" in page.words


def test_names_cannot_become_markup(tmp_path, make_report):
    nasty = "<script>alert('x')</script>"
    mapping = {nasty: nasty}
    names = {"name": nasty, "versions": [nasty, "v2"], "control": nasty}
    report = replace(make_report(2), experiment=mapping, machine=mapping, **names)
    report.examples[0]["query_label"] = nasty
    text = write_report(tmp_path, report).read_text()
    assert "<script" not in text
    assert nasty in Page(text).words


def test_a_redrawn_report_replaces_the_old_one(tmp_path, make_report):
    write_report(tmp_path, make_report(2))
    write_report(tmp_path, make_report(3))
    assert json.loads((tmp_path / "report.json").read_text())["versions"] == ["v1", "v2", "v3"]
    assert "v3" in (tmp_path / "report.html").read_text()
    assert len(list(tmp_path.iterdir())) == 2


def test_what_was_passed_over_is_in_the_report(tmp_path, make_report):
    said = "Source 'folder:a': passed over 2 .heic (b/1.heic, b/2.heic)."
    page = write_report(tmp_path, replace(make_report(2), notes=[said]))
    assert "b/1.heic" in page.read_text()
    assert json.loads(page.with_suffix(".json").read_text())["notes"] == [said]
