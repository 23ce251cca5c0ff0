"""The embedding server that a user would write: FastAPI, uvicorn, one model, requests batched as they come.

    python -m experiments.benchmarks.serving.bare_server ENCODER_FOLDER

No keys, no limits, no versions, no metrics. Says its URL on one line when it listens.
"""

import asyncio
import base64
import io
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import uvicorn
from fastapi import FastAPI
from PIL import Image
from pydantic import BaseModel

from holdfast.models import Encoder

MAX_BATCH = 128


class EmbeddingsRequest(BaseModel):
    model: str
    input: str | list[str]


def create_app(encoder: Encoder) -> FastAPI:
    waiting: asyncio.Queue[tuple[np.ndarray, asyncio.Future[np.ndarray]]] = asyncio.Queue()

    async def embed_what_waits() -> None:
        while True:
            batch = [await waiting.get()]
            while len(batch) < MAX_BATCH and not waiting.empty():
                batch.append(waiting.get_nowait())
            pixels = np.stack([image for image, _ in batch])
            vectors = await asyncio.to_thread(encoder.embed, pixels)
            for (_, future), vector in zip(batch, vectors, strict=True):
                if not future.done():
                    future.set_result(vector)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(embed_what_waits())
        yield
        task.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/embeddings")
    async def embeddings(body: EmbeddingsRequest) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[np.ndarray]] = []
        for image in [body.input] if isinstance(body.input, str) else body.input:
            content = base64.b64decode(image.partition(",")[2])
            pixels = encoder.preprocessing.pixels(Image.open(io.BytesIO(content)))
            futures.append(loop.create_future())
            await waiting.put((pixels, futures[-1]))
        vectors = await asyncio.gather(*futures)
        rows = [
            {"object": "embedding", "index": index, "embedding": vector.tolist()}
            for index, vector in enumerate(vectors)
        ]
        return {"object": "list", "model": body.model, "data": rows}

    return app


def main() -> None:
    torch.set_num_threads(1)
    encoder = Encoder.load(Path(sys.argv[1]))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    print(f"serves http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(create_app(encoder), log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
