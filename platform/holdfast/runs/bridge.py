"""A bridge between two versions, with its verdict written where the store has its reports."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from holdfast.base import ConfigError, dump_yaml
from holdfast.evaluation import PROJECTION, VERDICT_PAGE, Verdict, draw_verdict
from holdfast.learning import Watcher
from holdfast.publishing import BridgeRequest, bridge_versions
from holdfast.runs.run_folder import RunFolder
from holdfast.store import Store

PROJECTION_FILE = "projection.yaml"


@dataclass(frozen=True)
class Bridged:
    """What `holdfast bridge` has to tell; verdict.json and verdict.png lie beside the `page`."""

    verdict: Verdict
    page: Path

    def as_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {**self.verdict.as_dict(), "page": str(self.page)}


def build_bridge(store: Store, old: str, new: str, request: BridgeRequest, watch: Watcher) -> Bridged:
    """Measure and record by which way `new` may search the entries of `old`; write the verdict.

    Raises what `bridge_versions` raises, and ConfigError for numbers that cannot be.
    """
    for name, value, least in (
        ("sample", request.sample, 1),
        ("measure", request.measure, 1),
        ("views", request.views, 0),
    ):
        if value < least:
            raise ConfigError(f"--{name} is {value}: it is a number of images.")
    made = bridge_versions(store, old, new, request, watch)
    verdict = made.verdict
    files = RunFolder(store, f"bridge-{verdict.old.version}-{verdict.new.version}")
    experiment = _projection(verdict, request)
    if experiment is not None:
        files.write(PROJECTION_FILE, experiment.encode())
        said = f"holdfast run {files.path / PROJECTION_FILE} learns a projection over {verdict.old.version}."
        verdict = replace(verdict, notes=[*verdict.notes, said])
    for name, content in draw_verdict(verdict).items():
        files.write(name, content)
    return Bridged(verdict, files.path / VERDICT_PAGE)


def _projection(verdict: Verdict, request: BridgeRequest) -> str | None:
    """An experiment that learns the projection which the verdict found worth it, from the labelled entries;
    None where it found none, or the labels are not the gallery's."""
    worth = any(line.way == PROJECTION and line.figure.is_better for line in verdict.lines)
    if not worth or request.images is not None or request.pairs is not None:
        return None
    return dump_yaml(
        {
            "name": f"projection-over-{verdict.old.version}",
            "data": {
                "source": f"gallery:?{urlencode({'label': request.labels})}",
                "train": {"where": "fold < 8"},
                "evaluate": {"where": "fold >= 8"},
            },
            "stream": {"tasks": 1},
            "model": {"trunk": {"kind": "version", "name": verdict.old.version, "train": "none"}},
        }
    )
