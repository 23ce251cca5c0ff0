"""Where an upgrade of the papers can be seen: what a network of ImageNet finds that has learned nothing here.

    python -m experiments.benchmarks.papers.untuned                # both sources, a minute
    python -m experiments.benchmarks.papers.untuned --quick        # small sizes: does it run at all?

Recall@1 of the queries in their gallery, and among the training images. A new version is held to an old space
by prototypes of training images; the old self-test, which it is to exceed, needs none. Where queries find
their class in the gallery and not among the training images, the gallery says more of them than prototypes
can, and no method that is held to these alone exceeds the old self-test.
"""

import numpy as np
import torch
from torch.nn import functional

from experiments.benchmarks.harness.command import run_command
from experiments.benchmarks.papers.measuring import found
from experiments.benchmarks.papers.protocols import NETWORKS
from experiments.benchmarks.papers.reasons import reason_parser, streams
from experiments.benchmarks.papers.tail import TailTrunk
from holdfast.data import ImageSet
from holdfast.models import Trunk

BATCH = 256


def features(network: Trunk, images: ImageSet) -> np.ndarray:
    """Of kept activations, float32 (n, 1280) of unit norm."""
    batches = (np.array(images.images[start : start + BATCH]) for start in range(0, len(images), BATCH))
    with torch.inference_mode():
        made = torch.cat([network(torch.from_numpy(batch).float()) for batch in batches])
    normal: np.ndarray = functional.normalize(made, dim=1).numpy()
    return normal


def main() -> int:
    asked = streams(reason_parser(__doc__).parse_args())
    print("| | in their gallery | among the training images |")
    print("|---|---:|---:|")
    for source, protocol in asked.items():
        data = protocol.load()
        queries, gallery = data.evaluation.queries, data.evaluation.gallery
        config = TailTrunk.model_validate(protocol.values["model"]["trunk"])
        network = config.build(1, data.training.images.shape[-1]).eval()
        seen = features(network, queries)
        shares = [
            100 * found(seen, features(network, among), queries.labels, among.labels).mean()
            for among in (gallery, data.training)
        ]
        print(f"| {source.capitalize()}, {NETWORKS[0]} | {shares[0]:.1f} | {shares[1]:.1f} |", flush=True)
    return 0


if __name__ == "__main__":
    run_command(main)
