"""`holdfast run`, `evaluate`, `tune` and `distill`: what an experiment file describes."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli.options import (
    STORE,
    ArtifactsOption,
    ExperimentArgument,
    JsonOption,
    SetOption,
    StoreOption,
    TrackOption,
    VerboseOption,
    existing_store,
    overrides,
    workers_of,
)
from holdfast.cli.printing import tell


def run(
    experiment: ExperimentArgument,
    set_: SetOption = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="N|MIN-MAX", help="0: in this process; N: Ray Train workers; from MIN to MAX: elastic."
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over; versions published before stay.")
    ] = False,
    publish_anyway: Annotated[
        bool,
        typer.Option(
            "--publish-anyway", help="Publish also what is surely worse than doing nothing; else exit with 3."
        ),
    ] = False,
    track: TrackOption = None,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Learn a stream of tasks, one version a task; go on where an interrupted run left off.

    On validation images every version is measured beside its parent and beside a pretrained trunk as it was.

    Example: [bold]holdfast run experiments/quickstart.yaml --set learning.epochs=4[/]
    """
    from holdfast.cli.printing import ProgressView, summary
    from holdfast.config import load_experiment, with_trackers
    from holdfast.evaluation import PAGE
    from holdfast.jobs import run_experiment
    from holdfast.runs import RunFolder
    from holdfast.store import open_store

    given = overrides(set_, {"scaling.workers": workers_of(workers)})
    loaded = with_trackers(load_experiment(experiment, given), track or ())
    with open_store(store, artifacts) as opened, ProgressView() as view:
        outcome = run_experiment(
            opened, loaded, view, fresh=fresh, verbose=verbose, publish_anyway=publish_anyway
        )
        place = RunFolder(opened, outcome.name).place(PAGE)
    report = _read_report(outcome.report)
    if outcome.already_finished:
        ending = "is already finished; --fresh starts it over."
    else:
        ending = f"finished in {outcome.seconds:.0f} s."
    tell(
        as_json,
        report,
        f"Run '{outcome.name}' ({', '.join(outcome.versions)}) {ending}",
        *summary(report),
        f"Report: {place}",
    )


def evaluate(
    experiment: ExperimentArgument,
    set_: SetOption = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    version: Annotated[
        str | None, typer.Option(help="Newest version of the lineage; default: the run's last.")
    ] = None,
    control: Annotated[
        str | None, typer.Option(help="Run whose self-tests the update gain divides by.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a lineage on an experiment's evaluation data and redraw the report.

    Example: [bold]holdfast evaluate experiments/omniglot-5.yaml --control omniglot-5-finetune[/]
    """
    from holdfast.cli.printing import ProgressView, summary
    from holdfast.config import load_experiment
    from holdfast.evaluation import PAGE
    from holdfast.runs import RunFolder, evaluate_lineage
    from holdfast.store import open_store

    loaded = load_experiment(experiment, overrides(set_, {"evaluation.control": control}))
    with open_store(store, artifacts) as opened, ProgressView() as view:
        file = evaluate_lineage(opened, loaded, version, view)
        place = RunFolder(opened, loaded.name).place(PAGE)
    report = _read_report(file)
    tell(as_json, report, *summary(report), f"Report: {place}")


def tune(
    experiment: ExperimentArgument,
    set_: SetOption = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where the best experiment goes.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over; the trials that there are are forgotten.")
    ] = False,
    track: TrackOption = None,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Sweep over the space that the experiment declares under `tuning:`; write the best experiment file.

    An interrupted sweep goes on with the trials that it has, and so does a finished one when `trials` grows.

    Example: [bold]holdfast tune experiments/quickstart.yaml -o best.yaml[/]
    """
    from rich.console import Console

    from holdfast.cli.printing import trials
    from holdfast.config import load_experiment, with_trackers
    from holdfast.jobs import tune_experiment
    from holdfast.store import open_store

    loaded = with_trackers(load_experiment(experiment, set_ or []), track or ())
    target = output or experiment.with_name(f"{experiment.stem}-best.yaml")
    with open_store(store, artifacts) as opened:
        outcome = tune_experiment(opened, loaded, target, Console(stderr=True), verbose=verbose, fresh=fresh)
    tell(as_json, outcome, *trials(outcome))
    if outcome["failed"] > outcome["diverged"]:
        raise typer.Exit(1)


def distill(
    experiment: Annotated[
        Path,
        typer.Argument(help="YAML file with a section distillation, as quickstart-small.yaml."),
    ],
    set_: SetOption = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over; what was published before stays.")
    ] = False,
    track: TrackOption = None,
    as_json: JsonOption = False,
) -> None:
    """Teach a small encoder to imitate a published version, so that its queries search its gallery.

    It becomes a version of its own, measured against the galleries of its source and of its source's
    ancestors; nothing is embedded anew. It may read other images than the source: smaller, grey, edges. An
    interrupted distillation goes on where it left off.

    Example: [bold]holdfast distill experiments/quickstart-small.yaml[/]
    """
    from holdfast.cli.printing import ProgressView, summary
    from holdfast.config import load_experiment, with_trackers
    from holdfast.evaluation import PAGE
    from holdfast.runs import RunFolder, distill_experiment

    loaded = with_trackers(load_experiment(experiment, set_ or []), track or ())
    with existing_store(store, artifacts) as opened, ProgressView() as view:
        outcome = distill_experiment(opened, loaded, view, fresh=fresh)
        place = RunFolder(opened, loaded.name).place(PAGE)
    report = _read_report(outcome.report)
    if outcome.already_finished:
        ending = "is already there; --fresh starts over."
    else:
        ending = f"took {outcome.seconds:.0f} s."
    size = f"{outcome.parameters:,} parameters"
    if outcome.source_parameters is not None:
        share = outcome.parameters / outcome.source_parameters
        size += f", {share:.1%} of the {outcome.source_parameters:,} of {outcome.source}"
    tell(
        as_json,
        {**vars(outcome), "measured": report},
        f"{outcome.version}, distilled from {outcome.source}, {ending}",
        *summary(report),
        f"{size}.",
        f"Report: {place}",
    )


def _read_report(page: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(page.with_suffix(".json").read_text())
    return report
