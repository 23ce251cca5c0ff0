"""`holdfast submit`: a run as a job of a Ray cluster."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from holdfast.base import ConfigError
from holdfast.cli.failures import INTERRUPTED
from holdfast.cli.learn import run
from holdfast.cli.options import JsonOption, overrides
from holdfast.cli.printing import write_json

FLAGS = {
    "fresh": "--fresh",
    "publish_anyway": "--publish-anyway",
    "verbose": "--verbose",
    "as_json": "--json",
}
"""The options of a run that go with it as they are."""


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
    from rich.console import Console

    from holdfast.config import load_experiment
    from holdfast.jobs import submit_experiment

    if command[0] != "run":
        raise ConfigError(
            f"A job cannot be {command[0]!r}: it is run, as in holdfast submit -- run EXPERIMENT."
        )
    given = _options_of_run(command[1:])
    experiment = Path(given["experiment"])
    changes = overrides(given["set_"], {"scaling.workers": given["workers"]})
    load_experiment(experiment, changes)
    try:
        outcome = submit_experiment(
            experiment,
            changes,
            given["store"],
            address,
            follow,
            Console(stderr=True),
            flags=[flag for name, flag in FLAGS.items() if given[name]],
            artifacts=given["artifacts"],
        )
    except KeyboardInterrupt:
        # Repeating the command would submit another job.
        raise SystemExit(INTERRUPTED) from None
    if as_json:
        write_json(outcome)
    if outcome["status"] in ("FAILED", "STOPPED"):
        raise typer.Exit(1)


def _options_of_run(arguments: Sequence[str]) -> dict[str, Any]:
    """What `run` would be called with."""
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command()(run)
    return get_command(alone).make_context("holdfast run", list(arguments)).params
