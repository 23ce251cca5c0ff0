"""The command line: one verb, one function.

Verbs import what they need when they are called: PyTorch and Ray take seconds, and listing versions or moving
traffic needs neither.
"""

import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from typer.main import get_command

from holdfast.base import ConfigError
from holdfast.cli.backfill import backfill
from holdfast.cli.console import ProgressView, print_json, print_summary, print_trials
from holdfast.cli.distill import distill, export
from holdfast.cli.failures import INTERRUPTED, MENDABLE, Failure, failure_of, say_when_threads_fail
from holdfast.cli.gallery import gallery
from holdfast.cli.options import STORE, ArtifactsOption, JsonOption, StoreOption
from holdfast.cli.versions import promote, rollback, versions
from holdfast.jobs import prepare_environment
from holdfast.store import open_store

app = typer.Typer(
    name="holdfast",
    help="Train embedding models whose every new version searches the gallery that the old ones filled.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(gallery, name="gallery")
app.add_typer(backfill, name="backfill")

SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="dotted.key=value, over the file. Repeatable.")
]
VerboseOption = Annotated[bool, typer.Option("--verbose", help="Show what Ray says.")]
ExperimentArgument = Annotated[Path, typer.Argument(help="YAML file, such as experiments/quickstart.yaml.")]


def _console() -> Console:
    return Console(stderr=True)


