"""`holdfast submit`: a command as a job of a Ray cluster."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from holdfast.base import ConfigError, hide_secrets
from holdfast.cli.calls import Call
from holdfast.cli.failures import INTERRUPTED
from holdfast.cli.options import AddressOption, JsonOption, overrides, workers_of
from holdfast.cli.printing import write_json

if TYPE_CHECKING:
    from holdfast.jobs import Luggage

SUBMITTABLE = ("run", "tune", "distill", "adopt", "embed", "evaluate", "backfill", "gallery import")
EXPERIMENT = "experiment.yaml"
"""The name under which an experiment travels."""


def submit(
    command: Annotated[
        list[str],
        typer.Argument(help=f"After --: one of {', '.join(SUBMITTABLE)}, with its own options."),
    ],
    address: AddressOption,
    env: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE for the job, or NAME for the value here; secrets by name only. Repeatable."
        ),
    ] = None,
    runtime_env: Annotated[
        Path | None, typer.Option(help="YAML file with a runtime environment in Ray's words.")
    ] = None,
    entrypoint_num_cpus: Annotated[
        float | None, typer.Option(help="CPUs of the command itself, beside those that its workers get.")
    ] = None,
    entrypoint_num_gpus: Annotated[float | None, typer.Option(help="GPUs of the command itself.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Stay and show what the job says.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Submit a command as a job to a Ray cluster; its store is that of the cluster's head node.

    What the command and its experiment name by a relative path travels with the job, 100 MB in all: the
    experiment, a manifest, weights, small data, the code of parts of your own. Absolute paths, URLs and
    $VARIABLES mean what they mean on the cluster. The exit code is the job's.

    Example: [bold]holdfast submit --address http://127.0.0.1:8265 -- run experiments/quickstart.yaml[/]
    """
    from rich.console import Console

    from holdfast.cli.verbs import app
    from holdfast.jobs import Job, Luggage, job_environment, submit_job

    if not any(command[: len(words)] == words for words in map(str.split, SUBMITTABLE)):
        raise ConfigError(
            f"A job cannot be {' '.join(command[:2])!r}: allowed are {', '.join(SUBMITTABLE)}, as in "
            "holdfast submit -- run EXPERIMENT."
        )
    call = Call.parse(get_command(app), command)
    _refuse_secrets(call)
    console = Console(stderr=True)
    resources = {"entrypoint_num_cpus": entrypoint_num_cpus, "entrypoint_num_gpus": entrypoint_num_gpus}
    with tempfile.TemporaryDirectory(prefix="holdfast-submit-") as place:
        folder = Path(place)
        environment = job_environment(folder, runtime_env, env or ())
        arguments, store = _packed(call, Luggage(folder))
        what = _what(call)
        job = Job(
            arguments,
            folder,
            what,
            environment,
            {name: value for name, value in resources.items() if value is not None},
        )

        def submitted(name: str) -> None:
            console.print(f"Submitted {what} as {name}; its store is {store}.", soft_wrap=True, markup=False)

        try:
            outcome = submit_job(job, address, follow, console, submitted)
        except KeyboardInterrupt:
            # Repeating the command would submit another job.
            raise SystemExit(INTERRUPTED) from None
    if as_json:
        write_json(outcome | {"store": store})
    if outcome["exit_code"]:
        raise typer.Exit(outcome["exit_code"])


def _what(call: Call) -> str:
    names = ("experiment", "origin", "name", "version")
    named = next((call.values[name] for name in names if call.values.get(name)), "")
    return " ".join([*call.verb, str(named)]).strip()


def _packed(call: Call, luggage: "Luggage") -> tuple[list[str], str]:
    """The words of the job, with what they name in the luggage; and where its store is, for people."""
    from holdfast.jobs import store_options

    options = store_options(call.values["store"], call.values["artifacts"])
    changes: dict[str, Any] = {"store": None, "artifacts": None}
    for name, path in call.paths().items():
        if name == "output":
            _refuse_lost_output(path)
        elif name == "experiment":
            changes |= {"experiment": EXPERIMENT, "set_": None}
            _pack_experiment(call, luggage)
        else:
            changes[name] = luggage.path(path)
    for name in ("source", "model"):
        if isinstance(call.values.get(name), str):
            changes[name] = luggage.source(call.values[name])
    if isinstance(call.values.get("origin"), str):
        changes["origin"] = luggage.gallery(call.values["origin"])
    for folder in call.values.get("sources") or ():
        luggage.require_the_clusters(folder, "--sources")
    where = options[options.index("--store") + 1] if "--store" in options else "$HOLDFAST_STORE"
    return [*call.arguments(changes), *options], where


def _pack_experiment(call: Call, luggage: "Luggage") -> None:
    from holdfast.base import dump_yaml, read_values
    from holdfast.config import load_experiment

    file = call.values["experiment"]
    changes = overrides(call.values.get("set_"), {"scaling.workers": workers_of(call.values.get("workers"))})
    load_experiment(file, changes)
    packed = luggage.experiment(read_values(file, call.values.get("set_") or ()))
    (luggage.folder / EXPERIMENT).write_text(dump_yaml(packed), "utf-8")


def _refuse_secrets(call: Call) -> None:
    # Of the store's options another sentence says more.
    for word in call.arguments({"store": None, "artifacts": None}):
        if hide_secrets(word) != word:
            raise ConfigError(
                f"{hide_secrets(word)} holds a secret, and others may read command lines. Name a variable in "
                "its place, $NAME, and pass its name: --env NAME."
            )


def _refuse_lost_output(path: Path) -> None:
    if not path.is_absolute() and "://" not in str(path):
        raise ConfigError(
            f"--output {path} would be lost with the job's folder: give an absolute path of the cluster's "
            "head."
        )
