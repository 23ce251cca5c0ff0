"""Batch normalization over the whole global batch, however many workers share it."""

from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F

Module = TypeVar("Module", bound=nn.Module)


class SyncedBatchNorm1d(nn.BatchNorm1d):
    """`nn.BatchNorm1d` whose training statistics are those of all ranks' images. Input (b, c) or (b, c, l).

    Within one process it is `nn.BatchNorm1d` itself. Ranks may hold different numbers of images; every rank
    must make the same sequence of training forwards, or the others wait for it. Any backend will do, gloo on
    a CPU too. Gradients are those of the sum of all ranks' losses, as with torch's SyncBatchNorm.
    """

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) if _alone(self) else _synced_forward(self, input)


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` whose training statistics are those of all ranks' images. Input (b, c, h, w)."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) if _alone(self) else _synced_forward(self, input)


def synchronize(module: Module) -> Module:
    """Make every plain `nn.BatchNorm1d/2d` inside a synced one, in place; parameters and keys stay."""
    for child in module.modules():
        if type(child) is nn.BatchNorm1d:
            child.__class__ = SyncedBatchNorm1d
        elif type(child) is nn.BatchNorm2d:
            child.__class__ = SyncedBatchNorm2d
    return module


def _alone(layer: nn.BatchNorm1d | nn.BatchNorm2d) -> bool:
    from_batch = layer.training or layer.running_mean is None
    return not from_batch or not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1)


def _synced_forward(layer: nn.BatchNorm1d | nn.BatchNorm2d, images: Tensor) -> Tensor:
    layer._check_input_dim(images)
    output, mean, variance, count = _GlobalBatchNorm.apply(images, layer.weight, layer.bias, layer.eps)
    if layer.training and layer.running_mean is not None and layer.running_var is not None:
        with torch.no_grad():
            tracked = cast(Tensor, layer.num_batches_tracked)
            tracked.add_(1)
            share = 1.0 / float(tracked) if layer.momentum is None else layer.momentum
            layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), share)
            unbiased = variance * (count / (count - 1))
            layer.running_var.lerp_(unbiased.to(layer.running_var.dtype), share)
    return cast(Tensor, output)


class _GlobalBatchNorm(torch.autograd.Function):
    """One all-gather forward, one all-reduce backward, as in torch's own SyncBatchNorm (which runs on GPUs
    only)."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        channels = images.shape[1]
        axes = [axis for axis in range(images.dim()) if axis != 1]
        local = images.new_zeros(2 * channels + 1, dtype=torch.float32)
        if images.numel():
            variance, mean = torch.var_mean(images.float(), axes, correction=0)
            local[:channels], local[channels:-1] = mean, variance
            local[-1] = images.numel() // channels
        parts = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, local)
        means, variances, counts = torch.stack(parts).split([channels, channels, 1], dim=1)
        count = counts.sum()
        if count <= 1:
            raise ValueError("Batch normalization needs more than one value per channel over all ranks.")
        # Chan's pooling of the ranks' moments: unlike E[x^2] - E[x]^2 it does not cancel in float32.
        mean = (counts * means).sum(0) / count
        variance = (counts * (variances + (means - mean) ** 2)).sum(0) / count
        ctx.save_for_backward(images, weight, mean, torch.rsqrt(variance + eps), count)
        ctx.mark_non_differentiable(mean, variance, count)
        output = F.batch_norm(images, mean, variance, weight, bias, training=False, eps=eps)
        return output, mean, variance, count

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        images, weight, mean, inverse, count = ctx.saved_tensors
        axes = [axis for axis in range(images.dim()) if axis != 1]
        shape = [1, -1] + [1] * (images.dim() - 2)
        gradient = gradient.float()
        normalized = (images.float() - mean.view(shape)) * inverse.view(shape)
        sums = torch.stack([gradient.sum(axes), (gradient * normalized).sum(axes)])
        bias_gradient, weight_gradient = sums.clone() if weight is not None else (None, None)
        dist.all_reduce(sums)
        total, total_normalized = (sums / count).view(2, *shape)
        slope = inverse if weight is None else inverse * weight.float()
        back = (gradient - total - normalized * total_normalized) * slope.view(shape)
        return back.to(images.dtype), weight_gradient, bias_gradient, None
