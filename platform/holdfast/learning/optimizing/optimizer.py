"""Which weights learn, and how fast."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from holdfast.learning.config import OptimizerConfig
from holdfast.models import Encoder, Learnable, rate_shares


def build_optimizer(
    config: OptimizerConfig, encoder: Learnable, others: Iterable[nn.Parameter], steps: int
) -> tuple[torch.optim.Optimizer, OneCycleLR]:
    """AdamW over what learns of an encoder and of others, with its schedule over so many steps."""
    groups = _groups(config, encoder, list(others))
    optimizer = torch.optim.AdamW(
        groups, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    peaks = [group["lr"] for group in groups]
    return optimizer, OneCycleLR(optimizer, max_lr=peaks, total_steps=max(steps, 2))


def _groups(config: OptimizerConfig, encoder: Learnable, others: list[nn.Parameter]) -> list[dict[str, Any]]:
    """The parameters by the peaks of their rates, in the order in which these appear."""
    peaks = dict.fromkeys(encoder.parameters(), config.learning_rate)
    if isinstance(encoder, Encoder):
        trunk = config.trunk_learning_rate or config.learning_rate
        for parameter, share in rate_shares(encoder.trunk, config.layer_decay).items():
            peaks[parameter] = trunk * share
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter, peak in [*peaks.items(), *dict.fromkeys(others, config.learning_rate).items()]:
        if parameter.requires_grad:
            groups.setdefault(peak, []).append(parameter)
    return [{"params": parameters, "lr": peak} for peak, parameters in groups.items()]
