from .codebooks import MOST_WORDS, CodeShape, code_shape, free_shape, orthonormal_codebooks
from .places import find_places
from .quantizer import Counting, Normalization, Quantizer, decode, length_of

__all__ = [
    "MOST_WORDS",
    "CodeShape",
    "Counting",
    "Normalization",
    "Quantizer",
    "code_shape",
    "decode",
    "find_places",
    "free_shape",
    "length_of",
    "orthonormal_codebooks",
]
