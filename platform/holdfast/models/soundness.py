"""Whether a model may be a version: its weights are finite, its embeddings finite and of unit norm."""

import numpy as np
import torch
from torch import nn

from holdfast.models.learnable import Learnable
from holdfast.models.model import Model
from holdfast.models.probes import probe_files
from holdfast.models.projections import ProjectedModel

NORM_TOLERANCE = 1e-3


def find_flaw(model: Model | Learnable, images: np.ndarray | None = None) -> str | None:
    """What is wrong with a model, as the end of a sentence about it; None if it is sound.

    Weights, buffers (running statistics, the assignment of codes) and what it makes of the built-in probe
    images are looked at, and of `images`, prepared (n, ...), if there are any.
    """
    flaw = find_weights_flaw(model)
    if flaw is not None:
        return flaw
    if isinstance(model, Learnable):
        probes = model.probes()
    elif "image" in model.takes:
        probes = np.stack([model.prepare(file) for file in probe_files()])
    else:
        return None
    if images is not None:
        probes = np.concatenate([probes, images])
    return find_vectors_flaw(model.embed(probes))


def find_weights_flaw(module: object) -> str | None:
    """The same of the weights and buffers alone, of what has any. Waits for the device once."""
    if isinstance(module, ProjectedModel):
        module = module.projection
    if not isinstance(module, nn.Module):
        return None
    named = [(name, value) for name, value in module.state_dict().items() if value.is_floating_point()]
    if not named:
        return None
    finite = torch.stack([value.isfinite().all() for _, value in named]).tolist()
    broken = [name for (name, _), fine in zip(named, finite, strict=True) if not fine]
    if not broken:
        return None
    more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
    return f"its weights are not finite ({broken[0]}{more})"


def find_vectors_flaw(vectors: np.ndarray) -> str | None:
    """The same of embeddings (n, d) that it made. Zero has no unit norm."""
    with np.errstate(invalid="ignore", over="ignore"):
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    infinite = int((~np.isfinite(vectors).all(axis=1)).sum())
    if infinite:
        return f"its embeddings of {infinite} of {len(vectors)} images are not finite"
    bad = np.flatnonzero(np.abs(norms - 1.0) > NORM_TOLERANCE)
    if len(bad):
        return (
            f"its embeddings of {len(bad)} of {len(vectors)} images are not of unit norm "
            f"(the first has {norms[bad[0]]:.3g})"
        )
    return None
