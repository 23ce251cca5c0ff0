"""`holdfast versions`, `promote` and `rollback`: which versions there are, and which of them answers."""

import getpass
import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from holdfast.base import ConfigError, HoldfastError, version_number
from holdfast.cli.options import STORE, ArtifactsOption, JsonOption, StoreOption, existing_store
from holdfast.cli.printing import note as say
from holdfast.cli.printing import show, table, tell

if TYPE_CHECKING:
    from holdfast.store import Store, Traffic


def versions(
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Run each, and see that it answers as when it was published; exit code 1 if not."
        ),
    ] = False,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the versions with their lineage and the galleries that each may search.

    Example: [bold]holdfast versions --json[/]
    """
    from holdfast.store import version_summary

    with existing_store(store, artifacts) as opened:
        found, measured, aliases = (
            opened.versions.list(),
            opened.compatibility.list(),
            opened.traffic.aliases(),
        )
        faults = {version.name: _fault(opened, version.name) for version in found} if check else {}
    spaces = {version.name: version.space for version in found}
    content = [version_summary(version, aliases, measured, spaces) for version in found]
    if check:
        content = [{**each, "fault": faults[each["id"]]} for each in content]
    listed = table("version", "kind", "parent", "run", "searches", "contract")
    for column in listed.columns:
        column.no_wrap = column.header != "run"
    for each in content:
        listed.add_row(
            f"{each['id']} {', '.join(each['aliases'])}".rstrip(),
            each["kind"],
            each["parent"] or "-",
            each["run"],
            _searched(
                [] if each["base"] else [each["id"]],
                # Entries for a projection are its base's.
                [r for r in each["searches"] if _may(r) and spaces[r["version"]] == r["version"]],
            ),
            each["contract"],
        )
    wrong = [f"{name}: {fault}" for name, fault in faults.items() if fault is not None]
    told = [] if not check else wrong or ["All of them answer as when they were published."]
    show(as_json, content, listed, *told)
    if wrong:
        raise typer.Exit(1)


def _fault(store: "Store", name: str) -> str | None:
    """Why a version does not answer as when it was published; None if it does."""
    try:
        store.versions.load(name).check()
    except HoldfastError as error:
        return str(error)
    return None


def _may(row: dict[str, Any]) -> bool:
    return bool(row["compatible"]) or row["way"] == "exact"


def _searched(own: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """The galleries that a version searches: a line for those that it searches one way."""
    by_way: dict[str, list[str]] = {"": []}
    for row in rows:
        ways = {"as_they_are": [], "cascade": [f"cascade of {row['candidates']}"]}
        notes = [*ways.get(row["way"], [row["way"]]), *(["provisional"] if row["provisional"] else [])]
        by_way.setdefault(f" ({', '.join(notes)})" if notes else "", []).append(str(row["version"]))
    by_way[""] += own
    return "\n".join(f"{_spans(names)}{notes}" for notes, names in by_way.items() if names)


def _spans(names: Sequence[str]) -> str:
    """`v1 to v4, v6`."""
    spans: list[list[str]] = []
    for name in sorted(names, key=version_number):
        if spans and version_number(name) == version_number(spans[-1][-1]) + 1:
            spans[-1].append(name)
        else:
            spans.append([name])
    return ", ".join(f"{each[0]} to {each[-1]}" if len(each) > 2 else ", ".join(each) for each in spans)


def promote(
    version: Annotated[str, typer.Argument(help="Version to promote, such as v3.")],
    writes: Annotated[
        bool, typer.Option("--writes", help="The second switch: it embeds new entries too.")
    ] = False,
    canary: Annotated[
        float | None, typer.Option(help="Only this share of the queries, such as 0.05.")
    ] = None,
    canary_key: Annotated[
        list[str] | None,
        typer.Option(help="Only the queries of this key, by its name; repeat it. With --canary, too."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Although compatibility was not measured or failed; recorded.")
    ] = False,
    note: Annotated[
        str, typer.Option("--note", "--why", help="Why; kept in the traffic record, with who and when.")
    ] = "",
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a version answer queries; with --writes, let it embed new entries as well.

    Running servers follow within a second. Throw the second switch only when you will not roll back, or when
    the old version may search the new one's entries too.

    Example: [bold]holdfast promote v3[/] and later [bold]holdfast promote v3 --writes[/]
    """
    with existing_store(store, artifacts) as opened:
        name, traffic = opened.versions.get(version).name, opened.traffic
        is_canary = canary is not None or bool(canary_key)
        if is_canary and writes:
            raise ConfigError(
                "--canary and --writes are two switches: a canary answers a share of the queries, and embeds "
                "no new entries. Take one of them."
            )
        if not is_canary:
            record = traffic.promote(name, writes=writes, force=force, note=note, made_by=_who())
        else:
            record = traffic.change(
                canary_version=name,
                canary_share=canary or 0.0,
                canary_keys=canary_key or (),
                force=force,
                note=note,
                made_by=_who(),
            )
        unknown = set(record.canary_keys) - {key.name for key in opened.keys.valid().values()}
        undecided = [
            row.gallery
            for row in opened.compatibility.list()
            if row.query == name != row.gallery and row.compatible and not row.decided
        ]
    _tell_traffic(record, as_json)
    if unknown and not as_json:
        say(f"The store has no valid key of the name {', '.join(sorted(unknown))} (holdfast keys list).")
    if undecided and not as_json:
        say(
            f"Whether {name} searches entries of {', '.join(undecided)} better than the older of the two by "
            "itself is within chance."
        )


