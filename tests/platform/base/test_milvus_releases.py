"""What a server says of itself decides what is asked of it."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base import milvus_release


@pytest.mark.parametrize(
    ("said", "indexes"),
    [
        ("v2.3.5-lite", False),
        ("2.3.2", False),
        ("v2.4.23", False),
        ("v2.5.0", True),
        ("2.6.6", True),
        ("v3.0.1", True),
        ("Zilliz Cloud Vector Database(Compatible with Milvus 2.5)", True),
    ],
)
def test_the_known_ones_are_taken_without_a_word(said: str, indexes: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert milvus_release(said).indexes_arrays == indexes


@pytest.mark.parametrize("said", ["2.3.1", "v2.3.0", "2.2.16", "1.1.1"])
def test_one_that_is_too_old_is_refused_with_those_that_work(said: str) -> None:
    with pytest.raises(ValueError, match=r"needs 2\.3\.2 or newer; 2\.3, 2\.4, 2\.5, 2\.6, 3\.0 work"):
        milvus_release(said)


@pytest.mark.parametrize("said", ["v3.1.0", "4.0", "master-20260205-a68b3213"])
def test_one_that_nobody_knows_is_a_warning(said: str) -> None:
    with pytest.warns(UserWarning, match="goes on as with the newest"):
        assert milvus_release(said).indexes_arrays


@given(st.tuples(*[st.integers(0, 9)] * 3))
def test_every_number_is_refused_or_taken(number: tuple[int, int, int]) -> None:
    text = ".".join(map(str, number))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if number < (2, 3, 2):
            with pytest.raises(ValueError, match=f"it is Milvus {text},"):
                milvus_release(text)
        else:
            release = milvus_release(text)
            assert release.indexes_arrays == (number >= (2, 5, 0))
            assert release.updates_parts == (number >= (2, 6, 2))
