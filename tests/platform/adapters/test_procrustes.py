import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from holdfast.adapters import ProcrustesConfig
from holdfast.adapters.procrustes import procrustes


@given(seed=st.integers(0, 999), width=st.integers(1, 24), spare=st.integers(0, 40))
def test_a_rotation_is_recovered(units, rotation, seed, width, spare):
    source, wanted = units(seed, 2 * width + spare, width), rotation(seed + 1, width)
    found = ProcrustesConfig().fit(source, (source @ wanted).astype(np.float32))
    np.testing.assert_allclose(found.matrix, wanted, atol=2e-5)
    assert found.bias is None


@given(seed=st.integers(0, 999), source=st.integers(1, 9), target=st.integers(1, 9))
def test_keeps_the_smaller_side_orthonormal(units, seed, source, target):
    matrix = procrustes(units(seed, 12, source).T @ units(seed + 1, 12, target))
    gram = matrix @ matrix.T if source <= target else matrix.T @ matrix
    np.testing.assert_allclose(gram, np.eye(min(source, target)), atol=1e-6)


def test_equals_scipys(drifted):
    source, target = drifted(0, 100, 12)
    np.testing.assert_allclose(
        procrustes(source.T.astype(np.float64) @ target),
        orthogonal_procrustes(source.astype(np.float64), target.astype(np.float64))[0],
        atol=1e-9,
    )


@given(seed=st.integers(0, 99))
def test_a_wider_source_is_rotated_onto_the_padded_target(units, seed):
    """The definition for d_s > d_t, against a library's rotation of the padded problem."""
    source, target = units(seed, 60, 7).astype(np.float64), units(seed + 1, 60, 4).astype(np.float64)
    padded = np.hstack([target, np.zeros((60, 3))])
    np.testing.assert_allclose(
        procrustes(source.T @ target), orthogonal_procrustes(source, padded)[0][:, :4], atol=1e-8
    )


@given(seed=st.integers(0, 99))
def test_what_the_pairs_do_not_show_stays_where_it_is(units, rotation, seed):
    """Three pairs in some plane, turned a quarter within it; the other four dimensions are the identity's."""
    plane = rotation(seed, 6)[:2]
    quarter = np.array([[0, 1], [-1, 0]])
    within = units(seed, 3, 2)
    found = ProcrustesConfig().fit(within @ plane, within @ quarter @ plane)
    expected = plane.T @ quarter @ plane + np.eye(6) - plane.T @ plane
    np.testing.assert_allclose(found.matrix, expected, atol=1e-4)


@given(seed=st.integers(0, 99), rows=st.integers(2, 8))
def test_fewer_pairs_than_dimensions_are_met_exactly(units, rotation, seed, rows):
    source = units(seed, rows, 16)
    target = (source @ rotation(seed, 16)).astype(np.float32)
    np.testing.assert_allclose(ProcrustesConfig().fit(source, target).apply(source), target, atol=1e-5)


def test_a_decomposition_that_gives_up_is_taken_through_the_transpose(units, rotation, monkeypatch):
    """LAPACK's divide and conquer did so for an example of the documentation."""
    turn, svd, tried = rotation(0, 6), np.linalg.svd, []

    def moody(matrix, full_matrices):
        tried.append(matrix)
        if len(tried) == 1:
            raise np.linalg.LinAlgError("SVD did not converge")
        return svd(matrix, full_matrices=full_matrices)

    source = units(1, 50, 6)
    monkeypatch.setattr(np.linalg, "svd", moody)
    np.testing.assert_allclose(procrustes(source.T @ (source @ turn)), turn, atol=1e-5)
    assert len(tried) == 2
