"""One sentence of advice on an upgrade, which says no more than its figures."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from holdfast.evaluation.summary import signed
from holdfast.evaluation.upgrades.truths import Kind
from holdfast.evaluation.upgrades.ways import PROJECTION, RE_EMBED, STATUS_QUO, Figure, Way

NEAR = 0.5
"""Points: of two ways so near to each other the cheaper one is advised."""
Decision = Literal["upgrade", "project", "re-embed", "keep", "undecided"]
Tone = Literal["good", "warning", "bad"]
_TONES: dict[Decision, Tone] = {
    "upgrade": "good",
    "project": "good",
    "re-embed": "warning",
    "keep": "bad",
    "undecided": "warning",
}


@dataclass(frozen=True)
class Advice:
    """What to do. `way`: by which way the new version is to search the old one's entries, if it is."""

    decision: Decision
    sentence: str
    way: Way | None = None

    @property
    def tone(self) -> Tone:
        return _TONES[self.decision]


@dataclass(frozen=True)
class Prices:
    """What the sentence says of costs: milliseconds a query by the way, and seconds of a whole re-embedding;
    None where they are not known."""

    milliseconds: dict[Way, float | None]
    re_embedding: float | None


def advise(
    old: str,
    new: str,
    figures: Sequence[Figure],
    truth: Kind,
    usable: Sequence[Way],
    prices: Prices,
    beaten: Collection[Way] = (),
) -> Advice:
    """From the figures of all ways, in the order of their cost.

    Args:
        usable: the ways by which this gallery can be searched.
        beaten: the ways that are worse, beyond chance, than a projection over the old version.
    """
    by_way = {figure.way: figure for figure in figures}
    whole = by_way[RE_EMBED]
    if truth == "agreement":
        return _by_agreement(old, new, figures, usable)
    projected = by_way.get(PROJECTION)
    if projected is None or not projected.is_better:
        return _by_truth(old, new, by_way, truth, usable, prices)
    rivals = {RE_EMBED, *usable} & by_way.keys()
    if rivals <= {*beaten}:
        sentence = (
            f"Keep {old}, with a projection learned over it: {_gain(projected)} points over leaving things "
            f"alone, without embedding an image, where {new} would give "
            f"{signed(whole.comparison.difference, plus=True)} with all entries embedded anew."
        )
        return Advice("project", sentence, PROJECTION)
    advice = _by_truth(old, new, by_way, truth, usable, prices)
    more = f" A projection learned over {old} gives {_gain(projected)} points without embedding an image."
    return replace(advice, sentence=advice.sentence + more)


def _by_truth(
    old: str, new: str, by_way: Mapping[Way, Figure], truth: Kind, usable: Sequence[Way], prices: Prices
) -> Advice:
    whole = by_way[RE_EMBED]
    start = "Provisionally, by distorted views of the same images: " if truth == "views" else ""
    better = [by_way[way] for way in usable if way in by_way and by_way[way].is_better]
    if better:
        most = max(figure.comparison.value for figure in better)
        chosen = next(figure for figure in better if figure.comparison.value >= most - NEAR)
        sentence = (
            f"{start}search the entries of {old} by {new} {_through(chosen.way)}: {_gain(chosen)} points"
        )
        sentence += f" over leaving things alone{_query_price(prices.milliseconds.get(chosen.way))}; "
        sentence += f"a whole re-embedding would give {signed(whole.comparison.difference, plus=True)}"
        sentence += f"{_price(prices.re_embedding)}."
        return Advice("upgrade", _capital(sentence), chosen.way)
    if whole.is_better:
        sentence = (
            f"{start}re-embed the entries of {old} before {new} takes over: a whole re-embedding "
            f"gives {_gain(whole)} points{_price(prices.re_embedding)}, and no other way is shown to beat "
            "leaving things alone."
        )
        return Advice("re-embed", _capital(sentence))
    if whole.is_worse:
        sentence = (
            f"{start}keep {old}: nothing beats it, and even with all entries embedded anew {new} is "
            f"worse, by {_gain(whole)} points."
        )
        return Advice("keep", _capital(sentence))
    sentence = (
        f"{start}undecided: with all entries embedded anew {new} differs from {old} by {_gain(whole)} "
        f"points, which is within chance; keep {old} until more queries have decided."
    )
    return Advice("undecided", _capital(sentence))


def _by_agreement(old: str, new: str, figures: Sequence[Figure], usable: Sequence[Way]) -> Advice:
    values = {
        figure.way: figure.comparison.value for figure in figures if figure.way in (*usable, STATUS_QUO)
    }
    best = max((way for way in values if way != STATUS_QUO), key=lambda way: (values[way], -way.candidates))
    sentence = (
        f"Undecided: without labels or relevance pairs, and without an encoder of {old} to embed distorted "
        f"views by, nothing tells whether {new} is better; {new} {_through(best)} finds the same nearest "
        f"entry as after a whole re-embedding for {values[best]:.1f} % of the queries, {old} by itself for "
        f"{values[STATUS_QUO]:.1f} %."
    )
    return Advice("undecided", sentence)


def _through(way: Way) -> str:
    return {
        "cascade": f"through a {way}",
        "adapter": "through the adapter",
        "naive": "as they are",
    }[way.kind]


def _gain(figure: Figure) -> str:
    found = figure.comparison
    difference, low, high = (signed(value, plus=True) for value in (found.difference, found.low, found.high))
    return f"{difference} ({low} to {high})"


def _query_price(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f", for {milliseconds:.3g} ms a query"


def _price(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 90:
        return f" and cost {seconds:.0f} seconds"
    if seconds < 5400:
        return f" and cost {seconds / 60:.0f} minutes"
    return f" and cost {seconds / 3600:,.1f} hours"


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
