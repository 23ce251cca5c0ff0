"""The largest of every row in a decided order."""

import torch


def ranked(products: torch.Tensor, depth: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `depth` largest of every row, (b, depth) values and positions; ties by position.

    `topk` returns ties in any order and, at the last rank, any of them: both are put right here, on the rows
    that have ties only.
    """
    values, positions = products.topk(min(depth + 1, products.shape[1]), dim=1)
    if values.shape[1] > depth:
        for row in torch.nonzero(values[:, depth] == values[:, depth - 1]).flatten().tolist():
            last = values[row, depth]
            first_tied = int((values[row] > last).sum())
            tied = torch.nonzero(products[row] == last).flatten()
            positions[row, first_tied:depth] = tied[: depth - first_tied]
        values, positions = values[:, :depth], positions[:, :depth]
    rows = torch.nonzero((values[:, 1:] == values[:, :-1]).any(dim=1)).flatten()
    if len(rows):
        by_position, permutation = positions[rows].sort(dim=1)
        by_value, order = values[rows].gather(1, permutation).sort(dim=1, descending=True, stable=True)
        values[rows], positions[rows] = by_value, by_position.gather(1, order)
    return values, positions
