"""`holdfast backfill ...`: move entries of older versions to a newer one."""

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from holdfast.backfill import Backfill, Backfills
from holdfast.base import ConfigError
from holdfast.cli.console import print_json
from holdfast.cli.options import STORE, ArtifactsOption, JsonOption, StoreOption
from holdfast.entries import Entries, Lease, LeaseHeldError, LeaseLostError, Replace, refuse_if_held
from holdfast.store import Store, open_store

backfill = typer.Typer(
    help="Backfills: start, list, pause, resume, cancel.", no_args_is_help=True, rich_markup_mode="rich"
)

NameArgument = Annotated[str, typer.Argument(help="Backfill, such as b1.")]
DetachOption = Annotated[
    bool, typer.Option("--detach", help="Only record it, and leave the work to a running server.")
]
SourcesOption = Annotated[
    list[str] | None,
    typer.Option("--sources", help="Folder or URL prefix whose images may be read. Repeatable."),
]
LOOK_SECONDS = 0.5
RESTART_SECONDS = 60.0
"""So long after a server went away it may come back, and go on with what it did."""
INTERRUPTED = 130


@backfill.command("start")
def start(
    target: Annotated[str, typer.Argument(help="Version or alias whose entries they become, such as live.")],
    kind: Annotated[
        str, typer.Option(help="map: by the registered adapters; re-embed: from the images at their sources.")
    ] = "map",
    source: Annotated[
        list[str] | None,
        typer.Option("--from", help="Version whose entries move; all others by default. Repeatable."),
    ] = None,
    sources: SourcesOption = None,
    order: Annotated[str, typer.Option(help="gain, random or oldest.")] = "gain",
    batch: Annotated[int, typer.Option(help="Entries in one transaction at most.")] = 256,
    pace: Annotated[
        float | None, typer.Option(help="Entries a second at most; 0.001 is one in 17 minutes.")
    ] = None,
    workers: Annotated[int, typer.Option(help="0: in one process; N: Ray Data actors.")] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Although entries may become unreachable; recorded.")
    ] = False,
    detach: DetachOption = False,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move entries of older versions to a newer one, a batch at a time; searches and writes go on.

    A running server does the work, else this process: it is then the one writer, and no server can start
    until it is done or paused. What users write or delete meanwhile stays as they left it. Ctrl-C pauses.
    Images are read below --sources only; a server has its own.

    Example: [bold]holdfast backfill start live --kind re-embed --sources photos[/]
    """
    with open_store(store, artifacts, create=False) as opened:
        roots = _roots(opened, kind, sources, detach)
        if kind == "map" and workers:
            raise ConfigError("--workers is for re-embed: a backfill of kind map is done by one process.")
        made = Backfills(opened).create(
            target,
            kind,  # type: ignore[arg-type]  # refused there, in one sentence, if it is another
            source,
            ordering=order,  # type: ignore[arg-type]
            batch_size=batch,
            pace=pace,
            workers=workers,
            force=force,
        )
        _see_through(opened, made.name, roots, detach, as_json)


@backfill.command("list")
def list_(
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List all backfills, oldest first.

    Example: [bold]holdfast backfill list[/]
    """
    with open_store(store, artifacts, create=False) as opened:
        found = Backfills(opened).list()
    if as_json:
        print_json([_content(each) for each in found])
        return
    table = Table("id", "kind", "from", "to", "order", "status", "done", "skipped", box=SIMPLE_HEAD)
    for each in found:
        done = f"{each.done:,} of {each.total:,}"
        sources = ", ".join(each.sources)
        skipped = _skipped(each)
        table.add_row(each.name, each.kind, sources, each.target, each.ordering, each.status, done, skipped)
    Console().print(table)


