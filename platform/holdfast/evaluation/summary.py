"""What the report says in words, for somebody who will read nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.evaluation.report import Report


def verdict(report: Report) -> tuple[str, str]:
    """The report's first sentence, and its tone: "good", "warning" or "bad"; "plain" for one version."""
    newest = report.versions[-1]
    own = report.recall_at_1[-1][-1]
    older = report.versions[:-1]
    if not older:
        figure = f" The nearest entry is right for {own:.1f} % of the queries." if own is not None else ""
        return (
            f"{newest} is the first version, so there is no older gallery to compare it with.{figure}",
            "plain",
        )
    if report.distilled_from in older:
        return _distilled_verdict(report, older.index(report.distilled_from))
    if report.exact:
        return _exact_verdict(report, newest, older)
    return _galleries_verdict(report, newest, older)


def _exact_verdict(report: Report, newest: str, older: Sequence[str]) -> tuple[str, str]:
    """All of them share the base's entries, so that what counts is only how well each one searches."""
    outcomes = [mark(report, len(older), j) for j in range(len(older))]
    said = f"All {len(outcomes) + 1} versions meet the same entries exactly: none is ever embedded anew. "
    found = {
        what: [name for name, outcome in zip(older, outcomes, strict=True) if outcome == key]
        for key, what in (
            ("compatible", "better than"),
            ("incompatible", "worse than"),
            ("undecided", "within the uncertainty of this test as well as"),
        )
    }
    parts = [f"{what} {listed(names)}" for what, names in found.items() if names]
    tone = "bad" if found["worse than"] else "good" if len(found["better than"]) == len(older) else "warning"
    return f"{said}{newest} searches them {'; '.join(parts)}.", tone


def _galleries_verdict(report: Report, newest: str, older: Sequence[str]) -> tuple[str, str]:
    """Counts the older galleries by what was decided of each, so that it is true of every one of them."""
    found: dict[str, list[str]] = {"compatible": [], "incompatible": [], "undecided": [], "": []}
    for j, name in enumerate(older):
        found[mark(report, len(older), j)].append(name)
    better, worse, undecided, unmeasured = found.values()
    count = len(older)
    if count == 1:
        return _only_gallery_verdict(report, newest)
    if len(better) == count:
        said = f"{newest} searches all {count} older galleries better than they search themselves"
        return f"{said}: no backfill needed.", "good"
    if len(worse) == count:
        said = f"{newest} searches none of the older galleries better than they search themselves"
        if not _in_cascades(report, worse):
            return f"{said}: re-embed before it takes over.", "bad"
        return f"{said}; {_remedy(report, worse)}.", "warning"
    if len(better) + len(worse) == count:
        return (
            f"{newest} searches {len(better)} of {count} older galleries better than they search themselves; "
            f"{_remedy(report, worse)}.",
            "warning",
        )
    counted = [
        f"better on {_counted(better)}",
        f"worse on {_counted(worse)}",
        f"undecided on {_counted(undecided, ', within the uncertainty of this test')}",
        *([f"not measured on {_counted(unmeasured)}"] if unmeasured else []),
    ]
    needed = _remedy(report, worse) if worse else "no entries are shown to need a backfill"
    return (
        f"Beside how the {count} older galleries search themselves, {newest} is {', '.join(counted)}: "
        f"{needed}.",
        "warning",
    )


def _in_cascades(report: Report, worse: Sequence[str]) -> dict[str, int]:
    """Those of the older versions whose entries the newest one finds in a cascade, and of how many."""
    places = {name: report.versions.index(name) for name in worse}
    found = {name: cascade_of(report, len(report.versions) - 1, place) for name, place in places.items()}
    return {name: each["candidates"] for name, each in found.items() if each is not None}


def _remedy(report: Report, worse: Sequence[str]) -> str:
    """What becomes of entries in which the newest version finds less than their own."""
    held = _in_cascades(report, worse)
    rest = [name for name in worse if name not in held]
    said = f"entries embedded by {listed(list(held))} hold in {cascades_said(held)}" if held else ""
    needed = (
        f"{'those' if held else 'entries embedded'} by {listed(rest)} need a backfill first" if rest else ""
    )
    return " and ".join(part for part in (said, needed) if part)


def cascades_said(held: Mapping[str, int]) -> str:
    """ "a cascade of 10 images", "cascades of up to 50 images"."""
    most = max(held.values())
    return f"a cascade of {most} images" if len(held) == 1 else f"cascades of up to {most} images"


def _counted(names: Sequence[str], why: str = "") -> str:
    return f"{len(names)} ({listed(names)}{why})" if names else "none"


def _only_gallery_verdict(report: Report, newest: str) -> tuple[str, str]:
    outcome, older = mark(report, 1, 0), report.versions[0]
    if outcome == "incompatible" and (held := _in_cascades(report, [older])):
        return (
            f"{newest} searches the older gallery worse than it searches itself, and better in "
            f"{cascades_said(held)}: serve it where these can be read, or re-embed.",
            "warning",
        )
    return {
        "compatible": (
            f"{newest} searches the older gallery better than it searches itself: no backfill needed.",
            "good",
        ),
        "incompatible": (
            f"{newest} searches the older gallery worse than it searches itself: re-embed before it takes "
            "over.",
            "bad",
        ),
        "undecided": (
            f"Whether {newest} searches the older gallery better than it searches itself is undecided: the "
            "difference is within the uncertainty of this test.",
            "warning",
        ),
    }.get(outcome, (f"{newest} was not measured over the older gallery.", "warning"))


