"""Where the figures of a shadow are kept: all processes that ask it add up."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, delete, insert, select, update

from holdfast.store.database import reading, shadows, writing
from holdfast.store.traffic.figures import ShadowFigures, Tally
from holdfast.store.traffic.record import Traffic, current_record, shadow_began


@dataclass(frozen=True)
class Shadowed:
    """A live version, its shadow, since when both are that, and what was found since."""

    live: str
    shadow: str
    share: float
    since: Traffic
    figures: ShadowFigures


class Shadows:
    """What shadows found. Figures count from the record on that made two versions a pair."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def current(self) -> Shadowed | None:
        """The pair of now with its figures; None while there is no shadow."""
        with reading(self._engine) as connection:
            return current_shadow(connection)

    def began(self) -> Traffic | None:
        """The record since which the pair of now is one."""
        with reading(self._engine) as connection:
            return shadow_began(connection)

    def put(self, since: Traffic, source: str, tally: Tally) -> None:
        """Keep what `source`, one process, found of the pair of a record, all of it: a repeated write changes
        nothing. What is left of earlier pairs goes."""
        key = (shadows.c.since == since.epoch) & (shadows.c.source == source)
        row = {
            "live": since.query_version,
            "shadow": since.shadow_version,
            "tally": tally.as_dict(),
            "updated_at": datetime.now(UTC),
        }
        with writing(self._engine) as connection:
            if not connection.execute(update(shadows).where(key).values(row)).rowcount:
                connection.execute(delete(shadows).where(shadows.c.since < since.epoch))
                connection.execute(insert(shadows).values(since=since.epoch, source=source, **row))


def current_shadow(connection: Connection) -> Shadowed | None:
    """See `Shadows.current`."""
    since = shadow_began(connection)
    if since is None or since.query_version is None or since.shadow_version is None:
        return None
    # By their names, too: a restored database hands out epochs again.
    mine = (
        (shadows.c.since == since.epoch)
        & (shadows.c.live == since.query_version)
        & (shadows.c.shadow == since.shadow_version)
    )
    found = select(shadows.c.tally).where(mine).order_by(shadows.c.updated_at)
    total = sum((Tally.of(each) for each in connection.execute(found).scalars()), Tally())
    share = current_record(connection).shadow_share
    return Shadowed(since.query_version, since.shadow_version, share, since, ShadowFigures.of(total))
