"""Comparing embeddings of different widths."""

from torch import Tensor
from torch.nn import functional


def shared_dimensions(new: Tensor, old: Tensor) -> tuple[Tensor, Tensor]:
    """Bring (b, d_new) and (m, d_old) to one width, of unit norm.

    A wider new model is compared in its first d_old dimensions, a narrower one is padded with zeros
    (Dual-Tuning's convention, methods section 2b).
    """
    width = old.shape[1]
    if new.shape[1] > width:
        new = functional.normalize(new[:, :width], dim=1)
    elif new.shape[1] < width:
        new = functional.pad(new, (0, width - new.shape[1]))
    return new, old
