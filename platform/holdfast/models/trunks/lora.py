"""Low-rank additions to the layers of a network (LoRA, Hu et al. 2021), by the library peft."""

import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import Field
from torch import nn

from holdfast.base import ConfigError, Settings, import_extra

_SHOWN = 6
"""Names in an error, at most."""


class LoraConfig(Settings):
    """What is added to a layer W: alpha / rank * B A, of which A and B alone are learned."""

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=16.0, gt=0)
    targets: tuple[str, ...] = ()
    """Ends of the names of the layers that get it, such as `query` or `layers.3.mlp.fc1`; none: every linear
    layer, and every convolution that is not by groups."""


def add_lora(network: nn.Module, config: LoraConfig, named: str) -> None:
    """Freeze a network, and give its targets additions that are zero at first (torch's global generator).

    Raises ConfigError where peft is missing, or the targets match nothing that can have one.
    """
    peft = import_extra("peft", "lora", f"{named} with train: lora needs peft", ConfigError)
    targets = _find_targets(network, config, named)
    settings = peft.LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules=targets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peft.inject_adapter_in_model(settings, network)


def merge_lora(network: nn.Module) -> None:
    """Make what was added part of the layers' own weights, in place; nothing where nothing was added."""
    for name, layer in [(name, each) for name, each in network.named_modules() if _has_addition(each)]:
        layer.merge()
        parent, _, last = name.rpartition(".")
        setattr(network.get_submodule(parent), last, layer.get_base_layer())


def _has_addition(module: Any) -> bool:
    return hasattr(module, "lora_A") and hasattr(module, "get_base_layer")


def _find_targets(network: nn.Module, config: LoraConfig, named: str) -> list[str]:
    possible = {name: layer for name, layer in network.named_modules() if _can_have_addition(layer)}
    if not possible:
        raise ConfigError(
            f"{named} has neither linear layers nor convolutions (but by groups), so there is nothing for "
            "LoRA: choose train: all or last-N."
        )
    if not config.targets:
        return list(possible)
    found: list[str] = []
    for target in config.targets:
        matching = [name for name in possible if f".{name}".endswith(f".{target}")]
        if not matching:
            raise ConfigError(_explain(target, possible, named))
        found += matching
    return list(dict.fromkeys(found))


def _can_have_addition(layer: nn.Module) -> bool:
    # By exact class: what merely derives from them, as the inner layer of nn.MultiheadAttention, may never
    # be called.
    return type(layer) is nn.Linear or (type(layer) is nn.Conv2d and layer.groups == 1)


def _explain(target: str, possible: Mapping[str, nn.Module], named: str) -> str:
    ends = list(dict.fromkeys(name.rpartition(".")[2] for name in possible))
    close: Sequence[str] = get_close_matches(target, ends, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    more = f" and {len(ends) - _SHOWN} more" if len(ends) > _SHOWN else ""
    return (
        f"lora.targets: no linear layer or convolution (but by groups) of {named} has a name that ends with "
        f"{target!r}; there are {', '.join(ends[:_SHOWN])}{more}.{hint}"
    )
