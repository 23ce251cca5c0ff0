"""Changes of the entries by partition, with what can be made of them beside searches."""

from dataclasses import dataclass, field

import numpy as np

from holdfast.index.local.partition import Partition, Removal
from holdfast.index.local.vectors import Vectors
from holdfast.store import Changes


@dataclass
class Batch:
    """Entries of one version that are to be put into its partition.

    Attributes:
        vectors: float32 (n, d).
        codes: of these vectors, for `coded_for`; None before `prepare`, and where none are needed.
    """

    ids: list[str]
    vectors: np.ndarray
    attributes: list[str]
    codes: np.ndarray | None = None
    coded_for: Vectors | None = None

    def prepare(self, partition: Partition) -> None:
        """Make codes, and room in the partition; others may search it meanwhile, and nobody change it."""
        self.codes, self.coded_for = partition.vectors.encode(self.vectors), partition.vectors
        partition.prepare(self.ids, self.attributes)

    def put_into(self, partition: Partition) -> None:
        # The vectors may have been replaced by others in the meantime.
        codes = self.codes if self.coded_for is partition.vectors else None
        partition.put(self.ids, self.vectors, self.attributes, codes)


@dataclass
class Batches:
    """What `changes` say, sorted.

    Attributes:
        gone: ids that no version has any more.
        puts: by version.
        removals: by version, from the partitions for which they were planned.
    """

    changes: Changes
    gone: list[str] = field(default_factory=list)
    puts: dict[str, Batch] = field(default_factory=dict)
    removals: dict[str, Removal] = field(default_factory=dict)

    @classmethod
    def of(cls, changes: Changes) -> "Batches":
        batches = cls(changes)
        positions: dict[str, list[int]] = {}
        for position, (version, vector) in enumerate(zip(changes.versions, changes.vectors, strict=True)):
            if vector is None:
                batches.gone.append(changes.ids[position])
            else:
                positions.setdefault(version, []).append(position)
        for version, chosen in positions.items():
            blob = b"".join([changes.vectors[position] or b"" for position in chosen])
            batches.puts[version] = Batch(
                [changes.ids[position] for position in chosen],
                np.frombuffer(blob, "<f4").reshape(len(chosen), -1),
                [changes.attributes[position] for position in chosen],
            )
        return batches

    def plan_removal(self, partition: Partition) -> None:
        """Of the ids that its version has no longer: an id lives in one partition. Others may search it
        meanwhile."""
        removal = partition.plan_removal(self._leaving(partition.version))
        if removal is not None:
            self.removals[partition.version] = removal

    def _leaving(self, version: str) -> list[str]:
        return self.gone + [id for other, batch in self.puts.items() if other != version for id in batch.ids]
