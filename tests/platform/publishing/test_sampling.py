"""How much what was learned from counts in a map that is also fitted on the gallery."""

import numpy as np

from holdfast.adapters import Evidence, Pairs, RidgeConfig, fit_from_pairs
from holdfast.publishing.sampling import WEIGHTS, fit_on_sample

GENERATOR = np.random.default_rng(0)
TRUE, OTHER = (GENERATOR.normal(size=(10, 6)) for _ in range(2))


def pairs(count: int, through: np.ndarray, noise: float = 0.2) -> Pairs:
    source = GENERATOR.normal(size=(count, 10))
    target = source @ through + noise * GENERATOR.normal(size=(count, 6))
    sides = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (source, target))
    return Pairs(*(side.astype(np.float32) for side in sides))


def cosine(adapter: object, of: Pairs) -> float:
    return float((adapter.apply(of.source) * of.target).sum(axis=1).mean())


def test_what_was_learned_from_counts_as_much_as_it_helps() -> None:
    config, unseen = RidgeConfig(), pairs(300, TRUE)
    alike, unlike, sample = pairs(2000, TRUE), pairs(2000, OTHER), pairs(40, TRUE)
    with_alike = fit_on_sample(config, alike, sample, 0)
    with_unlike = fit_on_sample(config, unlike, sample, 0)
    assert with_alike.evidence.pairs > 2000 * WEIGHTS[2]
    assert with_unlike.evidence.pairs == 40  # of another map they help nothing
    alone = cosine(fit_from_pairs(RidgeConfig(toward="zero"), sample, 0), unseen)
    assert cosine(with_alike, unseen) > alone
    assert abs(cosine(with_unlike, unseen) - alone) < 0.02


def test_evidence_of_the_parents_counts_with_it() -> None:
    sample, learned = pairs(40, TRUE), pairs(500, TRUE)
    earlier = Evidence.of(*(side.astype(np.float64) for side in vars(pairs(500, TRUE)).values()))
    both = fit_on_sample(RidgeConfig(), learned, sample, 0, earlier)
    assert any(np.isclose(both.evidence.pairs, 40 + 1000 * weight) for weight in WEIGHTS[:-1])


def test_a_map_of_queries_is_fitted_on_both() -> None:
    config = RidgeConfig(maps="queries")
    learned, sample = pairs(200, TRUE), pairs(40, TRUE)
    both = Pairs(
        *(np.concatenate(sides) for sides in zip(vars(learned).values(), vars(sample).values(), strict=True))
    )
    found, wanted = fit_on_sample(config, learned, sample, 0), fit_from_pairs(config, both, 0)
    assert np.array_equal(found.matrix, wanted.matrix)
