"""Inverted lists of compact codes (FAISS IVF): training them, and choosing how many a search reads."""

import math
from typing import Any

import faiss
import numpy as np

from holdfast.index import IndexConfig

MIN_TRAINING = 256  # vectors without which nothing can be trained
_POINTS = 32  # vectors a list in k-means
_ROUNDS = 6  # of k-means
_CODE_TRAINING = 65_536  # vectors for the codes
_TAKEN = {"sq8": 1, "pq4": 2, "orthonormal": 16}  # dimensions that a part of a code stands for
QUERIES = 128  # entries that nprobe is chosen by
NEIGHBORS = 10


def lists_for(entries: int, config: IndexConfig) -> int:
    """How many lists so many entries are divided into: a power of two near 4 sqrt(n)."""
    wanted = config.lists or 2 ** round(math.log2(4 * math.sqrt(max(entries, 1))))
    return max(1, min(wanted, entries // 8))


def training_size(entries: int, config: IndexConfig) -> int:
    """How many vectors of a gallery of so many entries `trained` wants to see."""
    return min(entries, max(_CODE_TRAINING, _POINTS * lists_for(entries, config)))


def training_operations(entries: int, dimension: int, config: IndexConfig) -> float:
    """Multiplications with an addition that k-means takes to find the lists."""
    lists = lists_for(entries, config)
    return float(_ROUNDS * min(entries, _POINTS * lists) * lists * dimension)


def codes_for(dimension: int, config: IndexConfig) -> str:
    """The codes of vectors of this dimension: `pq4` takes two dimensions at a time, `orthonormal` sixteen."""
    return "sq8" if dimension % _TAKEN[config.codes] else config.codes


def code_size(dimension: int, config: IndexConfig) -> int:
    """Bytes of a code of such a vector: a byte a dimension, or half a byte for each part of it."""
    codes = codes_for(dimension, config)
    return dimension if codes == "sq8" else (dimension // _TAKEN[codes] + 1) // 2


def trained(sample: np.ndarray, entries: int, config: IndexConfig) -> Any:
    """Empty lists for so many entries, trained on a sample, float32 (m, d)."""
    dimension = sample.shape[1]
    lists = min(lists_for(entries, config), len(sample))
    quantizer = faiss.IndexFlatIP(dimension)
    index: Any
    codes = codes_for(dimension, config)
    if codes != "sq8":
        parts = dimension // _TAKEN[codes]
        index = faiss.IndexIVFPQFastScan(quantizer, dimension, lists, parts, 4, faiss.METRIC_INNER_PRODUCT)
    else:
        index = faiss.IndexIVFScalarQuantizer(
            quantizer, dimension, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, True
        )
    index.by_residual = codes != "orthonormal"
    index.cp.spherical = True
    index.cp.niter = _ROUNDS
    index.cp.min_points_per_centroid = 1
    index.cp.max_points_per_centroid = _POINTS
    clustering = faiss.Clustering(dimension, lists, index.cp)
    clustering.train(np.ascontiguousarray(sample[: _POINTS * lists]), quantizer)
    # The lists are trained by now: what is left are the codes, which want fewer vectors, or none.
    if codes == "orthonormal":
        # Here, because it brings torch, which a gallery without such codes does not need.
        from holdfast.index.local.code_index import use_orthonormal_words

        use_orthonormal_words(index)
        return index
    index.train(np.ascontiguousarray(sample[:_CODE_TRAINING]))
    return index


def search_parameters(nprobe: int, only: np.ndarray | None, factor: float = 1.0) -> Any:
    """For `IndexRefine`: reads so many lists, finds only the slots of `only`, bool (n,), and ranks `factor`
    candidates for every hit again."""
    # FAISS's stubs describe the C++ constructors; the Python ones take an array and keywords.
    selector = None
    if only is not None:
        bits = np.packbits(only, bitorder="little")
        selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg,arg-type]
    lists = faiss.SearchParametersIVF(nprobe=nprobe, sel=selector)  # type: ignore[call-arg]
    return faiss.IndexRefineSearchParameters(k_factor=factor, base_index_params=lists)  # type: ignore[call-arg]
