"""One record of the traffic, and the aliases that the newest one gives."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from holdfast.store.database import traffic


@dataclass(frozen=True)
class Traffic:
    """One record. Epoch 0 is the state before the first record: nothing is served."""

    epoch: int = 0
    query_version: str | None = None
    write_version: str | None = None
    canary_version: str | None = None
    canary_share: float = 0.0
    forced: bool = False
    note: str = ""
    created_at: datetime | None = None
    made_by: str = ""
    """The name of a key, or a user of a machine; empty where nobody said."""
    canary_keys: tuple[str, ...] = ()
    """Names of keys whose queries all go to the canary, whatever its share."""
    shadow_version: str | None = None
    """Answers queries beside the query version, unseen; never that one itself."""
    shadow_share: float = 1.0

    @property
    def versions(self) -> tuple[str | None, str | None, str | None, float, tuple[str, ...]]:
        """What a rollback brings back: all that users can see."""
        return (
            self.query_version, self.write_version, self.canary_version, self.canary_share, self.canary_keys
        )  # fmt: skip


def aliases(connection: Connection) -> dict[str, str]:
    """`live`, `canary`, `shadow`, `writing`, `previous`: those that stand for a version now.

    No alias looks like a version's name, so none can shadow a version.
    """
    history = all_records(connection)
    if not history:
        return {}
    current = history[-1]
    earlier = [record.query_version for record in history if record.query_version != current.query_version]
    named = {
        "live": current.query_version,
        "canary": current.canary_version,
        "shadow": current.shadow_version,
        "writing": current.write_version,
        "previous": next((name for name in reversed(earlier) if name is not None), None),
    }
    return {alias: name for alias, name in named.items() if name is not None}


def all_records(connection: Connection) -> list[Traffic]:
    return [_record(row) for row in connection.execute(select(traffic).order_by(traffic.c.epoch))]


def shadow_began(connection: Connection) -> Traffic | None:
    """The first record of the live version and the shadow of now; None where there is no shadow."""
    history = all_records(connection)
    if not history or history[-1].shadow_version is None:
        return None
    pair = (history[-1].query_version, history[-1].shadow_version)
    began = history[-1]
    for record in reversed(history):
        if (record.query_version, record.shadow_version) != pair:
            break
        began = record
    return began


def current_record(connection: Connection) -> Traffic:
    row = connection.execute(select(traffic).order_by(traffic.c.epoch.desc()).limit(1)).first()
    return Traffic() if row is None else _record(row)


def _record(row: Any) -> Traffic:
    return Traffic(**{**row._mapping, "canary_keys": tuple(row.canary_keys)})
