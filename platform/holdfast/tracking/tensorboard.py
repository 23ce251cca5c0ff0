"""TensorBoard: event files, written by tensorboardX as Ray Tune writes them."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from holdfast.base import ConfigError, dump_yaml, import_extra
from holdfast.tracking.events import (
    Begun,
    Ended,
    Figures,
    Pair,
    Stepped,
    TaskEnded,
    TrialBegun,
    TrialEnded,
    TrialReported,
    VersionPublished,
)
from holdfast.tracking.naming import plain, values_of
from holdfast.tracking.tracker import Tracker, TrackerConfig

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

FOLDER = "tensorboard"
_FLUSH_SECONDS = 10


class TensorBoardConfig(TrackerConfig):
    """Files that `tensorboard --logdir` shows; a folder for each attempt of a run, and for each trial."""

    kind: Literal["tensorboard"] = "tensorboard"
    folder: str | None = Field(default=None, min_length=1)
    """Below it a folder for each experiment. By default `tracking/tensorboard` in the run's folder of the
    store."""

    def open(self) -> "TensorBoardTracker":
        # ray[tune] brings it.
        import_extra(
            "tensorboardX", "tensorboard", "tracking: kind tensorboard needs tensorboardX", ConfigError
        )
        return TensorBoardTracker(self)


class TensorBoardTracker(Tracker):
    """A run that goes on adds a file to the folder that it has."""

    def __init__(self, config: TensorBoardConfig) -> None:
        self._config = config
        self._trials: dict[int, SummaryWriter] = {}

    def begin(self, run: Begun) -> None:
        chosen = self._config.folder
        self._folder = Path(chosen) / run.name if chosen is not None else run.folder / FOLDER
        self._writer = self._open("sweep" if run.verb == "tune" else f"attempt-{run.attempt}")
        about = "  \n".join(f"{name}: {value}" for name, value in run.about.items())
        self._writer.add_text("experiment", f"{about}\n\n```yaml\n{dump_yaml(dict(run.experiment))}\n```", 0)
        self._writer.flush()

    def step(self, seen: Stepped) -> None:
        figures = {f"loss/{name}": value for name, value in seen.terms.items()}
        _add(self._writer, figures | {"images_per_second": seen.images_per_second}, seen.step)

    def task(self, ended: TaskEnded) -> None:
        _add(self._writer, ended.figures, ended.step)

    def version(self, published: VersionPublished) -> None:
        _add(self._writer, published.figures, published.step)
        rows = [_row(pair) for pair in published.pairs]
        table = [
            "| entries of | Recall@1 | has to beat | difference | way | compatible |",
            "|---|---|---|---|---|---|",
        ]
        text = f"{published.name}, contract {published.contract}\n\n" + "\n".join(
            [*table, *rows] if rows else []
        )
        self._writer.add_text("version", text, published.step)
        self._writer.flush()

    def trial_begins(self, trial: TrialBegun) -> None:
        if trial.number not in self._trials:
            self._trials[trial.number] = self._open(f"trial-{trial.number}")

    def trial_reports(self, trial: TrialReported) -> None:
        _add(self._trials[trial.number], trial.figures, trial.tasks)
        self._trials[trial.number].flush()

    def trial_ends(self, trial: TrialEnded) -> None:
        from tensorboardX.summary import hparams

        self.trial_begins(TrialBegun(trial.number, trial.values))
        writer = self._trials.pop(trial.number)
        if trial.curve:
            last = {name: float(value) for name, value in trial.curve[-1].figures.items()}
            for summary in hparams(values_of(trial.values), last):
                writer.file_writer.add_summary(summary)
        if trial.error is not None:
            writer.add_text("error", trial.error, 0)
        writer.close()

    def end(self, ended: Ended) -> None:
        _add(self._writer, ended.figures, 0)
        self._writer.add_text(
            "status", ended.status if ended.reason is None else f"{ended.status}: {ended.reason}", 0
        )
        for writer in (*self._trials.values(), self._writer):
            writer.close()

    def _open(self, name: str) -> "SummaryWriter":
        from tensorboardX import SummaryWriter

        place, own = str(self._folder / name), f".{time.time_ns()}"
        # By itself it names a file by the second, and would replace the one of a process that just ended.
        return SummaryWriter(place, flush_secs=_FLUSH_SECONDS, filename_suffix=own)


def _row(pair: Pair) -> str:
    difference, way = f"{pair.low:+.2f} to {pair.high:+.2f}", pair.way.replace("_", " ")
    cells = (pair.gallery, f"{pair.value:.2f}", f"{pair.reference:.2f}", difference, way)
    return f"| {' | '.join(cells)} | {'yes' if pair.compatible else 'no'} |"


def _add(writer: "SummaryWriter", figures: Figures, step: int) -> None:
    for name, value in figures.items():
        writer.add_scalar(plain(name), float(value), step)
