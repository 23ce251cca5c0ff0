"""`holdfast gallery list`, `count` and `delete`: entries by what they hold."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from holdfast.base import ConfigError, shown
from holdfast.cli.options import STORE, ArtifactsOption, JsonOption, StoreOption, existing_store
from holdfast.cli.printing import note, show, table, tell

if TYPE_CHECKING:
    from holdfast.entries import Entry, Matching
    from holdfast.store import Store

FilterOption = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="JSON",
        help='What their attributes hold, as HTTP takes it: \'{"label": "cup", "price": {"lt": 5}}\'.',
    ),
]
VersionOption = Annotated[
    list[str] | None, typer.Option("--version", help="Version or alias that embedded them. Repeatable.")
]


def list_(
    filter_: FilterOption = None,
    version: VersionOption = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    after: Annotated[
        str | None, typer.Option(help="Begin behind this id, as the end of the list before says.")
    ] = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List entries in the order of their ids, without their vectors.

    Example: [bold]holdfast gallery list --filter '{"label":"cup"}' --limit 5[/]
    """
    from holdfast.entries import Entries

    with existing_store(store, artifacts) as opened:
        page = Entries(opened).page(_matching(opened, filter_, version), after, limit)
    listed = table("id", "embedded by", "attributes", "source")
    for entry in page.entries:
        listed.add_row(
            Text(entry.id),
            entry.version,
            Text(", ".join(f"{key}: {shown(value)}" for key, value in entry.attributes.items())),
            Text(entry.source or ""),
        )
    more = [] if page.next is None else [f"There are more: --after {shown(page.next)}"]
    content = {"entries": [_content(entry) for entry in page.entries], "next": page.next}
    show(as_json, content, listed if page.entries else "There are none.", *more)


def count(
    filter_: FilterOption = None,
    version: VersionOption = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count the entries that match.

    Example: [bold]holdfast gallery count --filter '{"label":"cup"}' --version live[/]
    """
    from holdfast.entries import Entries

    with existing_store(store, artifacts) as opened:
        found = Entries(opened).count_matching(_matching(opened, filter_, version))
    show(as_json, {"count": found}, f"{_entries(found)}.")


def delete(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of the entries.", show_default=False)] = None,
    filter_: FilterOption = None,
    version: VersionOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without a question.")] = False,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete entries: those of the ids that are given, or all that match.

    Says first how many these are, and asks. Refused while a server runs over this store, or somebody else
    writes to it.

    Example: [bold]holdfast gallery delete --filter '{"label":"cup"}' --yes[/]
    """
    from holdfast.entries import Delete, Entries, Lease

    if bool(ids) == (filter_ is not None or bool(version)):
        raise ConfigError("Say what goes: ids, or else --filter or --version (--filter '{}' is all entries).")
    with existing_store(store, artifacts) as opened:
        entries, wanted = Entries(opened), _matching(opened, filter_, version)
        there = [entry.id for entry in entries.get_many(ids or ())]
        found = len(there) if ids else entries.count_matching(wanted)
        missing = [each for each in dict.fromkeys(ids or ()) if each not in set(there)]
        if found and not yes:
            _ask(found, sum(entries.count().values()))
        gone = 0
        if found:
            with Lease.take(opened) as lease:
                if ids:
                    entries.submit(Delete(there), lease.fence)
                gone = found if ids else entries.delete_matching(wanted, lease.fence)
        seq = entries.last_seq()
    tell(
        as_json,
        {"deleted": gone, "missing": missing, "seq": seq},
        f"{_entries(gone)} deleted; the gallery is at sequence number {seq}.",
        *([f"  There is no entry {', '.join(map(shown, missing))}."] if missing else []),
    )


def _matching(store: "Store", filter_: str | None, versions: Sequence[str] | None) -> "Matching":
    """Raises ConfigError for what is no JSON, InvalidFilterError, NotFoundError for an unknown version."""
    from holdfast.entries import Matching
    from holdfast.filters import parse_filter

    try:
        allowed = None if filter_ is None else json.loads(filter_)
    except ValueError as error:
        raise ConfigError(
            f"--filter {shown(filter_)} is no JSON: {error}. In a shell it stands in single quotes, as "
            '\'{"label": "cup"}\'.'
        ) from error
    names = [store.versions.get(name).name for name in versions or ()]
    return Matching(parse_filter(allowed), tuple(dict.fromkeys(names)) or None)


def _ask(found: int, total: int) -> None:
    """Raises ConfigError where nobody can be asked, Exit for a no."""
    if not sys.stdin.isatty():
        raise ConfigError(
            f"{_entries(found)} of {total:,} would be deleted: say --yes, as nobody can be asked here."
        )
    if not typer.confirm(f"Delete {_entries(found)} of {total:,}?", err=True):
        note("Nothing was deleted.")
        raise typer.Exit(0)


def _entries(count: int) -> str:
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


def _content(entry: "Entry") -> dict[str, Any]:
    """As `GET /v1/gallery/entries` has it."""
    return {
        "id": entry.id,
        "embedded_by": entry.version,
        "attributes": dict(entry.attributes),
        "source": entry.source,
        "seq": entry.seq,
        "mapped_from": entry.mapped_from,
        "mapped_by": entry.mapped_by,
    }
