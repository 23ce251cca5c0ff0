"""Pixels as the image processors make them with which real models are published."""

import importlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from holdfast.base import ConfigError
from holdfast.models import Preprocessing
from holdfast.models.foreign.reading import read_file

DATA = Path(os.environ.get("HOLDFAST_DATA", "../shared/data"))

PUBLISHED: dict[str, dict[str, Any]] = {
    "openai/clip-vit-base-patch32": {
        "crop_size": 224,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": 224,
    },
    "google/siglip-base-patch16-224": {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "SiglipImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "SiglipProcessor",
        "resample": 3,
        "rescale_factor": 0.00392156862745098,
        "size": {"height": 224, "width": 224},
    },
    "facebook/dinov2-base": {
        "crop_size": {"height": 224, "width": 224},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_processor_type": "BitImageProcessor",
        "image_std": [0.229, 0.224, 0.225],
        "resample": 3,
        "rescale_factor": 0.00392156862745098,
        "size": {"shortest_edge": 256},
    },
    "google/vit-base-patch16-224": {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "ViTImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "resample": 2,
        "rescale_factor": 0.00392156862745098,
        "size": {"height": 224, "width": 224},
    },
    "google/efficientnet-b0": {
        "crop_size": {"height": 289, "width": 289},
        "do_center_crop": False,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_processor_type": "EfficientNetImageProcessor",
        "image_std": [0.47853944, 0.4732864, 0.47434163],
        "include_top": True,
        "resample": 0,
        "rescale_factor": 0.00392156862745098,
        "rescale_offset": False,
        "size": {"height": 224, "width": 224},
    },
}
FURTHER: dict[str, dict[str, Any]] = {
    "facebook/convnext-tiny-224": {
        "crop_pct": 0.875,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "ConvNextFeatureExtractor",
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "resample": 3,
        "size": 224,
    },
    "convnext of 384": {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}},
    "facebook/deit-base-distilled-patch16-224": {
        "crop_size": 224,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "DeiTFeatureExtractor",
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "resample": 3,
        "size": 256,
    },
    "offset, lanczos": {
        "image_processor_type": "EfficientNetImageProcessor",
        "include_top": False,
        "resample": 1,
        "rescale_factor": 1 / 127.5,
        "rescale_offset": True,
        "size": {"height": 96, "width": 96},
    },
    "numbers of bytes": {
        "image_processor_type": "ViTImageProcessor",
        "do_rescale": False,
        "do_normalize": False,
    },
    "another factor": {"image_processor_type": "ViTImageProcessor", "rescale_factor": 1 / 64},
}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"image_processor_type": "CLIPImageProcessor", "do_pad": True}, "do_pad"),
    ({"image_processor_type": "ViTImageProcessor", "size": {"height": 256, "width": 128}}, "size"),
    ({"image_processor_type": "ViTImageProcessor", "size": {"shortest_edge": 224}}, "size"),
    ({"image_processor_type": "ViTImageProcessor", "do_resize": False}, "do_resize"),
    ({"image_processor_type": "ViTImageProcessor", "resample": 5}, "resample"),
    ({"image_processor_type": "ViTImageProcessor", "image_mean": [0.5]}, "image_mean"),
    ({"image_processor_type": "ViTImageProcessor", "max_num_patches": 256}, "max_num_patches"),
    ({"image_processor_type": "ViTImageProcessor", "auto_map": {"x": "y"}}, "auto_map"),
    ({"image_processor_type": "Siglip2ImageProcessor"}, "Siglip2ImageProcessor"),
    ({"image_processor_type": "CLIPImageProcessor", "crop_size": 256}, "resize"),
    ({"do_resize": True}, "image_processor_type"),
    ({"pretrained_cfg": {"input_size": [3, 224, 224], "crop_mode": "border"}}, "crop_mode"),
    ({"pretrained_cfg": {"input_size": [3, 224, 192]}}, "input_size"),
    ({"input_size": [3, 224, 224], "interpolation": "random"}, "interpolation"),
]


