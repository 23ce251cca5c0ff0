"""`holdfast gallery ...`: what is in the shared gallery, and how it gets in and out."""

import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.base import ConfigError
from holdfast.cli.gallery.entries import count, delete, list_
from holdfast.cli.options import STORE, ArtifactsOption, JsonOption, StoreOption, existing_store
from holdfast.cli.printing import show, tell

if TYPE_CHECKING:
    from holdfast.entries import ForeignImport, Imported, Layout
    from holdfast.index import IndexSettings
    from holdfast.store import Store

gallery = typer.Typer(
    help="The shared gallery: import, export, push, list, count, delete, stats, verify.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
for name, verb in (("list", list_), ("count", count), ("delete", delete)):
    gallery.command(name)(verb)


@gallery.command("import")
def import_(
    origin: Annotated[
        str,
        typer.Argument(
            metavar="FROM",
            help="Parquet, Arrow or Feather file or a folder of them, .npy, FAISS index (faiss:FILE), "
            "lancedb:FOLDER/TABLE, postgresql://USER@HOST/DATABASE, qdrant:URL_OR_FOLDER/COLLECTION, "
            "milvus:URI_OR_FILE/COLLECTION.",
        ),
    ],
    version: Annotated[
        str | None,
        typer.Option(help="Version or alias whose vectors they are; else a Parquet file says it by column."),
    ] = None,
    made_by: Annotated[
        str | None,
        typer.Option(help="PROVIDER/MODEL of these vectors: --version is adopted, as vectors alone."),
    ] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Column of the ids; integers become text.")] = None,
    vector: Annotated[str | None, typer.Option(help="Column, or named vector.")] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Column of where the image lies, or a pattern: '/photos/{file}.jpg'."),
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(help="A column that becomes an attribute; repeat it. Default: all that can."),
    ] = None,
    ids: Annotated[
        Path | None,
        typer.Option(help="For .npy and FAISS: file of the ids, a row for each vector (.npy, .txt, table)."),
    ] = None,
    row_numbers: Annotated[
        bool, typer.Option("--row-numbers", help="For .npy and FAISS: the numbers of the rows are the ids.")
    ] = False,
    from_table: Annotated[str | None, typer.Option("--table", help="For PostgreSQL: the table.")] = None,
    query: Annotated[str | None, typer.Option(help="For PostgreSQL: a SELECT in place of a table.")] = None,
    normalize: Annotated[
        bool | None,
        typer.Option(
            "--normalize/--no-normalize",
            help="Scale vectors to norm 1, or refuse others. Default: scale those of a foreign version.",
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin again, where an earlier import had stopped.")
    ] = False,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the entries of a file or of another database into the gallery.

    With --version it takes any gallery, a portion at a time: what cannot be an entry is counted and named,
    and the same command goes on where a killed one has stopped. Without, it takes a Parquet file that names
    the version of each row, such as `holdfast embed` and `gallery export` write, whole or not at all. Further
    columns of strings, numbers and bools become attributes; those that cannot are named.

    Keys: PGPASSWORD, QDRANT_API_KEY, MILVUS_TOKEN. Refused while a server runs over this store, or somebody
    else writes to it.

    Example: [bold]holdfast gallery import photos.parquet --version clip --id key --vector emb[/]
    """
    from holdfast.cli.printing import import_bars
    from holdfast.entries import Entries, Layout, Lease, dimension_of, import_from, open_reader
    from holdfast.store import open_store

    layout = Layout(id_, vector, source, attribute or None, ids, row_numbers, from_table, query)
    opening = existing_store if made_by is None else open_store
    with opening(store, artifacts) as opened:
        entries = Entries(opened)
        done: Imported | ForeignImport
        if version is None:
            _refuse_without_version(layout, normalize, fresh, made_by)
            with Lease.take(opened) as lease, import_bars() as progress:
                done = entries.import_parquet(Path(origin), progress, lease.fence, layout.attributes)
        else:
            with (
                open_reader(origin, layout) as reader,
                Lease.take(opened) as lease,
                import_bars() as progress,
            ):
                if made_by is not None:
                    _adopt_vectors(opened, version, made_by, dimension_of(reader, layout))
                done = import_from(
                    entries,
                    reader,
                    layout,
                    version,
                    normalize=normalize,
                    fresh=fresh,
                    progress=progress,
                    fence=lease.fence,
                )
        seq = entries.last_seq()
    tell(
        as_json,
        {**done.as_dict(), "seq": seq},
        f"{done.said()}; the gallery is at sequence number {seq}.",
        *(f"  {remark}" for remark in done.remarks()),
    )
    if done.rows and not done.entries:
        raise typer.Exit(1)


def _adopt_vectors(store: "Store", name: str, made_by: str, dimension: int | None) -> None:
    from holdfast.models import Wishes
    from holdfast.runs import adopt_model, try_model

    with try_model(name, f"vectors:{made_by}", Wishes(dimension=dimension)) as candidate:
        adopt_model(store, candidate)


def _refuse_without_version(
    layout: "Layout", normalize: bool | None, fresh: bool, made_by: str | None
) -> None:
    """What is only for the galleries of others."""
    others = dataclasses.replace(layout, attributes=None)
    if others != type(layout)() or normalize is not None or fresh or made_by is not None:
        raise ConfigError(
            "Of these options only --attribute is for a file that names the version of each row: say with "
            "--version whose vectors they are."
        )


@gallery.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="Parquet file to write.")],
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write all entries, as they are at one moment, to a Parquet file.

    Example: [bold]holdfast gallery export backup.parquet[/]
    """
    from holdfast.entries import Entries

    with existing_store(store, artifacts) as opened:
        count = Entries(opened).export_parquet(file)
    tell(as_json, {"total": count, "file": str(file)}, f"{count:,} entries written to {file}.")


@gallery.command("push")
def push(
    to: Annotated[
        str,
        typer.Argument(
            metavar="TO",
            help="A .parquet or .npy file, postgresql://USER@HOST/DATABASE, qdrant:URL_OR_FOLDER/COLLECTION, "
            "lancedb:FOLDER/TABLE, milvus:URI_OR_FILE/COLLECTION.",
        ),
    ],
    version: Annotated[str, typer.Option(help="Version or alias whose vectors are written.")],
    vector: Annotated[
        str | None,
        typer.Option(help="Column or named vector that takes them; made if missing. Default: holdfast_V."),
    ] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Column of the ids there.")] = None,
    to_table: Annotated[str | None, typer.Option("--table", help="For PostgreSQL: the table.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin again, where an earlier push had stopped.")
    ] = False,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the vectors of a version into somebody else's database, beside those that are there, or a file.

    Entries of the version go as they are, those of other versions mapped by the adapter in force. The vectors
    go by id, into a second column or named vector: nothing else there is touched, and nothing here. The same
    command goes on where a killed one has stopped, and repeated it writes the same.

    Keys: PGPASSWORD, QDRANT_API_KEY, MILVUS_TOKEN.

    Example: [bold]holdfast gallery push postgresql://me@host/shop --table photos --version siglip[/]
    """
    from holdfast.backfill import push as write_vectors
    from holdfast.cli.printing import import_bars
    from holdfast.entries import Target, open_writer

    with existing_store(store, artifacts) as opened:
        found = opened.versions.get(version)
        target = Target(found.name, found.dimension, vector or f"holdfast_{found.name}", id_, to_table)
        with open_writer(to, target) as writer, import_bars() as progress:
            done = write_vectors(
                opened, writer, found.name, fresh, lambda at, count: progress("writing", at, count)
            )
            place = writer.place
    tell(
        as_json,
        {**done.as_dict(), "version": found.name, "place": place},
        f"{done.written:,} vectors of {found.name} written to {place}.",
        *(f"  {remark}" for remark in done.remarks()),
    )
    if not done.written:
        raise typer.Exit(1)


@gallery.command("stats")
def stats(
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count the entries by the version that embedded them.

    Example: [bold]holdfast gallery stats[/]
    """
    from holdfast.entries import Entries

    with existing_store(store, artifacts) as opened:
        entries = Entries(opened)
        by_version, seq = entries.count(), entries.last_seq()
    count = sum(by_version.values())
    show(
        as_json,
        {"entries": by_version, "total": count, "last_seq": seq},
        f"{count:,} entries at sequence number {seq}.",
        *(f"  {version}: {count:,}" for version, count in by_version.items()),
    )


@gallery.command("snapshot")
def snapshot(
    store: StoreOption = STORE, artifacts: ArtifactsOption = None, as_json: JsonOption = False
) -> None:
    """Write the index to disk, so that a server that starts need not build it.

    A server does so by itself whenever a tenth of a large gallery has changed.

    Example: [bold]holdfast gallery snapshot[/]
    """
    from holdfast.index import IndexConfig, open_index
    from holdfast.search import Gallery

    started = time.perf_counter()
    with existing_store(store, artifacts) as opened:
        searched = Gallery(opened, open_index(opened, IndexConfig()))
        searched.settle()
        written = searched.snapshot()
        stats = searched.stats()
    seconds, count = time.perf_counter() - started, sum(stats.entries.values())
    tell(
        as_json,
        {"seq": stats.applied_seq, "total": count, "written": written},
        f"The snapshot of write {stats.applied_seq} ({count:,} entries) "
        f"{'written' if written else 'is there already'}, in {seconds:.1f} s.",
    )


@gallery.command("verify")
def verify(
    config: Annotated[
        Path | None, typer.Option(help="The settings of the server, as for serve: which index it is.")
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            help="Address of a running server, whose index is asked for too; its key: HOLDFAST_API_KEY."
        ),
    ] = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every entry, and what is kept of the index against the entries. Exit code 1 if anything is wrong.

    Looked at are the snapshots as they lie on this machine's disk, or the collections in Milvus, if the
    settings say so; with --server also the index that a running server holds.

    Example: [bold]holdfast gallery verify[/]
    """
    from holdfast.cli.gallery.served_index import ask_server
    from holdfast.search import verify_store

    with existing_store(store, artifacts) as opened:
        report = verify_store(opened, _index_of(config, store))
    if server is not None:
        report = report.with_served(ask_server(server), server)
    show(
        as_json,
        {
            "ok": report.ok,
            "entries": report.by_version,
            "total": report.entries,
            "deleted": report.deleted,
            "last_seq": report.last_seq,
            "problem_count": report.problem_count,
            "problems": report.problems,
            "remarks": report.remarks,
        },
        f"{report.entries:,} entries, {report.deleted:,} deleted: {report.problem_count} problems.",
        *(f"  {line}" for line in (*report.problems, *report.remarks)),
    )
    if not report.ok:
        raise typer.Exit(1)


def _index_of(config: Path | None, store: str) -> "IndexSettings":
    from holdfast.base import load_settings
    from holdfast.index import IndexConfig

    if config is None:
        return IndexConfig()
    from holdfast_serving import ServingConfig

    return load_settings(ServingConfig, config, [f"store={json.dumps(store)}"]).index
