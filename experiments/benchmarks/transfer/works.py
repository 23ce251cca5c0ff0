"""What is learned by which method, from which source, on which input: the cells, seed by seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.benchmarks.harness.cells import Name

EPSILONS = (0.03, 0.1, 0.2)
EPSILON = 0.03
SHARES = (0.1, 0.25, 1.0)
INPUTS: dict[str, dict[str, Any]] = {
    "half the size": {"size": 14},
    "edges": {"size": 14, "view": "edges"},
    "patterns": {"size": 14, "view": "local-binary-patterns"},
}
SAME = "the same"
NONE, FINETUNE = "no transfer", "fine-tuning"
SOURCES = ("standard", "noise", "robust")


@dataclass(frozen=True)
class Work:
    """One cell: what is learned, from which source, on which input."""

    protocol: str
    method: str
    input: str
    share: float
    epsilon: float
    seed: int

    @property
    def source(self) -> str | None:
        return self.method if self.method in SOURCES else None if self.method == NONE else "standard"

    @property
    def name(self) -> Name:
        return Name(
            self.protocol, f"{self.method}, {self.input}, {self.share:g}, {self.epsilon:g}", self.seed
        )


def plan(protocols: Sequence[str], seeds: int, quick: bool) -> Iterator[Work]:
    """Seed by seed: all methods over the shares; at the smallest, all inputs, and epsilon."""
    shares, inputs = ((0.2, 1.0), ["edges"]) if quick else (SHARES, list(INPUTS))
    epsilons = (EPSILON, 0.1) if quick else EPSILONS
    for seed in range(seeds):
        for protocol in protocols:
            for share in shares:
                yield Work(protocol, FINETUNE, SAME, share, 0.0, seed)
                for input in inputs if share == shares[0] else inputs[:1]:
                    yield Work(protocol, NONE, input, share, 0.0, seed)
                    yield Work(protocol, "standard", input, share, 0.0, seed)
                    for source in ("noise", "robust"):
                        yield Work(protocol, source, input, share, EPSILON, seed)
            for epsilon in epsilons:
                for source in ("noise", "robust"):
                    for input in inputs if epsilon != EPSILON else ():
                        yield Work(protocol, source, input, shares[0], epsilon, seed)
