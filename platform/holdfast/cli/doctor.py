"""`holdfast doctor`: what is wrong, and what to do."""

from typing import Annotated

import typer

from holdfast.cli.options import STORE, ArtifactsOption, JsonOption, StoreOption
from holdfast.cli.printing import show, table

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_WRONG = 1


def doctor(
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    server: Annotated[
        str, typer.Option("--server", help="Address of the server that is meant.")
    ] = "http://127.0.0.1:8000",
    every: Annotated[
        bool, typer.Option("--all", help="Show what is well, too, with what was found there.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say in one screen what is wrong with this machine, store, gallery, server or cluster, and what to do.

    Changes nothing, migrates nothing, and shows no key and no password. Exit code 1 if something fails; what
    only warns leaves it at 0. What cannot be looked at before something else is mended is named at the end.

    Example: [bold]holdfast doctor[/]
    """
    from rich.markup import escape

    from holdfast.doctor import Patient, examine

    found = examine(Patient(store, artifacts, server))
    listed = table("check", "", "what was found, and what to do")
    for each in found.findings:
        if every or each.verdict != "ok":
            listed.add_row(each.name, f"[{_STYLES[each.verdict]}]{each.verdict}[/]", escape(each.sentence))
    for column in listed.columns[:2]:
        column.no_wrap = True
    well = [each.name for each in found.findings if each.verdict == "ok"]
    said = [f"Well: {', '.join(well)}."] if well and not every else []
    if found.left_out:
        said.append(f"Not looked at until the database is open: {', '.join(found.left_out)}.")
    show(as_json, found.as_dict(), *([listed] if listed.rows else []), *said)
    if found.worst == "fail":
        raise typer.Exit(_WRONG)
