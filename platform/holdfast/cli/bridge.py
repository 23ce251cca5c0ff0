"""`holdfast bridge`: what an upgrade from one version to another is worth, and by which way."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from holdfast.cli.options import STORE, ArtifactsOption, JsonOption, StoreOption, existing_store
from holdfast.cli.printing import note, table, tell

if TYPE_CHECKING:
    from holdfast.evaluation import Verdict
    from holdfast.store import Store

_MARKS = {"compatible": "[green]✓[/]", "undecided": "[yellow]≈[/]", "incompatible": "[red]✗[/]", "": ""}


def bridge(
    old: Annotated[str, typer.Argument(help="Version whose entries fill the gallery.")],
    new: Annotated[str, typer.Argument(help="Version that is to search them.")],
    sample: Annotated[int, typer.Option(help="Pairs that the map between the two is fitted on.")] = 300,
    measure: Annotated[int, typer.Option(help="Entries, others, that it is measured on, at most.")] = 1000,
    views: Annotated[
        int, typer.Option(help="Views of each image of the sample, embedded by both, for the map.")
    ] = 4,
    sources: Annotated[
        list[str] | None,
        typer.Option("--sources", help="Folder or URL prefix whose images may be read. Repeatable."),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            help="Images in place of those of entries: parquet:PATH or folder:PATH; ids are entries'."
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Vectors in place of images: Parquet with id and vector (NEW's), or old and new."),
    ] = None,
    labels: Annotated[str | None, typer.Option(help="Attribute of the entries that is their class.")] = None,
    relevance: Annotated[
        Path | None, typer.Option(help="Relevance pairs: query, entry, grade; Parquet or CSV.")
    ] = None,
    queries: Annotated[
        str | None, typer.Option(help="Images that ask: parquet:PATH or folder:PATH; else entries do.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Which images are drawn.")] = 0,
    promote: Annotated[
        bool, typer.Option("--promote", help="Let the new version answer queries, if a way was found.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --promote: although it is provisional; recorded.")
    ] = False,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure what an upgrade is worth, and by which way the new version may search the old one's entries.

    Embeds a sample of the gallery by both, fits a map between the two spaces, and compares, on other entries:
    leaving things alone, the map, a cascade that ranks some candidates by their images, and embedding the
    whole gallery anew; with labels also the old version with a projection learned over it. What holds is
    recorded, and searches use it. Without labels and relevance pairs the verdict rests on distorted views of
    the same images, and is provisional.

    Example: [bold]holdfast bridge clip siglip --sources photos --labels product[/]
    """
    from holdfast.backfill import Sources
    from holdfast.cli.printing import ProgressView
    from holdfast.publishing import BridgeRequest
    from holdfast.runs import build_bridge

    request = BridgeRequest(
        sample=sample,
        measure=measure,
        sources=Sources.of(sources or ()),
        images=images,
        pairs=pairs,
        labels=labels,
        relevance=relevance,
        queries=queries,
        views=views,
        seed=seed,
    )
    with existing_store(store, artifacts) as opened, ProgressView() as view:
        made = build_bridge(opened, old, new, request, view)
        tell(as_json, made.as_dict(), *_said(made.verdict), f"The verdict: {made.page}")
        if promote:
            _promote(opened, made.verdict, force)


def _promote(store: "Store", verdict: "Verdict", force: bool) -> None:
    """Exit code 1 where no way was found: what leaves things as they are is no mistake of the user's."""
    new, old = verdict.new.version, verdict.old.version
    measured = store.compatibility.get(new, old)
    if measured is None or not measured.compatible:
        note(f"{new} was not promoted: by no way that was measured does it search better than {old}.")
        raise typer.Exit(1)
    traffic = store.traffic.promote(new, force=force, note=f"bridge from {old}")
    note(f"Epoch {traffic.epoch}: queries by {new}, new entries by {traffic.write_version}.")


def _said(verdict: "Verdict") -> Iterator[str | Table]:
    from holdfast.evaluation import rows_of

    provisional = ", provisional" if verdict.provisional else ""
    yield (
        f"Recall@1 of {verdict.measured['queries']:,} queries among {verdict.measured['entries']:,} entries, "
        f"by {verdict.truth}{provisional}; ✓ better than the status quo, ✗ worse, ≈ within chance:"
    )
    shown = table()
    shown.add_column("way", no_wrap=True)
    for column in ("R@1", "against it", "images to embed", "ms"):
        shown.add_column(column, justify="right", no_wrap=True)
    for row in rows_of(verdict.lines):
        interval = row.interval.replace("+", "")
        against = f"{row.difference} ({interval}) {_MARKS[row.mark]}".rstrip() if row.difference else ""
        work = ", ".join(part for part in (row.images, row.seconds) if part)
        shown.add_row(row.way, row.value, against, work, row.milliseconds)
    yield shown
    yield from verdict.notes
    for reason, count in verdict.left_out.items():
        yield f"{count:,} left out: {reason}."
    yield verdict.advice.sentence
