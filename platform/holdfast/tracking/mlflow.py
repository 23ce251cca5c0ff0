"""MLflow: a run for a run, a registered model for its versions, a run below it for each trial."""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from holdfast.base import ConfigError, hide_secrets, import_extra
from holdfast.tracking.events import (
    Begun,
    Ended,
    Figures,
    Stepped,
    TaskEnded,
    TrialBegun,
    TrialEnded,
    TrialReported,
    VersionPublished,
)
from holdfast.tracking.naming import flat, plain, values_of
from holdfast.tracking.tracker import Tracker, TrackerConfig

KEY, TRIAL = "holdfast.key", "holdfast.trial"
NEWEST = "newest"
"""Alias of the version that was published last."""
_STATUS = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
_PARAMETERS = 100  # that MLflow takes at a time
_LONG = 500  # characters that every MLflow takes as a parameter, and as a tag


class MLflowConfig(TrackerConfig):
    """MLflow: a file, or a server. The versions are those of a registered model.

    Who the server knows you as comes from `MLFLOW_TRACKING_USERNAME`, `MLFLOW_TRACKING_PASSWORD` or
    `MLFLOW_TRACKING_TOKEN`.
    """

    kind: Literal["mlflow"] = "mlflow"
    uri: str | None = Field(default=None, min_length=1)
    """Of the server, or `sqlite:///FILE`. By default what `MLFLOW_TRACKING_URI` says, else `mlflow.db` beside
    the runs of the store."""
    experiment: str | None = Field(default=None, min_length=1)
    """MLflow's; by default the name of ours."""
    model: str | None = Field(default=None, pattern=r"^[^/:]+$")
    """The registered model; by default the name of the experiment."""
    weights: bool = True
    """Whether the versions' files are copied into MLflow; else it is told where in the store they lie, which
    a server takes only if that is no folder of a machine."""

    @field_validator("uri")
    @classmethod
    def _has_no_secret(cls, uri: str | None) -> str | None:
        if uri is not None and hide_secrets(uri) != uri:
            raise ValueError(
                "it holds a secret: set MLFLOW_TRACKING_URI, or MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, in the environment"
            )
        return uri

    def open(self) -> "MLflowTracker":
        # A server that is away is asked a few times, not for minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import_extra("mlflow", "mlflow", "tracking: kind mlflow needs mlflow", ConfigError)
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        return MLflowTracker(self)