@backfill.command("pause")
def pause(
    name: NameArgument,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop it for now; once this returns no entry is moved any more.

    Example: [bold]holdfast backfill pause b1[/]
    """
    _change(store, artifacts, lambda opened: Backfills(opened).pause(name), as_json)


@backfill.command("resume")
def resume(
    name: NameArgument,
    sources: SourcesOption = None,
    detach: DetachOption = False,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with one that was paused, that failed, or whose process died.

    Example: [bold]holdfast backfill resume b1[/]
    """
    with open_store(store, artifacts, create=False) as opened:
        roots = _roots(opened, Backfills(opened).get(name).kind, sources, detach)
        Backfills(opened).resume(name)
        _see_through(opened, name, roots, detach, as_json)


@backfill.command("cancel")
def cancel(
    name: NameArgument,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """End it; entries that were moved stay moved.

    Example: [bold]holdfast backfill cancel b1[/]
    """
    _change(store, artifacts, lambda opened: Backfills(opened).cancel(name), as_json)


def _change(store: str, artifacts: str | None, change: Callable[[Store], Backfill], as_json: bool) -> None:
    with open_store(store, artifacts, create=False) as opened:
        _tell(change(opened), as_json)


def _roots(store: Store, kind: str, sources: Sequence[str] | None, detach: bool) -> tuple[str, ...]:
    """What may be read here. Raises ConfigError if that is nothing, and the work is to be done here."""
    if kind != "re-embed":
        if sources:
            raise ConfigError("--sources is for re-embed: a backfill of kind map reads no images.")
        return ()
    if detach and sources:
        raise ConfigError(
            "--sources and --detach: a running server does the work, and reads below the sources that it was "
            "started with. Leave --sources out, or --detach."
        )
    from holdfast.backfill import Sources, require_sources

    if not detach and not _has_writer(store):
        require_sources(kind, sources or ())
    return Sources.of(sources or ()).roots


def _see_through(store: Store, name: str, roots: Sequence[str], detach: bool, as_json: bool) -> None:
    """Work on it, or watch whoever does, until it is over."""
    if not detach:
        try:
            _attend(store, name, roots)
        except KeyboardInterrupt:
            with suppress(Exception):
                Backfills(store).pause(name)
            Console(stderr=True).print(f"{name} is paused: holdfast backfill resume {name} goes on.")
            raise typer.Exit(INTERRUPTED) from None
    found = Backfills(store).get(name)
    _tell(found, as_json)
    if found.status == "failed":
        raise typer.Exit(1)


def _attend(store: Store, name: str, roots: Sequence[str]) -> None:
    stop = threading.Event()
    console = Console(stderr=True)
    columns = (TextColumn("[bold]{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
    working: Future[Any] | None = None
    held = -math.inf
    with Progress(*columns, console=console, transient=True) as bars, ThreadPoolExecutor(1) as threads:
        bar = bars.add_task(name, total=None)
        try:
            while (found := Backfills(store).get(name)).status == "running":
                bars.update(bar, completed=found.total - found.left, total=found.total)
                if working is not None and working.done():
                    # Whoever writes now goes on with it.
                    with suppress(LeaseHeldError, LeaseLostError):
                        working.result()
                    working = None
                if working is None:
                    if _has_writer(store):
                        held = time.monotonic()
                    elif time.monotonic() - held > RESTART_SECONDS and _is_unattended(store, name):
                        working = threads.submit(_work, store, name, roots, stop)
                time.sleep(LOOK_SECONDS / 5 if working is not None else LOOK_SECONDS)
        finally:
            stop.set()


def _has_writer(store: Store) -> bool:
    try:
        refuse_if_held(store)
    except LeaseHeldError:
        return True
    return False


def _is_unattended(store: Store, name: str) -> bool:
    return name in {each.name for each in Backfills(store).unattended()}


def _work(store: Store, name: str, roots: Sequence[str], stop: threading.Event) -> None:
    from holdfast.jobs import work_on_backfill

    entries = Entries(store)
    owner = f"holdfast backfill on {socket.gethostname()}, process {os.getpid()}"
    with Lease.take(store) as lease:

        def write(change: Replace) -> int:
            return entries.submit(change, lease.fence)

        work_on_backfill(store, name, owner, write, stop, roots)


def _tell(found: Backfill, as_json: bool) -> None:
    if as_json:
        print_json(_content(found))
        return
    console = Console(stderr=True)
    skipped = f"; skipped: {_skipped(found)}" if found.skipped else ""
    console.print(
        f"{found.name} is {found.status}: {found.done:,} of {found.total:,} entries moved to "
        f"{found.target}{skipped}.",
        soft_wrap=True,
    )
    for example in found.examples:
        console.print(f"  {example}", soft_wrap=True, markup=False)
    if found.error is not None:
        console.print(f"  {found.error}", soft_wrap=True, markup=False)


def _skipped(found: Backfill) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in found.skipped.items())


def _content(found: Backfill) -> dict[str, Any]:
    return {"id": found.name, **vars(found), "left": found.left}
