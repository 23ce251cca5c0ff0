"""A batch of encoded images as rows with vectors: the work that is the same here and on Ray."""

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from holdfast.base import DataError, InvalidImageError
from holdfast.models import Model, decode_image

BATCH = 512


def decode_batch(model: Model, batch: pa.Table, threads: int = 1) -> np.ndarray:
    """A batch of encoded images as the model reads them, (b, ...), decoded by so many threads."""
    items = zip(batch.column("sample_id").to_pylist(), batch.column("image").to_pylist(), strict=True)
    if threads == 1:
        return np.stack([_decode(model, *item) for item in items])
    with ThreadPoolExecutor(threads) as pool:
        return np.stack(list(pool.map(lambda item: _decode(model, *item), items)))


def embed_batch(
    model: Model, version: str, batch: pa.Table, thumbnails: bool, pixels: np.ndarray | None = None
) -> pa.Table:
    """Embed a batch of encoded images; see `embed_source` for the columns. `pixels`: where they are decoded
    already."""
    sample_ids, images = batch.column("sample_id").to_pylist(), batch.column("image").to_pylist()
    vectors = model.embed(decode_batch(model, batch) if pixels is None else pixels)
    flat = pa.array(vectors.reshape(-1), pa.float32())
    columns = {
        "sample_id": pa.array(sample_ids, pa.string()),
        "label": batch.column("label").cast(pa.string()),
        "version": pa.array([version] * len(images), pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
    if thumbnails:
        labels = batch.column("label").to_pylist()
        columns["attributes"] = pa.array(
            [
                json.dumps({"label": label, "thumbnail": _data_uri(image)})
                for label, image in zip(labels, images, strict=True)
            ],
            pa.string(),
        )
    return pa.table(columns)


def _decode(model: Model, sample_id: str, image: bytes) -> np.ndarray:
    try:
        return model.prepare(image)
    except InvalidImageError as error:
        raise DataError(f"Image '{sample_id}' cannot be embedded: {error}") from error


def _data_uri(image: bytes) -> str:
    picture = decode_image(image)
    picture = picture.convert("L" if picture.mode in ("1", "L") else "RGB")
    picture.thumbnail((64, 64))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