def rollback(
    force: Annotated[
        bool, typer.Option("--force", help="Although entries may become unreachable; recorded.")
    ] = False,
    expect_epoch: Annotated[
        int | None, typer.Option(help="Only if the traffic is still at this epoch.")
    ] = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the previous traffic record back; once more goes one further back.

    Example: [bold]holdfast rollback[/]
    """
    with existing_store(store, artifacts) as opened:
        traffic = opened.traffic.rollback(expect_epoch, force=force, made_by=_who())
    _tell_traffic(traffic, as_json)


def traffic(
    limit: Annotated[int, typer.Option(help="The newest so many records.", min=1)] = 20,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List who changed which version answers, when, from what to what, and why; the newest first.

    Example: [bold]holdfast traffic[/]
    """
    with existing_store(store, artifacts) as opened:
        records = opened.traffic.history()
    shown = list(zip(records, [None, *records], strict=False))[::-1][:limit]
    listed = table("epoch", "when (UTC)", "who", "what", "why")
    for record, before in shown:
        when = f"{record.created_at:%Y-%m-%d %H:%M:%S}" if record.created_at else "-"
        forced = " (forced)" if record.forced else ""
        what = f"{_changed(before, record)}{forced}"
        listed.add_row(str(record.epoch), when, record.made_by or "-", what, escape(record.note))
    show(as_json, [vars(record) for record, _ in shown], listed if shown else "Nothing was promoted yet.")


def _changed(before: "Traffic | None", record: "Traffic") -> str:
    """From what to what, a line for each part."""
    rows = (
        ("queries", before and before.query_version, record.query_version),
        ("new entries", before and before.write_version, record.write_version),
        ("canary", before and _canary(before), _canary(record)),
    )
    changed = [f"{part}: {was or 'none'} to {now or 'none'}" for part, was, now in rows if was != now]
    return "\n".join(changed) or "nothing"


def _canary(record: "Traffic") -> str | None:
    if record.canary_version is None:
        return None
    keys = f", {', '.join(record.canary_keys)}" if record.canary_keys else ""
    return escape(f"{record.canary_version} ({record.canary_share:.0%}{keys})")


def _who() -> str:
    """This user of this machine, for the record; the operating system's word counts."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"{os.getuid()}@{socket.gethostname()}"


def _tell_traffic(traffic: "Traffic", as_json: bool) -> None:
    canary = ""
    if traffic.canary_version:
        keys = f" and those of {', '.join(traffic.canary_keys)}" if traffic.canary_keys else ""
        canary = f", {traffic.canary_share:.0%} of them{keys} by {traffic.canary_version}"
    forced = " (forced)" if traffic.forced else ""
    tell(
        as_json,
        vars(traffic),
        f"Epoch {traffic.epoch}: queries by {traffic.query_version}{canary}, "
        f"new entries by {traffic.write_version}{forced}.",
    )
