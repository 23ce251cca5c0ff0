"""What a source holds and does not use: counted by reason, and named."""

from collections.abc import Iterable

from holdfast.data.sources.table import some

NAMED = 3
REASONS = 8


class PassedOver:
    """A tally of what was given and is not used."""

    def __init__(self) -> None:
        self._by_reason: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        """`reason` follows a count, as in "2 dead links": `dead links`, `.heic`, `without suffix`."""
        self._by_reason.setdefault(reason, []).append(name)

    def notes(self, where: str) -> tuple[str, ...]:
        """One sentence, or none where nothing was passed over. `where` is how it names the source."""
        return (f"{where}: passed over {self.counted()}.",) if self._by_reason else ()

    def counted(self) -> str:
        """How many for which reason, the commonest first, and a few names of each."""
        counted = sorted(self._by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
        parts = [f"{len(names)} {reason} ({named(names)})" for reason, names in counted[:REASONS]]
        rest = [name for _, names in counted[REASONS:] for name in names]
        if rest:
            parts.append(f"{len(rest)} others ({named(rest)})")
        return ", ".join(parts)


def named(names: Iterable[object]) -> str:
    """The first few names on one line, whatever characters they have."""
    return some((str(name).replace("\n", "\\n") for name in names), NAMED)
