"""`holdfast promote`, `rollback` and `traffic`: which version answers, now and later, and who wants it so."""

import getpass
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from holdfast.base import ConfigError
from holdfast.cli.options import STORE, ArtifactsOption, JsonOption, StoreOption, existing_store
from holdfast.cli.printing import note as say
from holdfast.cli.printing import show, table, tell
from holdfast.cli.traffic.asked import parse_gate, parse_moment, parse_shares, parse_span, refuse_both
from holdfast.cli.traffic.told import (
    changes_between,
    show_schedule,
    show_shadow,
    tell_record,
    tell_scheduled,
    warnings_about,
)

if TYPE_CHECKING:
    from holdfast.store import Scheduled, ShadowGate, Store, Traffic


def promote(
    version: Annotated[str, typer.Argument(help="Version to promote, such as v3.")],
    writes: Annotated[
        bool, typer.Option("--writes", help="The second switch: it embeds new entries too.")
    ] = False,
    canary: Annotated[
        str | None,
        typer.Option(
            help="Only this share of the queries, such as 0.05; several, 0.01,0.1,0.5, one after the other "
            "(--every)."
        ),
    ] = None,
    canary_key: Annotated[
        list[str] | None,
        typer.Option(help="Only the queries of this key, by its name; repeat it. With --canary, too."),
    ] = None,
    every: Annotated[
        str | None, typer.Option(help="How long each share of --canary lasts: 30s, 10m, 6h, 1d.")
    ] = None,
    shadow: Annotated[
        float | None,
        typer.Option(help="Answer this share of the live queries once more, unseen; 0 ends it."),
    ] = None,
    require_shadow: Annotated[
        str | None,
        typer.Option(
            help="Only if it has shown so as the shadow: queries=1000,overlap=0.8,negative_flips=0.01,"
            "errors=0.01,latency_ratio=1.5, or some of these."
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Not now, but then, by the running server: 2026-12-01T03:00+01:00.")
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
    shares, span, gate = parse_shares(canary), parse_span(every), parse_gate(require_shadow)
    moment = None if at is None else parse_moment(at)
    is_canary = canary is not None or bool(canary_key)
    refuse_both(is_canary, writes, shadow, moment, gate, shares, span)
    with existing_store(store, artifacts) as opened:
        name, traffic = opened.versions.get(version).name, opened.traffic
        options: dict[str, Any] = {"force": force, "note": note, "made_by": _who()}
        record: Traffic | None = None
        scheduled: list[Scheduled] = []
        if shadow is not None:
            kept = {"shadow_version": name, "shadow_share": shadow} if shadow else {"shadow_version": None}
            record = traffic.change(**kept, **options)
        elif moment is not None or len(shares) > 1:
            record, scheduled = _later(
                opened, name, writes, shares, canary_key or (), moment, span, gate, options
            )
        elif is_canary:
            record = traffic.change(
                canary_version=name,
                canary_share=shares[0] if shares else 0.0,
                canary_keys=canary_key or (),
                require=gate,
                **options,
            )
        else:
            record = traffic.promote(name, writes=writes, require=gate, **options)
        notes = [] if record is None else warnings_about(opened, record, name)
    if scheduled:
        tell_scheduled(record, scheduled, as_json)
    elif record is not None:
        tell_record(record, as_json)
    for each in [] if as_json else notes:
        say(each)


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
    tell_record(traffic, as_json)


def traffic(
    limit: Annotated[int, typer.Option(help="The newest so many records.", min=1)] = 20,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="What the shadow found beside the live version, instead.")
    ] = False,
    schedule: Annotated[
        bool, typer.Option("--schedule", help="The changes that are to come, and what came of them, instead.")
    ] = False,
    cancel: Annotated[
        str | None, typer.Option(help="Take back a change that is to come, such as s3.")
    ] = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List who changed which version answers, when, from what to what, and why; the newest first.

    Example: [bold]holdfast traffic[/]
    """
    if shadow + schedule + (cancel is not None) > 1:
        raise ConfigError("--shadow, --schedule and --cancel are three questions: ask one of them.")
    with existing_store(store, artifacts) as opened:
        if shadow:
            show_shadow(opened.shadows.current(), as_json)
            return
        if cancel is not None:
            made = opened.schedules.cancel(cancel)
            tell(as_json, made.as_dict(), f"{made.name} is cancelled.")
            return
        if schedule:
            show_schedule(opened.schedules.all(), as_json)
            return
        records = opened.traffic.history()
    newest = list(zip(records, [None, *records], strict=False))[::-1][:limit]
    listed = table("epoch", "when (UTC)", "who", "what", "why")
    for record, before in newest:
        when = f"{record.created_at:%Y-%m-%d %H:%M:%S}" if record.created_at else "-"
        forced = " (forced)" if record.forced else ""
        what = f"{changes_between(before, record)}{forced}"
        listed.add_row(str(record.epoch), when, record.made_by or "-", what, escape(record.note))
    show(as_json, [vars(record) for record, _ in newest], listed if newest else "Nothing was promoted yet.")


def _later(
    store: "Store",
    name: str,
    writes: bool,
    shares: Sequence[float],
    keys: Sequence[str],
    moment: datetime | None,
    span: timedelta | None,
    gate: "ShadowGate | None",
    options: dict[str, Any],
) -> "tuple[Traffic | None, list[Scheduled]]":
    """What is changed now, if anything is, and what at its moment."""
    from holdfast.store import Step, ramp

    besides: dict[str, Any] = {}
    if options["force"]:
        besides["force"] = True
    if gate is not None:
        besides["require"] = gate.model_dump(exclude_none=True)
    begin = moment or datetime.now(UTC)
    if shares or keys:
        changes = {**besides, "canary_keys": list(keys)}
        seconds = span.total_seconds() if span is not None else 0.0
        steps = ramp(begin, name, shares or [0.0], seconds, changes)
    else:
        changes = {**besides, "query_version": name}
        if writes or store.traffic.current().write_version is None:
            changes["write_version"] = store.versions.get(name).space
        steps = [Step(begin, changes)]
    record = None
    if moment is None:
        record = store.traffic.change(
            canary_version=name, canary_share=shares[0], canary_keys=keys, require=gate, **options
        )
        steps = steps[1:]
    return record, store.schedules.add(steps, why=options["note"], made_by=options["made_by"])


def _who() -> str:
    """This user of this machine, for the record; the operating system's word counts."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"{os.getuid()}@{socket.gethostname()}"
