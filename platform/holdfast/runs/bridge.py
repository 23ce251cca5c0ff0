"""A bridge between two versions, with its verdict written where the store has its reports."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.base import ConfigError
from holdfast.evaluation import VERDICT_PAGE, Verdict, draw_verdict
from holdfast.learning import Watcher
from holdfast.publishing import BridgeRequest, bridge_versions
from holdfast.runs.run_folder import RunFolder
from holdfast.store import Store


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
    for name, content in draw_verdict(verdict).items():
        files.write(name, content)
    return Bridged(verdict, files.path / VERDICT_PAGE)
