"""A network as a sequence of blocks, which is how it is thawed from its end, and how its rates fall off."""

from collections.abc import Iterator

from torch import nn

_LISTS = (nn.ModuleList, nn.Sequential)
_COMPOSITE = 3
"""Layers with weights that a block has at least; a convolution with its normalization is none."""
_STAGE = 0.5
"""Share of a module's weights that lie in its lists of blocks, where it is a stage and no block itself."""


def find_blocks(network: nn.Module) -> list[nn.Module]:
    """Its repeated blocks in the order of their registration: layers of a transformer, residual blocks of a
    convolutional network, also where these are grouped into stages. Empty for a network without any."""
    return [block for each in _outermost_lists(network) for block in _blocks_in(each)]


def depths(network: nn.Module) -> tuple[dict[str, int], int]:
    """How far from the images each of the network's parameters lies, by name, and the number of blocks n.

    0 before the first block, 1 in the first, n in the last, n + 1 behind it.
    """
    blocks = find_blocks(network)
    number = {id(parameter): at for at, block in enumerate(blocks, 1) for parameter in block.parameters()}
    found, reached = {}, 0
    for name, parameter in network.named_parameters():
        at = number.get(id(parameter))
        reached = max(reached, at or 0)
        found[name] = at if at is not None else 0 if reached == 0 else len(blocks) + 1
    return found, len(blocks)


def _outermost_lists(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, _LISTS):
        yield module
        return
    for child in module.children():
        yield from _outermost_lists(child)


def _blocks_in(listed: nn.Module) -> Iterator[nn.Module]:
    for child in listed.children():
        if _size(child) == 0:
            continue
        inner = [each for each in _outermost_lists(child) if _size(each)]
        if isinstance(child, _LISTS) or _is_stage(child, inner):
            for each in inner:
                yield from _blocks_in(each)
        else:
            yield child


def _is_stage(module: nn.Module, lists: list[nn.Module]) -> bool:
    blocks = [block for each in lists for block in each.children() if _size(block)]
    composite = bool(blocks) and all(_layers(block) >= _COMPOSITE for block in blocks)
    return composite and sum(map(_size, lists)) >= _STAGE * _size(module)


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _layers(module: nn.Module) -> int:
    """Modules in it that hold weights of their own."""
    return sum(any(True for _ in each.parameters(recurse=False)) for each in module.modules())
