"""What a server is told by its options and its environment, over what its settings say."""

import os
from collections.abc import Sequence
from pathlib import Path

from holdfast.base import parse_settings
from holdfast.store import pin_down
from holdfast_serving.config import ServingConfig
from holdfast_serving.http import parse_keys

KEYS_VARIABLE = "HOLDFAST_API_KEYS"
APPLICATION = "holdfast"


def settle(
    config: ServingConfig | None,
    store: str | Path,
    artifacts: str | None,
    replicas: int | None,
    sources: Sequence[str] | None,
    access_log: bool,
) -> ServingConfig:
    """The settings of a server; what is None or False leaves what `config` says. Raises ConfigError."""
    config = config or ServingConfig(store=pin_down(store))
    given = {
        "store": pin_down(store),
        "artifacts": artifacts or config.artifacts,
        "replicas": config.replicas if replicas is None else replicas,
        "sources": _absolute_roots(config.sources if sources is None else sources),
        "access_log": access_log or config.access_log,
        "key_hashes": parse_keys(os.environ.get(KEYS_VARIABLE, "")) or config.key_hashes,
    }
    return parse_settings(ServingConfig, {**dict(config), **given}, "holdfast serve")


def _absolute_roots(sources: Sequence[str]) -> tuple[str, ...]:
    if not sources:
        return ()
    # PyTorch comes with it.
    from holdfast.backfill import Sources

    return Sources.of(sources).roots
