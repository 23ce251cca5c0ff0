"""Code books that belong to no model: orthonormal codewords, the same bits in every process and version."""

from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache

import numpy as np

MOST_WORDS = 256
"""A codeword's number fits a byte."""
_PI = Decimal("3.14159265358979323846264338327950288419716939937510")
_ONE = 1 << 30
"""The fixed point: products of two numbers below it, summed to at most 1, fit int64."""


@dataclass(frozen=True)
class CodeShape:
    """An embedding of `dimension` in `books` sub-vectors, and `words` (a power of two) for each of them."""

    dimension: int
    books: int
    words: int

    @property
    def width(self) -> int:
        """Dimensions of a sub-vector."""
        return self.dimension // self.books

    @property
    def word_bits(self) -> int:
        return self.words.bit_length() - 1

    @property
    def bits(self) -> int:
        return self.books * self.word_bits

    @property
    def bytes(self) -> int:
        """Of a packed code."""
        return -(-self.bits // 8)


def code_shape(bits: int, words: int, dimension: int) -> CodeShape:
    """The books that `bits` bits by `words` words need. Raises ValueError naming what fits the dimension."""
    problem = _problem(bits, words, dimension)
    if problem is None:
        return CodeShape(dimension, bits // (words.bit_length() - 1), words)
    powers = [2**n for n in range(1, MOST_WORDS.bit_length())]
    other_words = [w for w in powers if _problem(bits, w, dimension) is None]
    other_bits = [b for b in range(1, dimension + 1) if _problem(b, words, dimension) is None]
    ways_out = [f"bits may be {_listed(other_bits)} with words {words}"] if other_bits else []
    ways_out += [f"words may be {_listed(other_words)} with bits {bits}"] if other_words else []
    allowed = "; ".join(ways_out) or f"nothing fits bits {bits} or words {words}"
    raise ValueError(f"{problem}. With dimension {dimension}, {allowed}")


def free_shape(bits: int, words: int) -> CodeShape:
    """The books that `bits` bits by `words` words need where no embedding is divided among them: each has as
    many dimensions as words. Raises ValueError for bits that are no whole number of books."""
    books = bits // (words.bit_length() - 1)
    return code_shape(bits, words, max(books, 1) * words)


def _problem(bits: int, words: int, dimension: int) -> str | None:
    each = words.bit_length() - 1
    if bits % each:
        return f"bits {bits} is no multiple of the {each} bits that tell {words} words apart"
    books = bits // each
    if dimension % books:
        return f"bits {bits} by words {words} are {books} books, which do not divide dimension {dimension}"
    if words > dimension // books:
        return (
            f"bits {bits} by words {words} are {books} books with sub-vectors of {dimension // books} "
            f"dimensions, in which there are no {words} orthonormal codewords"
        )
    return None


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values))


@cache
def orthonormal_codebooks(shape: CodeShape) -> np.ndarray:
    """The codewords, float32 (books, words, width), read-only; those of one book are orthonormal to 1e-6.

    With T the matrix of the discrete cosine transform, T[j, k] = c_k cos((j + 1/2) k pi / width), the first
    book are the first columns of T, and each book is T times the one before (Zhang et al. 2023, OPQN).

    Computed in whole numbers of 2^-30, from cosines of 40 decimal digits: no library of mathematics, thread
    or instruction set has a say in a bit of it.
    """
    turn = _cosine_transform(shape.width)
    book = turn[:, : shape.words]
    books = [book]
    for _ in range(shape.books - 1):
        product = turn @ book
        book = (product + _ONE // 2) >> 30
        books.append(book)
    words = (np.stack(books).transpose(0, 2, 1) / _ONE).astype(np.float32)
    words.flags.writeable = False
    return words


def _cosine_transform(width: int) -> np.ndarray:
    """T in whole numbers of 2^-30, int64 (width, width)."""
    with localcontext(prec=45):
        step = _PI / (2 * width)
        first, others = (Decimal(1) / width).sqrt(), (Decimal(2) / width).sqrt()
        quarter = [_cosine(step * n) for n in range(width + 1)]

        def fixed(value: Decimal) -> int:
            return int((value * _ONE).to_integral_value())

        scaled = [fixed(others * value) for value in quarter]
        # cos over a whole turn from its first quarter.
        half = [*scaled, *(-value for value in scaled[-2::-1])]
        turn = np.array([*half, *half[-2:0:-1]], np.int64)
        j, k = np.meshgrid(np.arange(width), np.arange(width), indexing="ij")
        transform = turn[(2 * j + 1) * k % (4 * width)]
        transform[:, 0] = fixed(first)
    return transform


def _cosine(angle: Decimal) -> Decimal:
    """Of an angle in the first quarter, to about 40 digits."""
    total = term = Decimal(1)
    for n in range(2, 80, 2):
        term *= -angle * angle / (n * (n - 1))
        total += term
    return total