def _read_report(file: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(file.with_suffix(".json").read_text())
    return report


@app.command()
def run(
    experiment: ExperimentArgument,
    set_: SetOption = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    workers: Annotated[int | None, typer.Option(help="0: in this process; N: Ray Train workers.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over; versions published before stay.")
    ] = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Learn a stream of tasks, one version a task; go on where an interrupted run left off.

    Example: [bold]holdfast run experiments/quickstart.yaml --set learning.epochs=4[/]
    """
    from holdfast.config import load_experiment
    from holdfast.jobs import run_experiment
    from holdfast.publishing import PAGE, RunFolder

    loaded = load_experiment(experiment, _overrides(set_, workers))
    console = _console()
    with open_store(store, artifacts) as opened, ProgressView(console) as view:
        outcome = run_experiment(opened, loaded, view, fresh=fresh, verbose=verbose)
        place = RunFolder(opened, outcome.name).place(PAGE)
    report = _read_report(outcome.report)
    if as_json:
        print_json(report)
        return
    if outcome.already_finished:
        ending = "is already finished; --fresh starts it over."
    else:
        ending = f"finished in {outcome.seconds:.0f} s."
    console.print(f"Run '{outcome.name}' ({', '.join(outcome.versions)}) {ending}", soft_wrap=True)
    print_summary(console, report)
    console.print(f"Report: {place}", soft_wrap=True)


@app.command()
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
    from holdfast.config import load_experiment
    from holdfast.publishing import PAGE, RunFolder
    from holdfast.runs import evaluate_lineage

    overrides = [*(set_ or []), *([f"evaluation.control={control}"] if control else [])]
    loaded = load_experiment(experiment, overrides)
    console = _console()
    with open_store(store, artifacts) as opened, ProgressView(console) as view:
        file = evaluate_lineage(opened, loaded, version, view)
        place = RunFolder(opened, loaded.name).place(PAGE)
    report = _read_report(file)
    if as_json:
        print_json(report)
        return
    print_summary(console, report)
    console.print(f"Report: {place}", soft_wrap=True)


@app.command()
def embed(
    version: Annotated[str, typer.Argument(help="Version or alias, such as v3 or live.")],
    source: Annotated[str, typer.Argument(help="parquet:PATH, folder:PATH or glyphs:")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Parquet file to write.")],
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    thumbnails: Annotated[
        bool, typer.Option("--thumbnails", help="Add the image itself, for the web page.")
    ] = False,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Embed a source's images with one version: sample_id, label, version, vector, in the source's order.

    Images in folders have a source too, the file that each is, and a backfill can embed them anew. Images in
    Parquet files, and glyphs, have none: a backfill can only map them.

    Example: [bold]holdfast embed v3 parquet:photos.parquet -o photos-v3.parquet[/]
    """
    from holdfast.jobs import embed_source

    console = _console()
    with open_store(store, artifacts, create=False) as opened, ProgressView(console) as view:
        rows, name = embed_source(opened, version, source, split, output, view, thumbnails=thumbnails)
    if as_json:
        print_json({"version": name, "rows": rows, "file": str(output)})
    else:
        console.print(f"{rows:,} images embedded by {name}: {output}", soft_wrap=True)


@app.command()
def tune(
    experiment: ExperimentArgument,
    set_: SetOption = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where the best experiment goes.")
    ] = None,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Sweep over the space that the experiment declares under `tuning:`; write the best experiment file.

    Example: [bold]holdfast tune experiments/quickstart.yaml -o best.yaml[/]
    """
    from holdfast.config import load_experiment
    from holdfast.jobs import tune_experiment

    loaded = load_experiment(experiment, set_ or [])
    target = output or experiment.with_name(f"{experiment.stem}-best.yaml")
    console = _console()
    with open_store(store, artifacts) as opened:
        outcome = tune_experiment(opened, loaded, target, console, verbose=verbose)
    if as_json:
        print_json(outcome)
    else:
        print_trials(console, outcome)
    if outcome["failed"] > outcome["diverged"]:
        raise typer.Exit(1)


for verb in (distill, export, versions, promote, rollback):
    app.command()(verb)


@app.command()
def serve(
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; loopback by default.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    replicas: Annotated[int | None, typer.Option(help="Gateway replicas; 1 by default.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with further settings: index, limits, batching.")
    ] = None,
    set_: SetOption = None,
    sources: Annotated[
        list[str] | None,
        typer.Option("--sources", help="Folder or URL prefix whose images backfills may read. Repeatable."),
    ] = None,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="Log every request, as a line of JSON on standard error.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Serve embeddings and the shared gallery over HTTP, with a web page at /.

    Keys come from HOLDFAST_API_KEYS (role:key, comma separated); without it one admin key is made, kept as a
    hash, and shown once. SIGTERM answers what is in progress and exits with 0.

    Example: [bold]holdfast serve --port 8000[/]
    """
    from holdfast.base import load_settings, read_values
    from holdfast_serving import ServingConfig, serve_forever

    if "store" in read_values(config, set_ or []):
        raise ConfigError("store: of a server it is named by --store or HOLDFAST_STORE, not by its settings.")
    settings = load_settings(ServingConfig, config, [*(set_ or []), f"store={json.dumps(store)}"])
    artifacts = artifacts or settings.artifacts
    # A mistyped path would otherwise serve a new and empty store.
    open_store(store, artifacts, create=False).close()
    serve_forever(
        store,
        host,
        port,
        artifacts=artifacts,
        replicas=replicas,
        sources=sources or None,
        access_log=access_log,
        verbose=verbose,
        config=settings,
        say=typer.echo,
    )


@app.command()
def submit(
    command: Annotated[list[str], typer.Argument(help="After --: run EXPERIMENT, with the options of run.")],
    address: Annotated[
        str,
        typer.Option(
            envvar=["RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"],
            help="Ray dashboard, such as http://127.0.0.1:8265.",
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Stay and show what the job says.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Submit a run as a job to a Ray cluster; its store and its data are those of the cluster's head node.

    Only the experiment file travels. The exit code is 1 if the job fails or is stopped.

    Example: [bold]holdfast submit --address http://127.0.0.1:8265 -- run experiments/quickstart.yaml[/]
    """
    from holdfast.config import load_experiment
    from holdfast.jobs import submit_experiment

    if command[0] != "run":
        raise ConfigError(
            f"A job cannot be {command[0]!r}: it is run, as in holdfast submit -- run EXPERIMENT."
        )
    given = _options_of(run, command[1:])
    experiment, overrides = Path(given["experiment"]), _overrides(given["set_"], given["workers"])
    load_experiment(experiment, overrides)
    flags = [flag for name, flag in SUBMITTED_FLAGS.items() if given[name]]
    try:
        outcome = submit_experiment(
            experiment,
            overrides,
            given["store"],
            address,
            follow,
            _console(),
            flags=flags,
            artifacts=given["artifacts"],
        )
    except KeyboardInterrupt:
        # Repeating the command would submit another job.
        raise SystemExit(INTERRUPTED) from None
    if as_json:
        print_json(outcome)
    if outcome["status"] in ("FAILED", "STOPPED"):
        raise typer.Exit(1)


SUBMITTED_FLAGS = {"fresh": "--fresh", "verbose": "--verbose", "as_json": "--json"}


def _overrides(set_: Sequence[str] | None, workers: int | None) -> list[str]:
    return [*(set_ or []), *([f"scaling.workers={workers}"] if workers is not None else [])]


def _options_of(verb: Callable[..., None], arguments: Sequence[str]) -> dict[str, Any]:
    """What a verb would be called with."""
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command()(verb)
    return get_command(alone).make_context(f"holdfast {verb.__name__}", list(arguments)).params


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Whatever goes wrong is said in a sentence on standard error, with `--json` also in a
    document on standard output; the exit code tells what a user can mend (2) from what is a defect (70)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        for stream in (sys.stdout, sys.stderr):
            # A name that this terminal cannot show must not end what it names.
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        say_when_threads_fail(given)
        prepare_environment(submits=given[:1] == ["submit"])
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = app(given, standalone_mode=False) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        code = _nobody_listens()
    except (KeyboardInterrupt, EOFError):
        code = INTERRUPTED
    except typer.TyperException as error:
        message = error.format_message().strip()
        # Without a verb the help has been printed, and there is nothing more to say.
        said = f"{message.rstrip('.')}. --help says what is allowed." if message else ""
        code = _fail(Failure(type(error).__name__, "invalid_command", said, MENDABLE), given)
    except Exception as error:
        code = _fail(failure_of(error, given), given)
    if code == INTERRUPTED:
        sys.stderr.write("interrupted; the same command goes on where it stopped\n")
    sys.exit(code)


def _fail(failure: Failure, given: Sequence[str]) -> int:
    if failure.message:
        try:
            if "--json" in given:
                print_json(failure.as_dict())
                sys.stdout.flush()
        except OSError:
            _nobody_listens()
        sys.stderr.write(f"error: {failure.message}\n")
    return failure.exit_code


def _nobody_listens() -> int:
    """Standard output is closed, as in `holdfast versions | head -1`: what is left to say is dropped."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning is for the user as well: the sentence, not the line of code that says it."""
    sys.stderr.write(f"warning: {message}\n")
