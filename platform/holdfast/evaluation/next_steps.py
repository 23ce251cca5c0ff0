"""What to do after a run: the commands, by what its report found."""

from dataclasses import dataclass

from holdfast.evaluation.report import Report
from holdfast.evaluation.summary import cascade_of, cascades_said, listed, mark


@dataclass(frozen=True)
class Step:
    """Why, and what to type."""

    why: str
    command: str


def next_steps(report: Report) -> list[Step]:
    """In the order in which they are taken; the first one is the next. Of a first version: how it begins to
    serve; of a later one: the way to promote it, or what stands in between."""
    newest = report.versions[-1]
    older = report.versions[:-1]
    if not older:
        return [
            Step(f"Let {newest} answer queries and embed new entries.", f"holdfast promote {newest}"),
            Step("Serve it, with a web page.", "holdfast serve"),
        ]
    outcomes = {name: mark(report, len(older), j) for j, name in enumerate(older)}
    worse = [name for name, outcome in outcomes.items() if outcome == "incompatible"]
    unmeasured = [name for name, outcome in outcomes.items() if not outcome]
    if report.exact and worse:
        return [
            Step(
                f"It finds less than {listed(worse)} among the same entries: stay there.", "holdfast versions"
            )
        ]
    found = {name: cascade_of(report, len(older), older.index(name)) for name in worse}
    held = {name: each["candidates"] for name, each in found.items() if each is not None}
    stuck = [*(name for name in worse if name not in held), *unmeasured]
    steps = []
    if held:
        steps.append(
            Step(
                f"Search entries of {listed(list(held))} in {cascades_said(held)}, which the server reads.",
                "holdfast serve --sources FOLDER",
            )
        )
    if stuck:
        each = "" if len(stuck) == 1 else ", one version after the other"
        steps.append(
            Step(
                f"Look for another way to search entries of {listed(stuck)}, and what it costs{each}.",
                f"holdfast bridge {stuck[0]} {newest}",
            )
        )
    if worse:
        steps.append(
            Step(
                "What embedding them anew would cost and bring, before it is done.",
                f"holdfast backfill plan {newest} --kind re-embed --sources FOLDER",
            )
        )
    if not stuck:
        steps += [
            Step(
                f"Let {newest} answer one query in twenty first.", f"holdfast promote {newest} --canary 0.05"
            ),
            Step("Then all of them; entries stay as they are.", f"holdfast promote {newest}"),
        ]
    return [*steps, Step("See the matrix and the traffic, and change it, on a web page.", "holdfast serve")]
