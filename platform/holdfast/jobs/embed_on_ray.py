"""Embedding a large source through Ray Data, all cores at work, in the source's order."""

from collections.abc import Iterator

import pyarrow as pa
import ray
import ray.data
import torch

from holdfast.jobs.embedded_batch import BATCH, embed_batch
from holdfast.jobs.resources import require_resources
from holdfast.jobs.runtime import ray_session
from holdfast.models import Encoder


class _Embedder:
    """One Ray Data actor: holds the encoder, embeds batches."""

    def __init__(self, encoder: Encoder, version: str, thumbnails: bool) -> None:
        torch.set_num_threads(1)
        self._encoder, self._version, self._thumbnails = encoder.eval(), version, thumbnails

    def __call__(self, batch: pa.Table) -> pa.Table:
        return embed_batch(self._encoder, self._version, batch, self._thumbnails)


def embed_on_ray(encoder: Encoder, version: str, table: pa.Table, thumbnails: bool) -> Iterator[pa.Table]:
    """Yield embedded tables in the order of `table`, from one actor a core."""
    with ray_session():
        require_resources("Embedding", 1, {"CPU": 1})
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        cores = max(1, int(ray.available_resources().get("CPU", 1)) - 1)
        rows = ray.data.from_arrow(
            [table.slice(start, 16 * BATCH) for start in range(0, len(table), 16 * BATCH)]
        )
        embedded = rows.map_batches(
            _Embedder,
            fn_constructor_args=(encoder, version, thumbnails),
            batch_format="pyarrow",
            batch_size=BATCH,
            concurrency=cores,
        )
        yield from embedded.iter_batches(batch_format="pyarrow", batch_size=16 * BATCH)
