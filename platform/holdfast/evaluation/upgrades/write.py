"""Writes a verdict: `verdict.json` for programs, `verdict.html` for people, `verdict.png` to be passed on."""

import json

from holdfast.evaluation.upgrades.page import render_verdict
from holdfast.evaluation.upgrades.picture import picture_of
from holdfast.evaluation.upgrades.verdict import Verdict

VERDICT, VERDICT_PAGE, VERDICT_PICTURE = "verdict.json", "verdict.html", "verdict.png"


def draw_verdict(verdict: Verdict) -> dict[str, bytes]:
    """The contents of the three files, by their names."""
    written = json.dumps(verdict.as_dict(), indent=1, allow_nan=False) + "\n"
    return {
        VERDICT: written.encode(),
        VERDICT_PAGE: render_verdict(verdict).encode(),
        VERDICT_PICTURE: picture_of(verdict),
    }
