"""Check that an index equals the entries."""

from collections.abc import Iterable

import numpy as np

from holdfast.entries import Problems
from holdfast.index import Held, Index
from holdfast.store import Changes


def verify_index(chunks: Iterable[Changes], index: Index, applied: int) -> Problems:
    """Check that an index holds exactly the rows up to write `applied`, vectors as well as it keeps them."""
    problems = Problems()
    # Rows that were written after `applied` say nothing about what the index should hold of their ids.
    unseen = set(index.keys())
    for changes in chunks:
        by_version: dict[str, list[int]] = {}
        for position, vector in enumerate(changes.vectors):
            if changes.seqs[position] > applied:
                unseen -= {(version, changes.ids[position]) for version in index.versions()}
            elif vector is not None:
                by_version.setdefault(changes.versions[position], []).append(position)
        for version, positions in by_version.items():
            rows = index.held(version, [changes.ids[position] for position in positions])
            for position in positions:
                identifier = changes.ids[position]
                unseen.discard((version, identifier))
                held = rows.get(identifier)
                if held is None:
                    problems.add(f"The index lacks {identifier!r} of {version}.")
                elif not _is_held(changes, position, held, index.capabilities.keeps_vectors):
                    problems.add(f"The index holds {identifier!r} of {version} otherwise than the database.")
    for version, identifier in sorted(unseen):
        problems.add(f"The index holds {identifier!r} of {version}, which the database does not.")
    return problems


def _is_held(changes: Changes, position: int, held: Held, exactly: bool) -> bool:
    vector, attributes = held
    wanted = changes.vectors[position] or b""
    if attributes != changes.attributes[position] or len(vector) != len(wanted):
        return False
    near = not exactly and np.allclose(np.frombuffer(vector, "<f4"), np.frombuffer(wanted, "<f4"), atol=1e-3)
    return vector == wanted or near
