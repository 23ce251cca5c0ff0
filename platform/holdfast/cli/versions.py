"""`holdfast versions` and `retire`: which versions there are, what each may search, and which are to go."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.base import ConfigError, HoldfastError, version_number
from holdfast.cli.options import STORE, ArtifactsOption, JsonOption, StoreOption, existing_store
from holdfast.cli.printing import note, show, table, tell

if TYPE_CHECKING:
    from holdfast.store import Store


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


def retire(
    version: Annotated[str, typer.Argument(help="Version that is to go, such as v2.")],
    yes: Annotated[bool, typer.Option("--yes", help="Retire it without a question.")] = False,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a version out of use for good and remove its weights: nothing can be embedded by it again.

    Refused while it is needed: by traffic, by entries of its own, as the base of a projection, by a run or a
    backfill. What was measured stays in the database, and its name is never given again. Running servers
    follow within a second.

    Example: [bold]holdfast retire v1[/]
    """
    with existing_store(store, artifacts) as opened:
        found = opened.versions.get(version)
        if not yes:
            _ask(found.name)
        retired = opened.versions.retire(found.name)
    assert retired.retired_at is not None
    tell(
        as_json,
        {"id": retired.name, "deleted": True, "retired_at": retired.retired_at.isoformat()},
        f"{retired.name} is retired, and its weights are removed.",
    )


def _ask(name: str) -> None:
    """Raises ConfigError where nobody can be asked, Exit for a no."""
    if not sys.stdin.isatty():
        raise ConfigError(f"The weights of {name} would be removed: say --yes, as nobody can be asked here.")
    if not typer.confirm(f"Remove the weights of {name} for good?", err=True):
        note("Nothing was removed.")
        raise typer.Exit(0)


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
