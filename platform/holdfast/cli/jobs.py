"""`holdfast jobs ...`: what was submitted to a Ray cluster, and what becomes of it."""

from typing import Annotated

import typer

from holdfast.cli.failures import INTERRUPTED
from holdfast.cli.options import AddressOption, JsonOption
from holdfast.cli.printing import show, table, tell, write_json

jobs = typer.Typer(
    help="The jobs of a Ray cluster: list, logs, stop.", no_args_is_help=True, rich_markup_mode="rich"
)

JobArgument = Annotated[str, typer.Argument(help="Job, such as raysubmit_9xHq.")]


@jobs.command("list")
def list_(address: AddressOption, as_json: JsonOption = False) -> None:
    """List the jobs that were submitted to a cluster, newest first.

    Example: [bold]holdfast jobs list --address http://127.0.0.1:8265[/]
    """
    from holdfast.jobs import list_jobs

    found = list_jobs(address)
    columns = ("job", "what", "status", "started", "seconds", "message")
    listed = table(*columns)
    for each in found:
        listed.add_row(*("" if each[name] is None else str(each[name]) for name in columns))
    show(as_json, found, listed if found else "The cluster has no jobs.")


@jobs.command("logs")
def logs(
    job: JobArgument,
    address: AddressOption,
    follow: Annotated[bool, typer.Option("--follow", help="Stay until the job has ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a job has said.

    With --follow the exit code is the job's.

    Example: [bold]holdfast jobs logs raysubmit_9xHq --follow --address http://127.0.0.1:8265[/]
    """
    from rich.console import Console

    from holdfast.jobs import job_logs

    try:
        state = job_logs(address, job, follow, Console(stderr=as_json))
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    if as_json:
        write_json(state)
    if follow and state["exit_code"]:
        raise typer.Exit(state["exit_code"])


@jobs.command("stop")
def stop(job: JobArgument, address: AddressOption, as_json: JsonOption = False) -> None:
    """End a job. What it had learned stays: the same command, submitted again, goes on.

    Example: [bold]holdfast jobs stop raysubmit_9xHq --address http://127.0.0.1:8265[/]
    """
    from holdfast.jobs import stop_job

    stopped = stop_job(address, job)
    tell(
        as_json,
        {"job": job, "stopped": stopped},
        f"{job} is stopped." if stopped else f"{job} had ended before.",
    )
