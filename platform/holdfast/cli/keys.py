"""`holdfast keys ...`: who may ask a server, by name."""

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.base import ConfigError
from holdfast.cli.options import STORE, ArtifactsOption, JsonOption, StoreOption, existing_store
from holdfast.cli.printing import note, show, table, tell, write_json

if TYPE_CHECKING:
    from holdfast.store import Key, Role

keys = typer.Typer(
    help="The keys of a server: create, list, revoke.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
_SPAN = re.compile(r"(?P<count>\d{1,9})(?P<unit>[mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, or what for.")],
    role: Annotated[
        str, typer.Option(help="read embeds and searches, write also changes entries, admin also traffic.")
    ] = "read",
    expires: Annotated[
        str | None,
        typer.Option(help="From when on it opens nothing: 90d, 12h, 30m, 2027-01-31 (UTC). Default: never."),
    ] = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. Its secret is printed now and never again: the store keeps a hash.

    A running server takes it at once, unless HOLDFAST_API_KEYS told the server its keys.

    Example: [bold]holdfast keys create shop --role read --expires 90d[/]
    """
    until = None if expires is None else _moment(expires, datetime.now(UTC))
    with existing_store(store, artifacts) as opened:
        secret = opened.keys.create(_role(role), name, until)
    if as_json:
        write_json({"name": name, "role": role, "expires_at": until, "secret": secret})
        return
    end = f"until {until:%Y-%m-%d %H:%M} UTC" if until is not None else "until it is revoked"
    note(f"The key {name}, role {role}, {end}; it is shown only now:")
    sys.stdout.write(f"{secret}\n")


@keys.command("list")
def list_(store: StoreOption = STORE, artifacts: ArtifactsOption = None, as_json: JsonOption = False) -> None:
    """List all keys that there ever were, by name. Secrets are not kept, so none is shown.

    Example: [bold]holdfast keys list[/]
    """
    with existing_store(store, artifacts) as opened:
        found = opened.keys.list()
    content = [_content(key) for key in found]
    listed = table("name", "role", "state", "created", "expires", "id")
    for each in content:
        listed.add_row(
            each["name"], each["role"], each["state"], _day(each["created_at"]), _day(each["expires_at"]),
            each["id"],
        )  # fmt: skip
    show(as_json, content, listed if found else "There are no keys; the first start of a server makes one.")


@keys.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="Name or id, as holdfast keys list shows it.")],
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key invalid for ever. Running servers refuse it within seconds.

    Example: [bold]holdfast keys revoke shop[/]
    """
    with existing_store(store, artifacts) as opened:
        revoked = opened.keys.revoke_named(name)
    tell(as_json, _content(revoked), f"The key {revoked.name} opens nothing any more.")


def _role(text: str) -> "Role":
    from holdfast.store import ROLES

    for role in ROLES:
        if text == role:
            return role
    raise ConfigError(f"--role {text!r} is no role of a key: choose one of {', '.join(ROLES)}.")


def _moment(text: str, now: datetime) -> datetime:
    """When a key ends. Raises ConfigError."""
    span = _SPAN.fullmatch(text)
    try:
        if span is not None:
            return now + timedelta(**{_UNITS[span["unit"]]: int(span["count"])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"--expires {text!r} is no time: write 90d, 12h or 30m from now, or a date such as 2027-01-31."
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _content(key: "Key") -> dict[str, Any]:
    return {**vars(key), "state": key.state(datetime.now(UTC))}


def _day(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
