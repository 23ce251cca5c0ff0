"""`holdfast backfill ...`: move entries of older versions to a newer one."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal

from holdfast.base import ConfigError, duration
from holdfast.cli.failures import INTERRUPTED
from holdfast.cli.options import (
    STORE,
    ArtifactsOption,
    GpusOption,
    JsonOption,
    StoreOption,
    existing_store,
)
from holdfast.cli.printing import note, show, table, tell

if TYPE_CHECKING:
    from holdfast.backfill import Backfill, Backfills, Price
    from holdfast.store import Store

backfill = typer.Typer(
    help="Backfills: plan, start, list, pause, resume, cancel.", no_args_is_help=True, rich_markup_mode="rich"
)

NameArgument = Annotated[str, typer.Argument(help="Backfill, such as b1.")]
DetachOption = Annotated[
    bool, typer.Option("--detach", help="Only record it, and leave the work to a running server.")
]
SourcesOption = Annotated[
    list[str] | None,
    typer.Option("--sources", help="Folder or URL prefix whose images may be read. Repeatable."),
]


@backfill.command("plan")
def plan(
    target: Annotated[str, typer.Argument(help="Version or alias whose entries they would become.")],
    kind: Annotated[
        str, typer.Option(help="map: by the registered adapters; re-embed: from the images at their sources.")
    ] = "re-embed",
    source: Annotated[
        list[str] | None,
        typer.Option("--from", help="Version whose entries would move; all others by default. Repeatable."),
    ] = None,
    sources: SourcesOption = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a backfill would cost and bring, by trying 64 entries; nothing is moved.

    Example: [bold]holdfast backfill plan live --sources photos[/]
    """
    from holdfast.backfill import check_kind, price

    with existing_store(store, artifacts) as opened:
        found = price(opened, target, check_kind(kind), source, sources or ())
    show(as_json, found.as_dict(), *_priced(found))


def _priced(found: "Price") -> Iterator[str]:
    yield f"{found.entries:,} entries would become {found.target}'s ({found.kind})."
    reasons = ", ".join(f"{count} {why}" for why, count in found.unreadable.items())
    failed = f"; of {found.probed} that were tried: {reasons}" if reasons else ""
    yield f"{found.readable:,} of them can be moved{failed}."
    reading = f"{decimal(found.read_bytes)} to read, " if found.read_bytes else ""
    writing = f"{decimal(found.write_bytes)} of vectors to write"
    yield f"About {duration(found.seconds)} in one process; {reading}{writing}."
    for each in found.by_version:
        if each.now is None or each.then is None:
            yield f"  {each.entries:,} of {each.version}: what it is worth holdfast bridge measures."
        else:
            yield (
                f"  {each.entries:,} of {each.version}: Recall@1 {each.now:.1f} as they are met today, "
                f"{each.then:.1f} embedded anew (by {each.truth})."
            )


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
    batch_size: Annotated[int, typer.Option(help="Entries in one transaction at most.")] = 256,
    pace: Annotated[
        float | None, typer.Option(help="Entries a second at most; 0.001 is one in 17 minutes.")
    ] = None,
    workers: Annotated[int, typer.Option(help="0: in one process; N: Ray Data actors.")] = 0,
    gpus_per_worker: GpusOption = 0.0,
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
    with existing_store(store, artifacts) as opened:
        roots = _roots(opened, kind, sources, detach)
        if kind == "map" and workers:
            raise ConfigError("--workers is for re-embed: a backfill of kind map is done by one process.")
        _refuse_idle_gpus(gpus_per_worker, workers, detach)
        made = _backfills(opened).create(
            target,
            kind,  # type: ignore[arg-type]  # refused there, in one sentence, if it is another
            source,
            order=order,  # type: ignore[arg-type]
            batch_size=batch_size,
            pace=pace,
            workers=workers,
            force=force,
        )
        _see_through(opened, made.name, roots, gpus_per_worker, detach, as_json)


@backfill.command("list")
def list_(
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List all backfills, oldest first.

    Example: [bold]holdfast backfill list[/]
    """
    with existing_store(store, artifacts) as opened:
        found = _backfills(opened).list()
    listed = table("id", "kind", "from", "to", "order", "status", "done", "skipped")
    for each in found:
        done = f"{each.done:,} of {each.total:,}"
        sources = ", ".join(each.sources)
        skipped = _skipped(each)
        listed.add_row(each.name, each.kind, sources, each.target, each.order, each.status, done, skipped)
    show(as_json, [each.as_dict() for each in found], listed)


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
    with existing_store(store, artifacts) as opened:
        _tell(_backfills(opened).pause(name), as_json)


@backfill.command("resume")
def resume(
    name: NameArgument,
    sources: SourcesOption = None,
    gpus_per_worker: GpusOption = 0.0,
    detach: DetachOption = False,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with one that was paused, that failed, or whose process died.

    Example: [bold]holdfast backfill resume b1[/]
    """
    with existing_store(store, artifacts) as opened:
        found = _backfills(opened).get(name)
        roots = _roots(opened, found.kind, sources, detach)
        _refuse_idle_gpus(gpus_per_worker, found.workers, detach)
        _backfills(opened).resume(name)
        _see_through(opened, name, roots, gpus_per_worker, detach, as_json)


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
    with existing_store(store, artifacts) as opened:
        _tell(_backfills(opened).cancel(name), as_json)


def _backfills(store: "Store") -> "Backfills":
    from holdfast.backfill import Backfills

    return Backfills(store)


def _roots(store: "Store", kind: str, sources: Sequence[str] | None, detach: bool) -> tuple[str, ...]:
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
    from holdfast.cli.attending import has_writer

    if not detach and not has_writer(store):
        require_sources(kind, sources or ())
    return Sources.of(sources or ()).roots


def _refuse_idle_gpus(gpus: float, workers: int, detach: bool) -> None:
    if gpus and not workers:
        raise ConfigError("--gpus-per-worker is for workers of Ray's: give --workers as well.")
    if gpus and detach:
        raise ConfigError("--gpus-per-worker and --detach: a server embeds without GPUs. Leave one out.")


def _see_through(
    store: "Store", name: str, roots: Sequence[str], gpus: float, detach: bool, as_json: bool
) -> None:
    """Work on it, or watch whoever does, until it is over."""
    if not detach:
        from holdfast.cli.attending import attend

        try:
            attend(store, name, roots, gpus)
        except KeyboardInterrupt:
            with suppress(Exception):
                _backfills(store).pause(name)
            note(f"{name} is paused: holdfast backfill resume {name} goes on.")
            raise typer.Exit(INTERRUPTED) from None
    found = _backfills(store).get(name)
    _tell(found, as_json)
    if found.status == "failed":
        raise typer.Exit(1)


def _tell(found: "Backfill", as_json: bool) -> None:
    skipped = f"; skipped: {_skipped(found)}" if found.skipped else ""
    tell(
        as_json,
        found.as_dict(),
        f"{found.name} is {found.status}: {found.done:,} of {found.total:,} entries moved to "
        f"{found.target}{skipped}.",
        *(f"  {example}" for example in found.examples),
        *([f"  {found.error}"] if found.error is not None else []),
    )


def _skipped(found: "Backfill") -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in found.skipped.items())
