"""A projection over the old version's vectors is learned on what is not measured."""

from collections.abc import Iterator

import numpy as np

from holdfast.publishing.bridging.embedding import Embedded
from holdfast.publishing.bridging.material import Item, Material
from holdfast.publishing.bridging.projecting import Labelled, learn_projection, unmeasured
from holdfast.testing import unit_vectors

COUNT = 200
NOTHING = np.zeros((0, 0, 0), np.float32)


def embedded(positions: np.ndarray, vectors: np.ndarray) -> Embedded:
    return Embedded(positions, vectors[positions], vectors[positions], len(positions), NOTHING, NOTHING)


def test_nothing_that_is_measured_is_learned_from() -> None:
    vectors = unit_vectors(0, COUNT, 8)
    vectors[70] = vectors[150]
    labels = np.array([f"c{number % 5}" for number in range(COUNT)], object)
    labels[71] = ""
    ids = np.array([f"e{number}" for number in range(COUNT)], object)

    def read(positions: np.ndarray) -> Iterator[Item]:
        for position in positions:
            yield Item(ids[position], old=None if position == 72 else vectors[position])

    material = Material(ids, labels, read, "entries", at_sources=True, entries=COUNT)
    sample, measured = embedded(np.arange(40), vectors), embedded(np.arange(120, COUNT), vectors)
    found = unmeasured(material, sample, [measured], ["e73"], seed=0)
    assert found is not None
    kept = [number for number in range(120) if number not in (70, 71, 72, 73)]
    np.testing.assert_array_equal(found.vectors, vectors[kept])
    assert found.labels.tolist() == labels[kept].tolist()
    few = embedded(np.arange(60, COUNT), vectors)
    assert unmeasured(material, sample, [few], [], seed=0) is None


def planted(noise: float) -> Labelled:
    """Classes that differ in four of sixteen dimensions; in the others is `noise`."""
    generator = np.random.default_rng(0)
    codes = np.arange(400) % 20
    middles = generator.normal(size=(20, 4))[codes] + 0.4 * generator.normal(size=(400, 4))
    rows = np.concatenate([middles, noise * generator.normal(size=(400, 12))], axis=1)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return Labelled(unit.astype(np.float32), codes.astype(str))


def test_it_passes_over_what_says_nothing_of_classes() -> None:
    learned = learn_projection(planted(noise=1.5), seed=0)
    assert learned is not None
    lengths = np.linalg.norm(learned.matrix, axis=1)
    assert lengths[:4].mean() > lengths[4:].mean()
    again = learn_projection(planted(noise=1.5), seed=0)
    assert again is not None
    np.testing.assert_array_equal(learned.matrix, again.matrix)


def test_none_where_none_is_best() -> None:
    generator = np.random.default_rng(1)
    separate = np.repeat(np.eye(16, dtype=np.float32), 10, axis=0)
    assert learn_projection(Labelled(separate, np.repeat(np.arange(16).astype(str), 10)), seed=0) is None
    alone = Labelled(separate, generator.permutation(160).astype(str))
    assert learn_projection(alone, seed=0) is None
