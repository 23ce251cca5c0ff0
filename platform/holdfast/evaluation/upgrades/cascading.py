"""What a newer version finds in an older gallery where the best entries are ranked by their images."""

from collections.abc import Iterator, Sequence

import numpy as np

from holdfast.adapters import Meeting
from holdfast.evaluation.retrieval import Outcome
from holdfast.evaluation.upgrades.sides import best_of, nearest
from holdfast.evaluation.upgrades.ways import CASCADES


def score_cascades(
    meeting: Meeting,
    queries: np.ndarray,
    older: np.ndarray,
    own: np.ndarray,
    asks: np.ndarray,
    holds: np.ndarray,
    cascades: Sequence[int] = CASCADES,
) -> Iterator[tuple[int, Outcome]]:
    """The outcome of each cascade, by its number of candidates; of Recall@1 alone.

    Args:
        meeting: how the newer version's queries meet the older one's entries, which recalls candidates.
        queries: by the newer version, float32 (q, d) of unit norm, with their labels `asks` (q,).
        older: the entries by the older version, (n, e); `own` by the newer one, (n, d), in which candidates
            are ranked. Both with labels `holds` (n,).
        cascades: numbers of candidates, ascending. Left out are those of more than a tenth of these entries:
            so many would be found by any map, which says nothing of a larger gallery.
    """
    counts = [count for count in cascades if count <= len(holds) // 10]
    if not counts:
        return
    nobody = np.full(len(queries), -1)
    recalled = nearest(meeting.queries(queries), meeting.entries(older), nobody, counts[-1])
    for count in counts:
        hits = holds[best_of(queries, own, recalled[:, :count])] == asks
        yield count, Outcome(hits, {"recall_at_1": 100 * float(hits.mean())})