class MLflowTracker(Tracker):
    """Finds again what it has made by its tags, so that a run that goes on, goes on there, too."""

    def __init__(self, config: MLflowConfig) -> None:
        self._config = config
        self._trials: dict[int, str] = {}

    def begin(self, run: Begun) -> None:
        from mlflow import MlflowClient

        uri = self._config.uri or os.environ.get("MLFLOW_TRACKING_URI") or None
        place: str | None = None
        if uri is None:
            # Never in the current folder, as MLflow itself would have it.
            run.shared.mkdir(parents=True, exist_ok=True)
            uri, place = f"sqlite:///{run.shared / 'mlflow.db'}", (run.shared / "mlflow").as_uri()
        self._client = MlflowClient(uri, registry_uri=uri)
        self._about, self._name = run.about, self._config.model or run.name
        self._experiment = self._find_experiment(self._config.experiment or run.name, place)
        found = self._find_run({KEY: run.key})
        if found is not None:
            self._run = found
            self._client.update_run(found, status="RUNNING")
            return
        tags = {
            KEY: run.key,
            "mlflow.runName": run.name if run.attempt == 1 else f"{run.name} {run.attempt}",
            "mlflow.source.name": f"holdfast {run.verb}",
            **{f"holdfast.{name}": value[:_LONG] for name, value in run.about.items()},
        }
        self._run = self._client.create_run(self._experiment, tags=tags).info.run_id
        self._log_parameters(self._run, flat(run.experiment))

    def step(self, seen: Stepped) -> None:
        figures = {f"loss/{name}": value for name, value in seen.terms.items()}
        speed = {"images_per_second": seen.images_per_second}
        self._log_metrics(self._run, figures | speed | {"epoch": seen.epoch, "task": seen.task}, seen.step)

    def task(self, ended: TaskEnded) -> None:
        self._log_metrics(self._run, ended.figures, ended.step)

    def version(self, published: VersionPublished) -> None:
        self._log_metrics(self._run, published.figures, published.step)
        model = self._find_model()
        tags = {
            "holdfast.version": published.name,
            "holdfast.contract": published.contract,
            "holdfast.store": self._about["store"],
            "holdfast.parent": published.parent or "",
            "holdfast.kind": published.kind,
            "holdfast.dimension": str(published.dimension),
            "holdfast.compatible_with": _names(published, True),
            "holdfast.incompatible_with": _names(published, False),
            **{f"holdfast.{plain(name)}": f"{value:.4f}" for name, value in published.figures.items()},
        }
        for known in self._client.search_model_versions(f"name='{model}' and run_id='{self._run}'"):
            if known.tags.get("holdfast.contract") == published.contract:
                number = known.version
                for name, value in tags.items():
                    self._client.set_model_version_tag(model, number, name, value[:_LONG])
                break
        else:
            made = self._client.create_model_version(
                model,
                self._source(published),
                run_id=self._run,
                tags={name: value[:_LONG] for name, value in tags.items()},
                description=_describe(published),
            )
            number = made.version
        for alias in (f"holdfast-{published.name}", NEWEST):
            self._client.set_registered_model_alias(model, alias, number)

    def trial_begins(self, trial: TrialBegun) -> None:
        if trial.number in self._trials:
            return
        tags = {TRIAL: str(trial.number), "mlflow.parentRunId": self._run}
        found = self._find_run(tags)
        if found is not None:
            self._client.update_run(found, status="RUNNING")
        else:
            tags["mlflow.runName"] = f"trial {trial.number}"
            found = self._client.create_run(self._experiment, tags=tags).info.run_id
            self._log_parameters(found, values_of(trial.values))
        self._trials[trial.number] = found

    def trial_reports(self, trial: TrialReported) -> None:
        self._log_metrics(self._trials[trial.number], trial.figures, trial.tasks)

    def trial_ends(self, trial: TrialEnded) -> None:
        if trial.number not in self._trials:
            self.trial_begins(TrialBegun(trial.number, trial.values))
            for reported in trial.curve:
                self.trial_reports(reported)
        run = self._trials[trial.number]
        self._client.set_tag(run, "holdfast.state", trial.state)
        if trial.error is not None:
            self._client.set_tag(run, "holdfast.error", trial.error[:_LONG])
        self._client.set_terminated(run, "FAILED" if trial.error is not None else "FINISHED")

    def end(self, ended: Ended) -> None:
        if ended.figures:
            self._log_metrics(self._run, ended.figures, 0)
        if ended.reason is not None:
            self._client.set_tag(self._run, "holdfast.reason", ended.reason[:_LONG])
        self._client.set_terminated(self._run, _STATUS[ended.status])

    def _find_experiment(self, name: str, place: str | None) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name, artifact_location=place))
            except MlflowException as error:
                # Another run may have made it meanwhile.
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self._client.get_experiment_by_name(name)
        assert found is not None
        return str(found.experiment_id)

    def _find_run(self, tags: Mapping[str, str]) -> str | None:
        where = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        found = self._client.search_runs([self._experiment], where, max_results=1)
        return str(found[0].info.run_id) if found else None

    def _find_model(self) -> str:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self._name, tags={"holdfast.store": self._about["store"]})
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return self._name

    def _source(self, published: VersionPublished) -> str:
        if not self._config.weights:
            return published.store
        folder = f"versions/{published.name}"
        files: Path = published.files()
        self._client.log_artifacts(self._run, str(files), folder)
        return f"{self._client.get_run(self._run).info.artifact_uri}/{folder}"

    def _log_metrics(self, run: str, figures: Figures, step: int) -> None:
        from mlflow.entities import Metric

        now = round(1000 * time.time())
        metrics = [Metric(plain(name), float(value), now, step) for name, value in figures.items()]
        self._client.log_batch(run, metrics=metrics)

    def _log_parameters(self, run: str, values: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        params = [Param(plain(name), str(value)[:_LONG]) for name, value in values.items()]
        for start in range(0, len(params), _PARAMETERS):
            self._client.log_batch(run, params=params[start : start + _PARAMETERS])


def _names(published: VersionPublished, compatible: bool) -> str:
    return ", ".join(pair.gallery for pair in published.pairs if pair.compatible == compatible)


def _describe(published: VersionPublished) -> str:
    """What people read beside a version."""
    lines = [f"{published.name} of {published.store}, contract {published.contract}."]
    for pair in published.pairs:
        way = pair.way.replace("_", " ")
        lines.append(
            f"Searches the entries of {pair.gallery} ({way}): Recall@1 {pair.value:.2f}, has to beat "
            f"{pair.reference:.2f}, difference {pair.low:+.2f} to {pair.high:+.2f}: "
            f"{'compatible' if pair.compatible else 'not compatible'}."
        )
    return "\n\n".join(lines)
