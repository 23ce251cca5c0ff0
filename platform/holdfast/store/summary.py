"""A version as programs are told of it: what HTTP answers, and `--json` prints."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from holdfast.store.compatibility import Compatibility
from holdfast.store.versions import Version


def version_summary(
    version: Version,
    aliases: Mapping[str, str],
    measured: Sequence[Compatibility],
    spaces: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Plain values. `created` is in seconds since 1970, as in OpenAI's list of models.

    Args:
        aliases: what each stands for.
        measured: the measurements that count, of any pairs.
        spaces: of each version, the one in whose space its entries lie.
    """
    others = [row for row in measured if row.query != row.gallery]
    spaces = spaces or {}
    return {
        "id": version.name,
        "created": int(version.created_at.timestamp()),
        "aliases": sorted(alias for alias, name in aliases.items() if name == version.name),
        "contract": version.contract,
        "dimension": version.dimension,
        "cuts": [asdict(cut) for cut in version.cuts],
        "parent": version.parent,
        "kind": version.kind,
        "base": version.base,
        "takes": version.takes,
        "run": version.run,
        "task": version.task,
        "searches": [_measurement(row, row.gallery, spaces) for row in others if row.query == version.name],
        "searched_by": [
            _measurement(row, row.query, spaces) for row in others if row.gallery == version.name
        ],
    }


def _measurement(row: Compatibility, other: str, spaces: Mapping[str, str]) -> dict[str, Any]:
    exact = row.query in spaces and spaces[row.query] == spaces.get(row.gallery)
    return {
        "version": other,
        "metric": row.metric,
        "value": row.value,
        "reference": row.reference,
        "low": row.low,
        "high": row.high,
        "compatible": row.compatible,
        "decided": row.decided,
        "way": "exact" if exact else row.way,
        "candidates": row.candidates,
        "truth": row.truth,
        "provisional": row.provisional,
        "measured_at": row.measured_at.isoformat(),
    }
