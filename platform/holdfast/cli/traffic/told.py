"""How the traffic is told: records, what is to come, and what a shadow found."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from holdfast.cli.printing import note as say
from holdfast.cli.printing import show, table, tell, write_json

if TYPE_CHECKING:
    from holdfast.store import Figure, Scheduled, Shadowed, Store, Traffic


def warnings_about(store: "Store", record: "Traffic", name: str) -> list[str]:
    unknown = set(record.canary_keys) - {key.name for key in store.keys.valid().values()}
    rows = [row for row in store.compatibility.list() if row.query == name != row.gallery and row.compatible]
    undecided = [row.gallery for row in rows if not row.decided]
    cascades = [row.gallery for row in rows if row.candidates]
    said = []
    if unknown:
        said.append(
            f"The store has no valid key of the name {', '.join(sorted(unknown))} (holdfast keys list)."
        )
    if undecided:
        said.append(
            f"Whether {name} searches entries of {', '.join(undecided)} better than the older of the two by "
            "itself is within chance."
        )
    if cascades:
        said.append(
            f"{name} searches entries of {', '.join(cascades)} in a cascade alone: a server leaves them out "
            "unless it is told where their images lie (--sources)."
        )
    return said


def changes_between(before: "Traffic | None", record: "Traffic") -> str:
    """From what to what, a line for each part."""
    rows = (
        ("queries", before and before.query_version, record.query_version),
        ("new entries", before and before.write_version, record.write_version),
        ("canary", before and _canary(before), _canary(record)),
        ("shadow", before and _shadow(before), _shadow(record)),
    )
    changed = [f"{part}: {was or 'none'} to {now or 'none'}" for part, was, now in rows if was != now]
    return "\n".join(changed) or "nothing"


def _canary(record: "Traffic") -> str | None:
    if record.canary_version is None:
        return None
    keys = f", {', '.join(record.canary_keys)}" if record.canary_keys else ""
    return escape(f"{record.canary_version} ({record.canary_share:.0%}{keys})")


def _shadow(record: "Traffic") -> str | None:
    if record.shadow_version is None:
        return None
    return f"{record.shadow_version} ({record.shadow_share:.0%})"


def tell_record(traffic: "Traffic", as_json: bool) -> None:
    tell(as_json, vars(traffic), _sentence(traffic))


def _sentence(traffic: "Traffic") -> str:
    canary = shadow = ""
    if traffic.canary_version:
        keys = f" and those of {', '.join(traffic.canary_keys)}" if traffic.canary_keys else ""
        canary = f", {traffic.canary_share:.0%} of them{keys} by {traffic.canary_version}"
    if traffic.shadow_version:
        shadow = f", {traffic.shadow_share:.0%} of them once more by {traffic.shadow_version}, unseen"
    forced = " (forced)" if traffic.forced else ""
    return (
        f"Epoch {traffic.epoch}: queries by {traffic.query_version}{canary}{shadow}, "
        f"new entries by {traffic.write_version}{forced}."
    )


def tell_scheduled(record: "Traffic | None", scheduled: "Sequence[Scheduled]", as_json: bool) -> None:
    if as_json:
        write_json({"record": record and vars(record), "scheduled": [each.as_dict() for each in scheduled]})
        return
    if record is not None:
        say(_sentence(record))
    for each in scheduled:
        say(f"{each.name}, {each.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC: {_wanted(each)}.")
    say("A running server makes them (holdfast traffic --schedule; --cancel takes back).")


def _wanted(item: "Scheduled") -> str:
    return ", ".join(f"{name} {_plain(value)}" for name, value in item.changes.items() if value != [])


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={_plain(each)}" for name, each in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def show_schedule(found: "Sequence[Scheduled]", as_json: bool) -> None:
    listed = table("change", "when (UTC)", "who", "what", "status", "why")
    for each in found:
        status = each.status if each.epoch is None else f"{each.status}: epoch {each.epoch}"
        told = f"{status}: {each.error}" if each.error else status
        when = f"{each.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        what, why = escape(_wanted(each)), escape(each.why)
        listed.add_row(each.name, when, each.made_by or "-", what, escape(told), why)
    show(as_json, [each.as_dict() for each in found], listed if found else "Nothing is scheduled.")


def show_shadow(found: "Shadowed | None", as_json: bool) -> None:
    if found is None:
        tell(as_json, None, "There is no shadow (holdfast promote VERSION --shadow 1).")
        return
    figures = found.figures
    content = {
        "live": found.live, "shadow": found.shadow, "share": found.share, "since": found.since.created_at,
        "epoch": found.since.epoch, **asdict(figures),
    }  # fmt: skip
    listed = table("figure", "value", "95 % interval")
    listed.add_row("queries that both answered", f"{figures.queries:,}", "")
    for name, figure in (
        ("overlap of the first ten hits", figures.overlap),
        (f"negative flips, of {figures.judged:,} judged", figures.negative_flips),
        (f"positive flips, of {figures.judged:,} judged", figures.positive_flips),
        (f"errors ({figures.failed:,})", figures.errors),
        (f"latency, {found.shadow} by {found.live}", figures.latency_ratio),
    ):
        listed.add_row(name, *_cells(figure))
    for name, seconds in ((found.live, figures.live_seconds), (found.shadow, figures.shadow_seconds)):
        if seconds is not None:
            told = " / ".join(f"{1000 * each:.1f}" for each in (seconds.p50, seconds.p95, seconds.p99))
            listed.add_row(f"{name}: p50 / p95 / p99", f"{told} ms", "")
    left_out = f"{figures.dropped:,} / {figures.not_comparable:,}"
    listed.add_row("not compared: dropped / not comparable", left_out, "")
    since = f"since epoch {found.since.epoch}"
    lines = [f"{found.shadow} beside {found.live}, {found.share:.0%} of its queries, {since}."]
    if figures.last_error:
        lines.append(f"The last error: {figures.last_error}")
    show(as_json, content, listed, *lines)


def _cells(figure: "Figure | None") -> tuple[str, str]:
    if figure is None:
        return "not known yet", ""
    return f"{figure.value:.4g}", f"{figure.low:.4g} to {figure.high:.4g}"
