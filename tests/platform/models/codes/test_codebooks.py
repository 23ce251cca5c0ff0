"""Orthonormal code books: by their formula, and the same bits everywhere."""

import hashlib
import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.models import CodeShape, code_shape, orthonormal_codebooks

SHA256 = {
    (128, 8, 16): "14897258bca3d956a9d7b994a9d61c7f5f63499daa3d16462d67e8ffc94eda80",
    (512, 2, 256): "49e667fc0860872abf3c398b135b79b005ad1483b9025533f3d94618630b9fcd",
    (512, 32, 16): "33e1325c297acb3ce9571e491d9cdfeb7ecb02c21889decd042e3ab1116cd638",
    (128, 32, 4): "317997304812cbb1ebb9d270d70ee748f5058dfeffa5ecb061ff0d16fb5a4d50",
}


def digest(shape: CodeShape) -> str:
    return hashlib.sha256(orthonormal_codebooks(shape).tobytes()).hexdigest()


def naive(shape: CodeShape) -> np.ndarray:
    """The definition: DCT-II columns, each book the transform of the one before; (books, width, words)."""
    d = shape.width
    transform = np.array(
        [
            [math.sqrt((2 if k else 1) / d) * math.cos((j + 0.5) * k * math.pi / d) for k in range(d)]
            for j in range(d)
        ]
    )
    books = [transform[:, : shape.words]]
    while len(books) < shape.books:
        books.append(transform @ books[-1])
    return np.stack(books)


SHAPES = st.builds(
    lambda width, books, bits: CodeShape(width * books, books, 2 ** min(bits, int(math.log2(width)))),
    st.integers(2, 48),
    st.integers(1, 12),
    st.integers(1, 8),
)


@settings(max_examples=60, deadline=None)
@given(SHAPES)
def test_by_the_definition_and_orthonormal(shape: CodeShape) -> None:
    words = orthonormal_codebooks(shape)
    assert words.shape == (shape.books, shape.words, shape.width)
    assert words.dtype == np.float32
    np.testing.assert_allclose(words, naive(shape).transpose(0, 2, 1), atol=1e-6)
    gram = np.einsum("mkd,mld->mkl", words.astype(np.float64), words.astype(np.float64))
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(shape.words), gram.shape), atol=2e-6)


def test_no_two_neighbouring_books_are_the_same() -> None:
    words = orthonormal_codebooks(CodeShape(128, 8, 16))
    assert all(np.abs(a - b).max() > 0.1 for a, b in itertools.pairwise(words))


@pytest.mark.parametrize("shape", SHA256, ids=str)
def test_the_bits_are_those_of_every_version(shape: tuple[int, int, int]) -> None:
    """A code written by an old release is read by a new one: these digests must never change."""
    assert digest(CodeShape(*shape)) == SHA256[shape]


def test_another_process_has_the_same_bits() -> None:
    program = (
        "import hashlib; from holdfast.models import CodeShape, orthonormal_codebooks as books;"
        "print(hashlib.sha256(books(CodeShape(128, 8, 16)).tobytes()).hexdigest())"
    )
    environment = {
        "PYTHONPATH": ":".join(sys.path),
        "OMP_NUM_THREADS": "3",
        "NPY_DISABLE_CPU_FEATURES": "AVX2",
    }
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == digest(CodeShape(128, 8, 16)), done.stderr


def test_nobody_writes_into_them() -> None:
    with pytest.raises(ValueError, match="read-only"):
        orthonormal_codebooks(CodeShape(8, 2, 4))[0, 0, 0] = 1


@pytest.mark.parametrize(
    ("bits", "words", "dimension", "books"),
    [(16, 256, 512, 2), (24, 64, 512, 4), (32, 16, 128, 8), (48, 8, 128, 16), (64, 4, 128, 32)],
)
def test_shapes_that_fit(bits: int, words: int, dimension: int, books: int) -> None:
    shape = code_shape(bits, words, dimension)
    assert (shape.books, shape.bits, shape.bytes) == (books, bits, bits // 8)


def test_thirty_two_bytes() -> None:
    assert code_shape(256, 16, 1024).bytes == 32


@pytest.mark.parametrize(
    ("bits", "words", "reason"),
    [
        (32, 32, r"no multiple of the 5 bits"),
        (64, 16, r"16 books with sub-vectors of 8 dimensions.*no 16 orthonormal"),
        (24, 16, r"6 books, which do not divide dimension 128"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(bits: int, words: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        code_shape(bits, words, 128)
    said = str(refused.value)
    allowed_bits, allowed_words = said.split("bits may be ")[1].split("; words may be ")
    for value in allowed_bits.split(" with ")[0].split(", "):
        assert code_shape(int(value), words, 128).bits == int(value)
    for value in allowed_words.split(" with ")[0].split(", "):
        assert code_shape(bits, int(value), 128).words == int(value)


def test_a_refusal_offers_only_what_there_is() -> None:
    with pytest.raises(ValueError, match="no multiple of the 4 bits") as refused:
        code_shape(30, 16, 128)
    assert "bits may be 4, 8" in str(refused.value)
    assert "words may be" not in str(refused.value)
    with pytest.raises(ValueError, match="With dimension 7, nothing fits bits 11 or words 16"):
        code_shape(11, 16, 7)
