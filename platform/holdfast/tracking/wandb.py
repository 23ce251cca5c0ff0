"""Weights & Biases, without its server: folders that `wandb sync` sends when you want."""

from typing import Any, Literal

from pydantic import Field

from holdfast.base import ConfigError, import_extra
from holdfast.tracking.events import (
    Begun,
    Ended,
    Figures,
    Stepped,
    TaskEnded,
    TrialEnded,
    VersionPublished,
)
from holdfast.tracking.tracker import Tracker, TrackerConfig

STEP = "step"


class WandbConfig(TrackerConfig):
    """Weights & Biases. Offline, nothing leaves this machine until `wandb sync` sends it; online needs
    `WANDB_API_KEY`."""

    kind: Literal["wandb"] = "wandb"
    project: str = Field(default="holdfast", min_length=1)
    entity: str | None = None
    mode: Literal["offline", "online"] = "offline"

    def open(self) -> "WandbTracker":
        import_extra("wandb", "wandb", "tracking: kind wandb needs wandb", ConfigError)
        return WandbTracker(self)


class WandbTracker(Tracker):
    """A run of W&B for a run of ours, one for each trial of a sweep, in one group."""

    def __init__(self, config: WandbConfig) -> None:
        self._config = config
        self._run: Any = None

    def begin(self, run: Begun) -> None:
        import wandb

        self._begun, self._alone = run, wandb.run is None
        name = run.name if run.attempt == 1 else f"{run.name} {run.attempt}"
        self._run = self._open(run.key, name, run.verb, {**run.experiment, "holdfast": dict(run.about)})

    def step(self, seen: Stepped) -> None:
        figures = {f"loss/{name}": value for name, value in seen.terms.items()}
        more = {"images_per_second": seen.images_per_second, "epoch": seen.epoch, "task": seen.task}
        self._log(self._run, figures | more, seen.step)

    def task(self, ended: TaskEnded) -> None:
        self._log(self._run, ended.figures, ended.step)

    def version(self, published: VersionPublished) -> None:
        self._log(self._run, published.figures, published.step)
        self._run.summary[f"versions/{published.name}"] = {
            "contract": published.contract,
            "parent": published.parent,
            "kind": published.kind,
            "dimension": published.dimension,
            "compatible_with": [pair.gallery for pair in published.pairs if pair.compatible],
            "incompatible_with": [pair.gallery for pair in published.pairs if not pair.compatible],
        }

    def trial_ends(self, trial: TrialEnded) -> None:
        run = self._open(
            f"{self._begun.key}-{trial.number}",
            f"{self._begun.name} trial {trial.number}",
            "trial",
            trial.values,
        )
        for reported in trial.curve:
            self._log(run, reported.figures, reported.tasks)
        run.summary["state"] = trial.state
        if trial.error is not None:
            run.summary["error"] = trial.error
        run.finish(exit_code=0 if trial.error is None else 1)

    def end(self, ended: Ended) -> None:
        for name, value in ended.figures.items():
            self._run.summary[name] = value
        self._run.summary["status"] = ended.status
        if ended.reason is not None:
            self._run.summary["reason"] = ended.reason
        self._run.finish(exit_code=0 if ended.status == "finished" else 1)
        if self._alone:
            # W&B's own process has not yet written all of it; it ends with it, unless others use it, too.
            import wandb

            wandb.teardown()

    def _open(self, key: str, name: str, verb: str, config: Any) -> Any:
        import wandb

        folder = self._begun.folder
        folder.mkdir(parents=True, exist_ok=True)
        offline = self._config.mode == "offline"
        run = wandb.init(
            project=self._config.project,
            entity=self._config.entity,
            mode=self._config.mode,
            dir=str(folder),
            # Offline there is nobody to ask what the run has; `wandb sync` joins its parts by the id.
            id=key,
            resume=None if offline else "allow",
            name=name,
            group=self._begun.name,
            job_type=verb,
            config=dict(config),
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, disable_git=True),
        )
        run.define_metric("*", step_metric=STEP)
        return run

    def _log(self, run: Any, figures: Figures, step: int) -> None:
        run.log({**{name: float(value) for name, value in figures.items()}, STEP: step})
