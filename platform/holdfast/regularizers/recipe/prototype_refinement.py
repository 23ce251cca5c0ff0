"""Structural prototype refinement: class means in which outliers count little."""

import torch
from torch import Tensor
from torch.nn import functional


def transitions(new: Tensor, tau: float) -> Tensor:
    """Row-stochastic graph over the images of one class, (n, d) of unit norm -> (n, n).

    A = softmax over rows of V V^T / tau without the diagonal (UniBCT eq. 9). Rows, not columns: with columns
    1^T W = 1^T, and the refined mean would be the plain one. An image that is alone keeps to itself.
    """
    similarities = new @ new.T / tau
    # Finite, so that the softmax of a class of one image is 1 rather than undefined.
    return torch.softmax(similarities.fill_diagonal_(-1e9), dim=1)


def image_weights(new: Tensor, tau: float, lam: float) -> Tensor:
    """How much each image of one class counts in its prototype, (n, d) of unit norm -> (n,), sum 1.

    pi = (1/n) 1^T W with W = (1 - lam) (I - lam A)^-1, the closed form of endless propagation: a PageRank
    with uniform restarts. One linear system in pi, so that W itself is never formed. An outlier counts little
    as long as it is unlike the other outliers; two that are alike hold each other up.
    """
    n = len(new)
    system = torch.eye(n, dtype=new.dtype, device=new.device) - lam * transitions(new, tau).T
    return torch.linalg.solve(system, new.new_full((n,), (1 - lam) / n))


def refined_means(
    new: Tensor, old: Tensor, labels: Tensor, classes: int, tau: float = 0.05, lam: float = 0.9
) -> Tensor:
    """Direction of every class's refined mean in the old space: (classes, d_old), unit norm.

    UniBCT (Zhang et al. 2022) eq. 9 and 10: the graph comes from the new model's features, which are better;
    what is propagated over it are the old ones. P_c = mean_i (W V_old)_i = sum_j pi_j v_j.

    Args:
        new, old: float32 (n, d_new) and (n, d_old), unit norm, the same images as both models see them.
        labels: int64 (n,) in [0, classes), every class at least once.
        tau: temperature of the graph, above 0; the smaller, the fewer neighbours count.
        lam: share of the propagation, in [0, 1); 0 gives the plain mean.

    Takes memory for the largest class's graph, n_c^2.
    """
    order = labels.argsort(stable=True)
    sizes = torch.bincount(labels, minlength=classes).tolist()
    means = [image_weights(new[images], tau, lam) @ old[images] for images in order.split(sizes)]
    return functional.normalize(torch.stack(means), dim=1)
