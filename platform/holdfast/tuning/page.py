"""The page of a sweep: its front, what decided, how trials went, and the files of those on the front."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from holdfast.base import duration
from holdfast.evaluation import Series, line_chart, ramp
from holdfast.tuning.config import TuningConfig
from holdfast.tuning.front import best_first
from holdfast.tuning.record import Sweep, Trial
from holdfast.tuning.scatter import scatter
from holdfast.tuning.space import named

TUNE_PAGE = "tune.html"
_CURVES = 6
_SEARCHES = {
    "tpe": "where trials were good (Optuna's TPE)",
    "random": "at random",
    "grid": "every point of a grid",
}


def render_sweep(
    name: str,
    config: TuningConfig,
    sweep: Sweep,
    tasks: int,
    importances: Mapping[str, float],
    files: Mapping[int, str],
) -> str:
    """The whole page as HTML; it loads nothing.

    Args:
        tasks: of the sequence.
        importances: see `importances`; empty where nothing can be said.
        files: by the numbers of the trials on the front, the experiment of each as YAML.
    """
    ranked = best_first(sweep.trials)
    start = sweep.trials[0]
    return _template().render(
        name=name,
        config=config,
        search=_SEARCHES[config.search],
        best=ranked[0],
        start=start,
        verdict=_verdict(ranked[0], start, config),
        scatter=scatter(sweep.trials),
        importances=importances,
        curves=_curves(ranked, tasks),
        rows=[
            (trial, [_over_tasks(trial, key, tasks) for key in config.space], _remark(trial))
            for trial in _in_order(sweep, ranked)
        ],
        keys=[_short(key) for key in config.space],
        files=[(trial, files[trial.number]) for trial in ranked if trial.number in files],
        images=sweep.images,
        spent=duration(sum(trial.last.seconds for trial in sweep.trials if trial.last is not None)),
        count={
            state: sum(trial.state == state for trial in sweep.trials)
            for state in ("done", "stopped", "failed")
        },
        tasks=tasks,
    )


def _verdict(best: Trial, start: Trial, config: TuningConfig) -> str:
    assert best.last is not None
    figure = "mean of self and cross" if config.objective in ("mean", "front") else f"{config.objective}-test"
    said = f"Trial {best.number} is highest on validation: {figure} {best.last.objective:.2f}"
    if start.error is not None or start.last is None:
        return f"{said}. The experiment as it stands failed: {start.error}"
    if best.number == 0:
        return f"No trial is above the experiment as it stands: {figure} {best.last.objective:.2f}."
    # A figure of fewer tasks is of another, easier or harder, gallery.
    tasks = min(best.tasks, start.tasks)
    ours, its = (
        next((point.objective for point in trial.curve if point.tasks == tasks), None)
        for trial in (best, start)
    )
    if ours is None or its is None:
        return f"{said}. The experiment as it stands has no figure of as many tasks to compare it with."
    alike = "" if best.tasks == start.tasks else f" after {tasks} of the tasks, where one was stopped"
    return (
        f"{said}, {ours - its:+.2f} against the experiment as it stands{alike}. One trial each, without an "
        "interval: a small difference is chance, and the best of many looks better than it is."
    )


def _in_order(sweep: Sweep, ranked: list[Trial]) -> list[Trial]:
    return ranked + [trial for trial in sweep.trials if trial not in ranked]


def _curves(ranked: list[Trial], tasks: int) -> Markup:
    shown = ranked[:_CURVES]
    series = [
        Series(
            f"trial {trial.number}",
            [
                next((point.objective for point in trial.curve if point.tasks == task), None)
                for task in range(1, tasks + 1)
            ],
            ramp(len(shown) - 1 - place, len(shown)),
        )
        for place, trial in enumerate(shown)
    ]
    return line_chart(
        [str(task) for task in range(1, tasks + 1)], series, "Objective after each task", "tasks learned"
    )


def _over_tasks(trial: Trial, key: str, tasks: int) -> str:
    """A value, or where it changed from task to task those of all tasks that were learned."""
    values = [each.get(key) for each in trial.over(max(1, min(tasks, trial.tasks)))]
    return ", ".join(
        _shown(value) for value in (values if any(each != values[0] for each in values) else values[:1])
    )


def _remark(trial: Trial) -> str:
    if trial.error:
        return trial.error
    if trial.state == "stopped":
        return "stopped early"
    taken = [f"took over trial {source} after task {task}" for task, source in trial.took]
    return "; ".join(["as it stands"] * (trial.number == 0) + taken)


def _short(key: str) -> str:
    return ".".join(key.split(".")[-2:])


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(named(value))


@cache
def _template() -> Template:
    loader = ChoiceLoader([PackageLoader("holdfast.tuning"), PackageLoader("holdfast.evaluation")])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("tune.html.j2")
