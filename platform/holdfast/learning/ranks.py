"""The workers that learn one model together, seen from one of them."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Ranks:
    """This worker's rank among `world` workers. With a world of 1 every method is free."""

    rank: int = 0
    world: int = 1

    def wrap(self, model: nn.Module) -> nn.Module:
        """Average the model's gradients over the workers after each backward pass.

        Buffers are not broadcast: batch statistics are computed over the whole global batch
        (`holdfast.models.normalization`), so they are equal already.
        """
        return DistributedDataParallel(model, broadcast_buffers=False) if self.world > 1 else model

    def gather(self, local: Tensor, sizes: list[int]) -> Tensor:
        """Concatenate every worker's rows, (sizes[rank], ...) -> (sum(sizes), ...), on every worker.

        Gradient flows through this worker's own rows only, multiplied by `world`, because the average
        over workers that follows divides by it: the sum is then the gradient of the global loss.
        """
        if self.world == 1:
            return local
        longest = max(sizes)
        padded = local.detach().new_zeros(longest, *local.shape[1:])
        padded[: len(local)] = local.detach()
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        rows = [part[:size] for part, size in zip(parts, sizes, strict=True)]
        if local.requires_grad:
            mine = local * 1.0
            mine.register_hook(lambda gradient: gradient * self.world)
            rows[self.rank] = mine
        return torch.cat(rows)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average the gradients of what every worker computes on the global batch (heads, regularizers).

        They agree up to rounding; averaging keeps workers on unlike processors from drifting apart.
        """
        if self.world == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if gradients:
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            dist.all_reduce(flat)
            for gradient, mean in zip(
                gradients, (flat / self.world).split([g.numel() for g in gradients]), strict=True
            ):
                gradient.copy_(mean.view_as(gradient))

    def meet(self) -> None:
        """Returns once every worker is here. Raises where one has left."""
        if self.world > 1:
            dist.barrier()

    def leave(self) -> None:
        """Take part in nothing more: who waits for this worker then gets an error."""
        if self.world > 1:
            dist.destroy_process_group()
