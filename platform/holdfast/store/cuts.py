"""What the first numbers of a version's vectors find, where that was measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cut:
    """Queries and gallery of one version, both cut to their first numbers and of unit norm again.

    Attributes:
        dimensions: how many numbers are left.
        recall_at_1: percent.
        whole: the same of the whole vectors.
        low, high: the 95 % interval of `recall_at_1` - `whole`, paired by query.
        evaluation: fingerprint of the data.
    """

    dimensions: int
    recall_at_1: float
    whole: float
    low: float
    high: float
    evaluation: str

    def __str__(self) -> str:
        away = self.recall_at_1 - self.whole
        return f"{self.dimensions} (Recall@1 {self.recall_at_1:.1f} %, {away:+.1f} points)"
