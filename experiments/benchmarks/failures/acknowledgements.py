"""What was asked of writers, what they acknowledged, and whether a gallery and its answers agree with that.

Writes are asked for one after the other and are committed in this order, so at any moment a gallery has to be
what some first part of them makes of an empty one: at least all that were acknowledged, and nothing else.
Numbers are given row by row, but deletes that follow each other may have shared a transaction: then it is not
said which tombstone has which of their numbers, and all of them are acknowledged with the last one.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

Seen = tuple[str, str, int]
"""An entry as somebody sees it: id, version, the number of the write that it came with."""


@dataclass(frozen=True)
class Write:
    """One request; its entries carry its number.

    Args:
        puts: pairs (id, version), each id once.
        gone: ids to delete, each once; a write either puts or deletes.
    """

    number: int
    puts: tuple[tuple[str, str], ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "upsert" if self.puts else "delete"


@dataclass(frozen=True)
class Row:
    """A row of the entries; `version` and `write` are None where it was deleted."""

    id: str
    seq: int
    version: str | None = None
    write: int | None = None


@dataclass(frozen=True)
class Answer:
    """What a search over everything returned that was to include all up to number `min_seq`."""

    min_seq: int
    seq: int
    entries: tuple[Seen, ...]


@dataclass
class _Held:
    """What a row has to be; its number is one of first..last. Tombstones of neighbours are one object."""

    first: int
    last: int
    version: str | None = None
    write: int | None = None


@dataclass
class Log:
    """Kept by whoever asks.

    Attributes:
        seq: the number up to which all is settled.
        acknowledged, unacknowledged: how many of the settled writes were and were not, the latter being
            those that are there all the same; absent: how many writes are not there, none acknowledged.
        checked: answers that were compared.
    """

    seq: int = 0
    acknowledged: int = 0
    unacknowledged: int = 0
    absent: int = 0
    checked: int = 0
    _rows: dict[str, _Held] = field(default_factory=dict)
    _deleting: _Held | None = None
    _asked: list[Write] = field(default_factory=list)
    _numbers: dict[int, int] = field(default_factory=dict)
    _answers: list[Answer] = field(default_factory=list)

    @property
    def promised(self) -> int:
        """The number up to which an answer may be asked to go."""
        return max(self.seq, *self._numbers.values(), 0)

    def asks(self, write: Write) -> None:
        self._asked.append(write)

    def acknowledges(self, write: int, seq: int) -> None:
        self._numbers[write] = seq

    def answers(self, answer: Answer) -> None:
        self._answers.append(answer)

    def settle(self, rows: Sequence[Row], last_seq: int) -> list[str]:
        """Compare everything since the last time, while nobody writes; returns a sentence for each violation.

        Args:
            rows: of the entries, tombstones included.
            last_seq: the number that the database says it has given last.
        """
        problems: list[str] = []
        waiting: dict[int, list[Answer]] = {}
        for answer in self._answers:
            waiting.setdefault(answer.seq, []).append(answer)
        problems += self._check_answers(waiting.pop(self.seq, []))
        asked, applied = deque(self._asked), []
        self._deleting = None
        while asked and self.seq + self._takes(asked[0]) <= last_seq:
            write = asked.popleft()
            applied.append((write, self.seq + self._takes(write), self._apply(write)))
            problems += self._check_answers(waiting.pop(self.seq, []))
        for write, last, held in applied:
            problems += self._check_acknowledgement(write, last, held)
        for write in asked:
            if write.number in self._numbers:
                problems.append(
                    f"Lost: {write.kind} {write.number} was acknowledged as number "
                    f"{self._numbers[write.number]}, but the gallery ends at {last_seq} without it."
                )
        self.absent += len(asked)
        if self.seq != last_seq:
            problems.append(
                f"The gallery is at number {last_seq}, where no write ends: after {self.seq} there is a part "
                "of one, or something twice."
            )
        for seq, answers in sorted(waiting.items()):
            problems += [f"An answer said it saw number {seq}, where no write ends." for _ in answers]
        problems += self._check_rows(rows)
        self.checked += len(self._answers)
        self._asked, self._answers, self._numbers = [], [], {}
        return problems

    def _takes(self, write: Write) -> int:
        """How many numbers a write takes now."""
        return len(write.puts) or len(self._present(write))

    def _present(self, write: Write) -> list[str]:
        return [name for name in write.gone if name in self._rows and self._rows[name].version is not None]

    def _apply(self, write: Write) -> _Held:
        """Returns what the last of its rows has become."""
        if write.puts:
            self._deleting = None
            for name, version in write.puts:
                self.seq += 1
                self._rows[name] = held = _Held(self.seq, self.seq, version, write.number)
            return held
        if self._deleting is None:
            self._deleting = _Held(self.seq + 1, self.seq)
        present = self._present(write)
        self.seq += len(present)
        self._deleting.last = self.seq
        self._rows |= dict.fromkeys(present, self._deleting)
        return self._deleting

    def _check_acknowledgement(self, write: Write, last: int, held: _Held) -> list[str]:
        said = self._numbers.get(write.number)
        if said is None:
            self.unacknowledged += 1
            return []
        self.acknowledged += 1
        if last <= said <= held.last:
            return []
        return [f"{write.kind} {write.number} was acknowledged as number {said}, but its last is {last}."]

    def _check_rows(self, rows: Sequence[Row]) -> list[str]:
        problems = []
        for what, counted in (
            ("The id", Counter(row.id for row in rows)),
            ("The number", Counter(row.seq for row in rows)),
        ):
            problems += [f"{what} {name!r} is there {n} times." for name, n in counted.items() if n > 1]
        found = {row.id: row for row in rows}
        for name in sorted(self._rows.keys() | found.keys()):
            held, row = self._rows.get(name), found.get(name)
            if held is None:
                problems.append(f"{name!r} is there, which nobody has written.")
            elif row is None:
                problems.append(f"Lost: {name!r} is not there, which number {held.last} wrote.")
            elif not held.first <= row.seq <= held.last or (row.version, row.write) != (
                held.version,
                held.write,
            ):
                problems.append(f"{name!r} is {row}, but should be {held}.")
        return problems

    def _check_answers(self, answers: Sequence[Answer]) -> list[str]:
        """Compare answers with the gallery as it was at the number that they have seen."""
        problems = []
        wanted = {
            (name, held.version, held.write) for name, held in self._rows.items() if held.version is not None
        }
        for answer in answers:
            if answer.seq < answer.min_seq:
                problems.append(f"Stale: an answer saw number {answer.seq}, and promised {answer.min_seq}.")
            found = set(answer.entries)
            problems += [
                f"Stale: an answer that saw number {answer.seq} lacks {entry}."
                for entry in sorted(map(str, wanted - found))
            ]
            problems += [
                f"An answer that saw number {answer.seq} has {entry}, which was not there then."
                for entry in sorted(map(str, found - wanted))
            ]
            if len(found) < len(answer.entries):
                problems.append(f"An answer that saw number {answer.seq} has an entry twice.")
        return problems
