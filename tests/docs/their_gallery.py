"""What the pages about adopting and pretrained models assume: images, vectors over them, a better model."""

import json
from pathlib import Path

import faiss
import numpy as np
from PIL import Image

from tests.fixtures.onnx_models import FEATURES, write_onnx

COUNT, SIDE = 160, 16
OLD = 20
"""Dimensions of the vectors that lie there."""


def bring_model(file: Path) -> None:
    """A model as ONNX, and `preprocessor_config.json` beside it."""
    write_onnx(file, size=SIDE)
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": SIDE, "width": SIDE},
        "resample": 3,
        "do_resize": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (file.parent / "preprocessor_config.json").write_text(json.dumps(processor))


def bring_gallery(folder: Path) -> None:
    """`photos/0.png` and so on, `photos.faiss`, `ids.txt`, `better.onnx` and `preprocessor_config.json`.

    The vectors are those of the better model, turned into another space and blurred: it is worth asking anew.
    """
    import onnxruntime

    generator = np.random.default_rng(0)
    bring_model(folder / "better.onnx")
    coarse = generator.integers(0, 255, (COUNT, 4, 4, 3), np.uint8)
    pictures = coarse.repeat(SIDE // 4, axis=1).repeat(SIDE // 4, axis=2)
    (folder / "photos").mkdir(exist_ok=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / "photos" / f"{number}.png")
    (folder / "ids.txt").write_text("".join(f"{number}\n" for number in range(COUNT)))
    session = onnxruntime.InferenceSession(folder / "better.onnx", providers=["CPUExecutionProvider"])
    pixels = (pictures.transpose(0, 3, 1, 2) / 127.5 - 1).astype(np.float32)
    features = session.run(None, {session.get_inputs()[0].name: pixels})[0]
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    turned = features @ np.linalg.qr(generator.normal(size=(OLD, OLD)))[0][:FEATURES].astype(np.float32)
    spread = features.std(axis=0).mean()
    turned += 0.2 * spread * generator.normal(size=turned.shape).astype(np.float32)
    index = faiss.IndexFlatIP(OLD)
    index.add(np.ascontiguousarray(turned / np.linalg.norm(turned, axis=1, keepdims=True)))
    faiss.write_index(index, str(folder / "photos.faiss"))