def theirs(values: dict[str, Any], image: Image.Image) -> np.ndarray:
    """What the class of transformers makes of an image: float32 (3, s, s)."""
    named = values.get("image_processor_type") or values["feature_extractor_type"]
    family = named.removesuffix("ImageProcessor").removesuffix("FeatureExtractor")
    module = f"transformers.models.{family.lower()}.image_processing_pil_{family.lower()}"
    kind = getattr(importlib.import_module(module), f"{family}ImageProcessorPil")
    made = kind(**{key: value for key, value in values.items() if not key.endswith("_type")})
    return np.asarray(made(images=image, return_tensors="np")["pixel_values"][0])


def photographs() -> list[Image.Image]:
    """Noise of odd sizes, smaller and larger than what is asked for; and what the shared data have."""
    sizes = [(64, 64), (101, 67), (333, 517), (225, 224), (50, 399)]
    random = np.random.default_rng(0)
    images = [
        Image.fromarray(random.integers(0, 256, (h, w, 3), np.uint8)).resize((w, h), Image.Resampling.BICUBIC)
        for w, h in sizes
    ]
    file = DATA / "caltech101_160.parquet"
    if file.exists():
        rows = (
            pq.ParquetFile(file)
            .read_row_group(0, columns=["image"])
            .slice(0, 400)
            .column("image")
            .to_pylist()
        )
        images += [Image.open(io.BytesIO(each)).convert("RGB") for each in rows[::50]]
    return images


@pytest.mark.parametrize("name", [*PUBLISHED, *FURTHER])
def test_pixels_are_those_of_the_published_processor(name: str, tmp_path: Path) -> None:
    values = {**PUBLISHED, **FURTHER}[name]
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps(values))
    ours = Preprocessing(**read_file(file))
    # One step of 255 of what this processor makes of black and white.
    black, white = (theirs(values, Image.new("RGB", (40, 40), colour)) for colour in ("black", "white"))
    step = (white - black)[:, :1, :1] / 255
    for image in photographs():
        expected = theirs(values, image)
        found = ours.normalize(torch.from_numpy(ours.pixels(image))[None])[0].numpy()
        assert found.shape == expected.shape
        assert float((np.abs(found - expected) / step).max()) < 1, image.size


@pytest.mark.parametrize(("values", "named"), REFUSED)
def test_what_cannot_be_honoured_is_refused_by_its_name(
    values: dict[str, Any], named: str, tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(values))
    with pytest.raises((ConfigError, ValueError), match=named):
        Preprocessing(**read_file(file))


def test_a_processor_inside_a_newer_file_is_read(tmp_path: Path) -> None:
    values = PUBLISHED["facebook/dinov2-base"]
    old, new = tmp_path / "preprocessor_config.json", tmp_path / "processor_config.json"
    old.write_text(json.dumps(values))
    new.write_text(json.dumps({"image_processor": values, "processor_class": "CLIPProcessor"}))
    assert read_file(old) == read_file(new)


def test_a_model_of_timm_says_it_in_its_own_words(tmp_path: Path) -> None:
    """vit_base_patch14_dinov2.lvd142m and mobilenetv3_large_100.ra_in1k, as they are published."""
    file = tmp_path / "config.json"
    config = {"input_size": [3, 518, 518], "interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": "center"}
    stated = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    file.write_text(
        json.dumps({"architecture": "vit", "num_classes": 0, "pretrained_cfg": {**config, **stated}})
    )
    assert Preprocessing(**read_file(file)) == Preprocessing(
        size=518, channels=3, fit="crop", resize=518, centre="round", resampling="bicubic", **stated
    )
    file.write_text(json.dumps({"input_size": [3, 224, 224], "interpolation": "bilinear", "crop_pct": 0.9}))
    assert read_file(file)["resize"] == 248
