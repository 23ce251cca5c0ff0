"""What FECD's estimates are worth: how well they tell what an older version made of a batch.

    python -m experiments.benchmarks.papers.estimates                     # both streams, some minutes
    python -m experiments.benchmarks.papers.estimates --source grocery --seed 1
    python -m experiments.benchmarks.papers.estimates --quick             # small sizes: does it run at all?

FECD holds a new version to models before its parent, whose features it simulates on the batch, from the
parent's and from ranges that were measured when a task was finished (Chen et al. 2022). In this benchmark the
older versions are still there. So their own correlations on batches of the new task are compared with those
that the simulation gives, and with the parent's as they are, which is what the control holds to: by the
divergence that the loss is made of, less is nearer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from experiments.benchmarks.harness.command import run_command
from experiments.benchmarks.methods.training import Version, learn_all
from experiments.benchmarks.papers.choosing import chosen_terms, read_chosen
from experiments.benchmarks.papers.protocols import PaperProtocol
from experiments.benchmarks.papers.reasons import reason_parser, streams
from experiments.benchmarks.papers.work import make_job
from holdfast.data import ImageSet, Task
from holdfast.regularizers.literature.feature_estimation import (
    FeatureEstimationConfig,
    compose,
    estimate_features,
    measure_range,
)
from holdfast.regularizers.recipe.correlation_distillation import correlation_divergence

ROW = "fecd"
GUESSES = ("the parent's own", "estimates", "estimates of unit norm")
BATCHES, BATCH = 20, 64


@dataclass(frozen=True, eq=False)
class Nearness:
    """Divergence of a batch's true correlations from each of `GUESSES`, float64 (batches, guesses)."""

    of_batch: np.ndarray

    def line(self, name: str) -> str:
        """A row of a table: the means, and in how many batches the estimates are nearer than the parent."""
        means = " | ".join(f"{mean:.4f}" for mean in self.of_batch.mean(axis=0))
        nearer = (self.of_batch[:, 1] < self.of_batch[:, 0]).mean()
        return f"| {name} | {means} | {100 * nearer:.0f} % of {len(self.of_batch)} |"


def nearness(
    versions: Sequence[Version], tasks: Sequence[Task], training: ImageSet, config: FeatureEstimationConfig
) -> Nearness:
    """Of every task with a version before its parent, on batches of its images, for every such version."""
    torch.manual_seed(0)
    ranges = torch.empty(0, 2, 0)
    found: list[list[float]] = []
    for number in range(1, len(tasks)):
        images = training.images[tasks[number].train]
        seen = [torch.from_numpy(each.encoder.embed(images)) for each in versions[: number + 1]]
        for older, back in zip(reversed(range(number - 1)), ranges, strict=True):
            for _ in range(BATCHES):
                rows = torch.randperm(len(images))[:BATCH]
                guesses = _guesses(seen[number - 1][rows], back)
                found.append(
                    [
                        float(correlation_divergence(guess, seen[older][rows], config.temperature))
                        for guess in guesses
                    ]
                )
        per_dimension = config.ranges == "dimension"
        latest = measure_range(seen[number], seen[number - 1], config.quantile, per_dimension)
        ranges = torch.cat([latest[None], compose(latest, ranges)]) if len(ranges) else latest[None]
    return Nearness(np.array(found).reshape(-1, len(GUESSES)))


def _guesses(parent: Tensor, ranges: Tensor) -> Iterator[Tensor]:
    estimate = estimate_features(parent, ranges)
    yield from (parent, estimate, functional.normalize(estimate, dim=1))


def measure(protocol: PaperProtocol, seed: int, chosen_file: Path) -> Nearness:
    """Learn the stream with the chosen weights, and ask its versions."""
    method = next(each for each in protocol.rows if each.name == ROW)
    terms = chosen_terms(read_chosen(chosen_file), protocol.name, method)
    job = make_job(protocol, method, seed, terms)
    assert job.experiment is not None
    assert job.first is not None
    data = protocol.load()
    versions, tasks = learn_all(job.experiment, job.first, data)
    config = job.experiment.regularizers[-1]
    assert isinstance(config, FeatureEstimationConfig)
    return nearness(versions, tasks, data.training, config)


def main() -> int:
    parser = reason_parser(__doc__)
    parser.add_argument("--source", nargs="+", choices=["grocery", "caltech"], default=["grocery", "caltech"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    asked = streams(options)
    print(f"| older versions' correlations, by | {' | '.join(GUESSES)} | estimates are nearer |")
    print(f"|---|{'---:|' * (len(GUESSES) + 1)}")
    for source in options.source:
        protocol = asked[source]
        found = measure(protocol, options.seed, Path(__file__).with_name("chosen.json"))
        print(found.line(protocol.title), flush=True)
    return 0


if __name__ == "__main__":
    run_command(main)
