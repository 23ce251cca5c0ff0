"""How fast one core of this machine does what an index and a model are made of, by the time that it works.

python -m experiments.benchmarks.scale.rates        # images that are decoded and embedded, as JSON
"""

import argparse
import io
import json
import time
from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
import torch
from PIL import Image

from experiments.benchmarks.scale.drawing import draw
from holdfast.index import IndexConfig, MilvusConfig, code_size
from holdfast.index.local.quantized import QuantizedVectors
from holdfast.index.local.rebuild import tune

ROUNDS, K, BATCH = 5, 10, 8
KINDS = ("sq8", "pq4")
RECALL, TIMES, LEAST_GROWTH = 0.95, 8, 0.01


def best_seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Of a core, the least of some rounds: what else runs on the machine only adds."""
    took = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        took.append(time.process_time() - started)
    return min(took)


def vectors(count: int, dimension: int) -> dict[str, Any]:
    """Bytes of vectors that a query is compared with in a second; multiplications with an addition a second,
    where many vectors find the nearest of many centroids."""
    rows = draw(count, 3, dimension)
    flat = faiss.IndexFlatIP(dimension)
    flat.add(rows)
    scanned = best_seconds(lambda: flat.search(rows[:1], K))
    centroids = faiss.IndexFlatIP(dimension)
    lists = min(1024, count // 4)
    centroids.add(rows[:lists])
    many = rows[: min(count, 16_384)]
    assigned = best_seconds(lambda: centroids.search(many, 1))
    return {"vector_scan": rows.nbytes / scanned, "multiplications": len(many) * lists * dimension / assigned}


def codes(kind: str, count: int, dimension: int) -> dict[str, Any]:
    """Bytes of codes a second in long lists, seconds of a visit to a short list, seconds to code an entry,
    and to train the codes, which looks at some thousand vectors at most; see also `_growth`."""
    config = IndexConfig.model_validate({"kind": "quantized", "codes": kind, "lists": 8, "nprobe": 1})
    rows = draw(count, 3, dimension)
    few = QuantizedVectors.train(rows[:4096], count, config, None)
    trained = best_seconds(lambda: few.index.train(rows[:8192]), rounds=2)
    started = time.process_time()
    few.extend(rows)
    coded = (time.process_time() - started) / count
    longest = int(few.index.nlist)
    a_long_list = _per_list(few.index, rows[:16], longest)
    scan = count / longest * code_size(dimension, config) / a_long_list
    short = max(256, count // 16)
    lists = short // 8
    many = QuantizedVectors.train(rows[:short], short, config.model_copy(update={"lists": lists}), None)
    many.extend(rows[:short])
    visit = _per_list(many.index, rows[:16], int(many.index.nlist))
    found = {"code_scan": scan, "list_visit": visit, "code_row": coded, "code_training": trained}
    return {**found, "lists_growth": _growth(kind, rows)}


def _growth(kind: str, rows: np.ndarray) -> float:
    """The power of the number of entries that the lists which a recall asks for grow with."""
    config = IndexConfig.model_validate({"kind": "quantized", "codes": kind})
    read = []
    for part in (rows[: len(rows) // TIMES], rows):
        vectors = QuantizedVectors.train(part, len(part), config, None)
        vectors.extend(part)
        tune(vectors, RECALL)
        read.append(vectors.nprobe)
    return max(LEAST_GROWTH, float(np.log(read[1] / read[0]) / np.log(TIMES)))


def _per_list(index: Any, queries: np.ndarray, most: int) -> float:
    """Seconds that one more list takes a query."""
    took = []
    for nprobe in (max(1, most // 4), most):
        index.nprobe = nprobe
        took.append(best_seconds(lambda: [index.search(query[None], K) for query in queries]) / len(queries))
    return max(1e-9, (took[1] - took[0]) / (most - max(1, most // 4)))


def graph(count: int, dimension: int) -> dict[str, Any]:
    """FAISS's HNSW with the parameters that this release gives Milvus, in whose place it stands here."""
    config = MilvusConfig(uri="http://milvus:19530")
    rows, queries = draw(count, 3, dimension), draw(100, 4, dimension)
    index = faiss.IndexHNSWFlat(dimension, int(config.build["M"]), faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = int(config.build["efConstruction"])
    index.hnsw.efSearch = int(config.search["ef"])
    started = time.process_time()
    index.add(rows)
    row = (time.process_time() - started) / count
    exact = faiss.IndexFlatIP(dimension)
    exact.add(rows)
    wanted, found = exact.search(queries, K)[1], index.search(queries, K)[1]
    recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(wanted.tolist(), found.tolist(), strict=True)])
    searched = best_seconds(lambda: [index.search(query[None], K) for query in queries], 3) / len(queries)
    links = len(faiss.serialize_index(index)) / count - 4 * dimension
    return {"row": row, "search": searched, "links": links, "recall": float(recall), "count": count}


def images(layers: int) -> dict[str, Any]:
    """Images a second by a ViT-B/16 without weights at 224 px: JPEGs of 640 x 480 are decoded first."""
    from transformers import ViTConfig, ViTModel

    torch.set_num_threads(1)
    model = ViTModel(ViTConfig(num_hidden_layers=layers), add_pooling_layer=False).eval()
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((640, 480)).save(file, "JPEG", quality=90)
    content = file.getvalue()

    def embed() -> None:
        pixels = [np.asarray(Image.open(io.BytesIO(content)).resize((224, 224))) for _ in range(BATCH)]
        batch = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            model(pixel_values=batch)

    return {"images": BATCH / best_seconds(embed, 3), "image_bytes": len(content)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=12, help="of the model that embeds")
    print(json.dumps(images(parser.parse_args().layers)))


if __name__ == "__main__":
    main()
