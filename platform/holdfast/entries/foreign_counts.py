"""What became of the rows of a place that Holdfast did not fill."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from holdfast.entries.foreign import Screened

_SHOWN = 5  # ids of each reason


@dataclass
class ForeignImport:
    """Counts, which go on after a crash.

    Attributes:
        rows: that were read, of all calls.
        new, replaced, unchanged: entries that were not there, were there otherwise, were there the same.
        replaced_versions: whose entries were replaced.
        scaled: vectors that were brought to norm 1.
        refused: rows that cannot be entries, by reason; refused_ids: the first ids of each; sentences: what
            more is to be said of the first one.
        null_attributes, overruled: as in `Imported`.
        left_out_keys: values in objects that can be no attributes, by their keys.
        attributes, left_out: the columns that became attributes; the others, and why.
        notes: what the place itself has to say.
        resumed_at: rows that an earlier call had done.
    """

    rows: int = 0
    new: int = 0
    replaced: int = 0
    unchanged: int = 0
    replaced_versions: Counter[str] = field(default_factory=Counter)
    scaled: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    refused_ids: dict[str, list[str]] = field(default_factory=dict)
    sentences: dict[str, str] = field(default_factory=dict)
    null_attributes: Counter[str] = field(default_factory=Counter)
    overruled: Counter[str] = field(default_factory=Counter)
    left_out_keys: Counter[str] = field(default_factory=Counter)
    attributes: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    resumed_at: int = 0

    @classmethod
    def of(cls, counts: Mapping[str, Any]) -> Self:
        """From what `as_json` wrote."""
        found: dict[str, Any] = {
            name: Counter(value) if name in _COUNTERS else value
            for name, value in counts.items()
            if name in _KEPT
        }
        return cls(**found)

    def as_json(self) -> dict[str, Any]:
        """What is to go on after a crash."""
        return {name: getattr(self, name) for name in _KEPT}

    @property
    def entries(self) -> int:
        """Entries that the place has made, replaced, or found as they are."""
        return self.new + self.replaced + self.unchanged

    def add(self, screened: Screened, changed: int, replaced: Sequence[str]) -> None:
        """Counts a portion.

        Args:
            changed: how many of its entries were written; replaced: the versions of those that they replaced.
        """
        taken = len(screened.batch)
        self.rows += taken + len(screened.refused)
        self.new += changed - len(replaced)
        self.replaced += len(replaced)
        self.unchanged += taken - changed
        self.replaced_versions.update(replaced)
        self.scaled += screened.scaled
        if taken:
            self.null_attributes.update(screened.batch.found.nulls)
            self.overruled.update(screened.batch.found.overruled)
        for each in screened.refused:
            self.refused[each.reason] += 1
            shown = self.refused_ids.setdefault(each.reason, [])
            if len(shown) < _SHOWN:
                shown.append(each.id)
            if each.sentence:
                self.sentences.setdefault(each.reason, each.sentence)

    def said(self) -> str:
        """The one sentence about it, without its end."""
        counts = f"{self.new:,} new, {self.replaced:,} replaced, {self.unchanged:,} unchanged"
        return f"{self.entries:,} of {self.rows:,} rows are entries ({counts})"

    def remarks(self) -> Iterator[str]:
        """A sentence about everything that is not simply kept."""
        if self.resumed_at:
            yield f"Went on behind row {self.resumed_at:,}, where an earlier import had stopped."
        for reason, count in self.refused.items():
            ids = self.refused_ids[reason]
            shown = ", ".join(map(repr, ids)) + (", ..." if count > len(ids) else "")
            more = f" {self.sentences[reason]}" if reason in self.sentences else ""
            yield f"Refused, {reason}: {count:,} ({shown}).{more}"
        if self.scaled:
            yield f"Vectors that were scaled to norm 1: {self.scaled:,}."
        if self.replaced:
            whose = ", ".join(f"{count:,} of {name}" for name, count in self.replaced_versions.items())
            yield f"Entries that were replaced: {whose}."
        if self.attributes:
            yield f"Columns that became attributes: {', '.join(self.attributes)}."
        if self.left_out:
            left = "; ".join(f"{name} ({why})" for name, why in self.left_out.items())
            yield f"Columns left out: {left}."
        yield from _counted("Values left out, which can be no attributes", self.left_out_keys)
        yield from _counted(
            "Attributes that are null in some rows, where the entries do not have them", self.null_attributes
        )
        yield from _counted("Rows whose columns say otherwise than attributes, which count", self.overruled)
        yield from self.notes

    def as_dict(self) -> dict[str, Any]:
        """For a program, in the words of an upsert by HTTP."""
        return {
            "upserted": self.new + self.replaced,
            "rows": self.rows,
            "new": self.new,
            "replaced": self.replaced,
            "replaced_versions": dict(self.replaced_versions),
            "unchanged": self.unchanged,
            "scaled": self.scaled,
            "refused": dict(self.refused),
            "refused_ids": self.refused_ids,
            "resumed_at": self.resumed_at,
            "attributes": list(self.attributes),
            "left_out": self.left_out,
            "left_out_keys": dict(self.left_out_keys),
            "null_attributes": dict(self.null_attributes),
            "overruled": dict(self.overruled),
            "notes": list(self.notes),
        }


_COUNTERS = ("replaced_versions", "refused", "null_attributes", "overruled", "left_out_keys")
_KEPT = (*_COUNTERS, "rows", "new", "replaced", "unchanged", "scaled", "refused_ids", "sentences")


def _counted(what: str, counts: Mapping[str, int]) -> Iterator[str]:
    if counts:
        yield f"{what}: {', '.join(f'{key} in {count:,}' for key, count in counts.items())}."