def _distilled_verdict(report: Report, source: int) -> tuple[str, str]:
    newest, large = report.versions[-1], report.versions[source]
    cross, own = report.recall_at_1[-1][source], report.recall_at_1[-1][-1]
    whole = report.recall_at_1[source][source]
    if cross is None or own is None or not whole:
        return f"{newest} was distilled from {large}, and was not measured against its gallery.", "warning"
    outcome = mark(report, len(report.versions) - 1, source)
    sentence = (
        f"{newest}, distilled from {large}, answers {cross:.1f} % right in the gallery of {large}: "
        f"{cross / whole:.1%} of what {large} itself does, and {own:.1f} % in a gallery of its own. "
    )
    ending = {
        "compatible": f"Small queries meet the large gallery: nothing is re-embedded for {newest}.",
        "undecided": "Which of the two galleries suits it better is within the uncertainty of this test.",
    }.get(outcome, f"A gallery of its own suits it better: it may not search the entries of {large}.")
    return sentence + ending, {"compatible": "good", "undecided": "warning"}.get(outcome, "bad")


def mixed_sentence(report: Report) -> str:
    """What the mixed-gallery test says, in words; empty where it was not made."""
    mixed = report.mixed
    values, old, new = mixed.get("recall_at_1") or [None], mixed.get("oldest_self"), mixed.get("newest_self")
    if values[-1] is None or old is None or new is None:
        return ""
    name, comparison = report.versions[-1], mixed.get("against_oldest")
    against = "more than" if values[-1] > old else "not more than"
    interval = ""
    if comparison is not None:
        difference, low, high = (signed(comparison[key], plus=True) for key in ("difference", "low", "high"))
        if not comparison["decided"]:
            against = "within the uncertainty of this test as many as"
        elif comparison["difference"] < 0:
            against = "less than"
        interval = f" ({difference} points, 95\N{NO-BREAK SPACE}% interval {low} to {high})"
    without = "" if report.mixed_raw is None else f"Without adapters it is {report.mixed_raw:.1f} %. "
    return (
        f"With {name} asking, the mixed gallery answers {values[-1]:.1f} % right at the first rank: "
        f"{against} the {old:.1f} % of the first version by itself{interval}. {without}"
        f"{_calibration_sentence(mixed)}Embedding every entry anew would give {new:.1f} %."
    )


def _calibration_sentence(mixed: dict[str, Any]) -> str:
    comparison = mixed.get("against_uncalibrated")
    if comparison is None:
        return ""
    if not any(mixed["shifts"]):
        return "No calibration of scores helped on the training images, so scores are ranked as they are. "
    gain, low, high = (signed(comparison[key], plus=True) for key in ("difference", "low", "high"))
    return (
        f"Calibrated scores make a difference of {gain} points (95\N{NO-BREAK SPACE}% interval {low} to "
        f"{high}). "
    )


def code_sentence(report: Report) -> str:
    """What a gallery of compact codes costs, for the versions that have codes."""
    codes = report.codes
    newest = codes["versions"][-1]
    own, floats = codes["recall_at_1"][-1][-1], report.recall_at_1[-1][-1]
    said = (
        f"An entry is kept as {codes['bits']} bits, by code books that are the same for every version, and "
        f"queries stay soft. {newest} answers {own:.1f} % of the queries right on codes of its own"
    )
    if floats is not None:
        said += f" and {floats:.1f} % on vectors"
    return said + (f"; AC on codes is {codes['ac']:.2f}." if codes["ac"] is not None else ".")


def is_compatible(report: Report, query: int, gallery: int) -> bool:
    """The measured rule where the report has it, else the same rule on the rounded matrix."""
    comparison = comparison_of(report, query, gallery)
    if comparison is not None:
        return bool(comparison["compatible"])
    older = min(query, gallery)
    value, reference = report.recall_at_1[query][gallery], report.recall_at_1[older][older]
    return value is not None and reference is not None and value > reference


def mark(report: Report, query: int, gallery: int) -> str:
    """ "self", "compatible", "undecided" or "incompatible"; "" where the pair was not measured."""
    if query == gallery:
        return "self"
    if report.recall_at_1[query][gallery] is None:
        return ""
    comparison = comparison_of(report, query, gallery)
    if comparison is not None and not comparison["decided"]:
        return "undecided"
    return "compatible" if is_compatible(report, query, gallery) else "incompatible"


def cascade_of(report: Report, query: int, gallery: int) -> dict[str, Any] | None:
    """The cascade in which a pair holds, by more than chance, that does not hold by itself; None without."""
    if query < len(report.cascades) and gallery < len(report.cascades[query]):
        found = report.cascades[query][gallery]
        return found if found is not None and found["compatible"] and found["decided"] else None
    return None


def comparison_of(report: Report, query: int, gallery: int) -> dict | None:
    if query < len(report.compatible) and gallery < len(report.compatible[query]):
        return report.compatible[query][gallery]
    return None


def listed(names: Sequence[str]) -> str:
    """ "v1", "v1 and v2", "v1, v2 and v3"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def signed(value: float, digits: int = 1, plus: bool = False) -> str:
    """A number with a real minus sign."""
    return f"{value:{'+' if plus else ''}.{digits}f}".replace("-", "\N{MINUS SIGN}")
