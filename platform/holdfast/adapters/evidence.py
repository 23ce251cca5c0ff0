"""What pairs say about a linear map, kept when their images are gone."""

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False)
class Evidence:
    """Sums over pairs x (d_s,) and y (d_t,), all that least squares needs of them. With z = (x, 1):

    Attributes:
        seen: sum of z^T z, (d_s + 1, d_s + 1); its last entry is the number of pairs.
        met: sum of z^T y, (d_s + 1, d_t).
    """

    seen: np.ndarray
    met: np.ndarray

    @classmethod
    def of(cls, source: np.ndarray, target: np.ndarray) -> Self:
        """From pairs float64 (n, d_s) and (n, d_t)."""
        extended = np.concatenate([source, np.ones((len(source), 1))], axis=1)
        return cls(extended.T @ extended, extended.T @ target)

    @property
    def pairs(self) -> float:
        """How many there are."""
        return float(self.seen[-1, -1])

    def plus(self, other: "Evidence") -> Self:
        """That of both."""
        return type(self)(self.seen + other.seen, self.met + other.met)

    def weighed(self, weight: float) -> Self:
        """As if every pair were so many."""
        return type(self)(self.seen * weight, self.met * weight)

    def without(self, part: "Evidence") -> Self:
        """That of the pairs that are not in `part`."""
        return type(self)(self.seen - part.seen, self.met - part.met)

    def pushed(self, matrix: np.ndarray, bias: np.ndarray | None) -> Self:
        """The same pairs, with y M + b in place of y."""
        met = self.met.astype(np.float64) @ matrix
        return type(self)(self.seen, met if bias is None else met + np.outer(self.seen[:, -1], bias))

    def about(self, means: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Sums of x^T x and x^T y about the means of x and y, and these; about zero unless `means`."""
        gram, cross = self.seen[:-1, :-1], self.met[:-1]
        middle, goal = self.seen[-1, :-1] / self.pairs * means, self.met[-1] / self.pairs * means
        return (
            gram - self.pairs * np.outer(middle, middle),
            cross - self.pairs * np.outer(middle, goal),
            middle,
            goal,
        )
