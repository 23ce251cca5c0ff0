"""Models as folders of transformers: its own classes, weights as safetensors, and no code of the folder's."""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from holdfast.base import ConfigError, import_extra
from holdfast.models.foreign.describing import describe_files
from holdfast.models.foreign.hub import fetch
from holdfast.models.foreign.network import FileConfig, Network
from holdfast.models.foreign.pooling import pooled
from holdfast.models.foreign.reading import read_preprocessing
from holdfast.models.foreign.signature import ImageInput
from holdfast.models.foreign.wishes import Wishes

Feature = Literal["projection", "pooler_output", "cls", "mean"]
_FEATURES: tuple[Feature, ...] = ("projection", "pooler_output", "cls", "mean")
_MODEL = ("config.json", "*.safetensors", "*.safetensors.index.json")
_TOKENIZER = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
)
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
MODEL_FILES = (*_MODEL, *_PROCESSORS)
"""What a folder has to hold, and what says how it wants its pixels."""


class TransformersConfig(FileConfig):
    """What is taken of a model's answer, and how it wants its pixels and texts."""

    kind: Literal["transformers"] = "transformers"
    output: Feature
    """`projection`: into the space that images and text share; `pooler_output`; `cls`: the first token of the
    last layer; `mean`: the mean of its tokens, or of its feature map."""
    tokens: int | None = None
    """How many tokens a text has, filled up or cut off; None where there is no text tower."""

    @classmethod
    def adopt(cls, reference: str, wishes: Wishes, folder: Path) -> None:
        """`reference`: a folder, or an id of the Hugging Face hub."""
        wishes.require_only("transformers", "preprocessing", "output", "revision")
        source = fetch(reference, wishes.revision, (*MODEL_FILES, *_TOKENIZER))
        _copy(source, folder, _MODEL)
        model, missing = load_transformers(folder, reference)
        output = choose_feature(model, missing, wishes.output, reference)
        tokens = None
        if output == "projection" and any(source.glob(pattern) for pattern in _TOKENIZER):
            _copy(source, folder, _TOKENIZER)
            tokens = model.config.get_text_config().max_position_embeddings
        said = wishes.preprocessing or find_processor(source)
        vision = getattr(model.config, "vision_config", model.config)
        given = ImageInput("NCHW", None, getattr(vision, "num_channels", 3), (None, None), False)
        config = cls(
            preprocessing=read_preprocessing(said, given, None, reference), output=output, tokens=tokens
        )
        describe_files(folder, config, reference)

    @property
    def takes_text(self) -> bool:
        return self.tokens is not None

    def start(self, folder: Path) -> Network:
        model, _ = load_transformers(folder, str(folder))
        return TransformersNetwork(self, model, None if self.tokens is None else _load_tokenizer(folder))


class TransformersNetwork:
    """A model in evaluation mode, which any number of threads may run."""

    def __init__(self, config: TransformersConfig, model: Any, tokenizer: Any) -> None:
        self._config, self._model, self._tokenizer = config, model, tokenizer
        self._device = torch.device("cpu")

    def move(self, device: torch.device) -> None:
        self._model.to(device)
        self._device = device

    def embed_images(self, pixels: np.ndarray) -> np.ndarray:
        given = self._config.preprocessing.normalize(torch.tensor(pixels, device=self._device))
        with torch.inference_mode():
            answer = image_feature(self._model, given, self._config.output)
        return pooled(answer.float().cpu().numpy(), "NCHW")

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        tokens = self._tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=self._config.tokens,
            return_tensors="pt",
        ).to(self._device)
        with torch.inference_mode():
            answer: np.ndarray = _tower(self._model.get_text_features(**tokens)).float().cpu().numpy()
        return answer


def find_processor(folder: Path) -> Path | None:
    """The file of a folder that says how its model wants its pixels."""
    described = (folder / name for name in _PROCESSORS)
    return next((file for file in described if file.is_file()), None)


def image_feature(model: Any, pixels: torch.Tensor, output: Feature, **settings: Any) -> torch.Tensor:
    """What a model makes of normalized pixels (b, c, h, w): embeddings (b, d) or feature maps (b, d, h, w).

    `settings` are those of the model's call.
    """
    if output == "projection":
        return _tower(model.get_image_features(pixel_values=pixels, **settings))
    return _feature(model(pixel_values=pixels, **settings), output)


def _tower(answer: Any) -> torch.Tensor:
    """Of releases before 5 a tensor, since then a record whose pooled output is the projection."""
    return answer if isinstance(answer, torch.Tensor) else answer.pooler_output


def _feature(answer: Any, output: Feature) -> torch.Tensor:
    if output == "pooler_output":
        # ConvNext and ResNet keep the sides of their maps, of one pixel.
        pooled_output: torch.Tensor = answer.pooler_output
        return pooled_output
    last: torch.Tensor = answer.last_hidden_state
    if output == "cls":
        return last[:, 0]
    return last.mean(1) if last.ndim == 3 else last


def choose_feature(model: Any, missing: Sequence[str], wished: str | None, named: str) -> Feature:
    """The wished feature, else the first that the model has. Raises ConfigError."""
    features: list[Feature] = []
    if hasattr(model, "get_image_features") and hasattr(model, "get_text_features"):
        features.append("projection")
    else:
        has_pooler = not any(key.startswith("pooler.") for key in missing)
        probe = _probe(model, named)
        if has_pooler and getattr(probe, "pooler_output", None) is not None:
            features.append("pooler_output")
        features += ["cls", "mean"] if probe.last_hidden_state.ndim == 3 else ["mean"]
    if wished is None:
        return features[0]
    for feature in features:
        if feature == wished:
            return feature
    raise ConfigError(f"{named} has no output {wished!r}: it has {', '.join(features)}.")


def _probe(model: Any, named: str) -> Any:
    """What it answers to one grey image of the size that it knows, its last layer among it."""
    size = getattr(model.config, "image_size", 224)
    sides = (size, size) if isinstance(size, int) else tuple(size)
    try:
        with torch.inference_mode():
            answer = model(pixel_values=torch.zeros(1, getattr(model.config, "num_channels", 3), *sides))
    except Exception as error:
        said = " ".join(str(error).split())[:200].rstrip(".")
        raise ConfigError(f"{named} does not embed images: {said}.") from error
    if getattr(answer, "last_hidden_state", None) is None:
        raise ConfigError(f"{named} does not embed images: its answer has no last_hidden_state.")
    return answer


def load_transformers(folder: Path, named: str) -> tuple[Any, Sequence[str]]:
    """The model in evaluation mode, and the names of weights that are not there but not needed either."""
    library = _library()
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise ConfigError(
            f"{named} is no model that transformers saved: it has to hold config.json and weights as "
            "safetensors."
        )
    try:
        with _quietly(library):
            model, info = library.AutoModel.from_pretrained(
                str(folder),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as error:
        # Whatever transformers stumbles over in a stranger's folder.
        said = " ".join(str(error).split())[:300].rstrip(".")
        own_code = "auto_map" in json.loads((folder / "config.json").read_text() or "{}")
        reason = "it needs code of its own, which is never run" if own_code else said
        raise ConfigError(f"{named} cannot be loaded by transformers: {reason}.") from error
    missing = sorted(info["missing_keys"])
    needed = [key for key in missing if not key.startswith("pooler.")]
    wrong = [*needed, *sorted(str(each) for each in info["mismatched_keys"])]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise ConfigError(f"{named} lacks weights of its model: {wrong[0]}{more}.")
    return model.eval(), missing


def make_transformers(architecture: Mapping[str, Any], named: str) -> Any:
    """A model of that config, as transformers writes it, whose weights are drawn. Raises ConfigError."""
    library = _library()
    settings = {key: value for key, value in architecture.items() if key != "model_type"}
    try:
        with _quietly(library):
            config = library.AutoConfig.for_model(architecture["model_type"], **settings)
            return library.AutoModel.from_config(config, trust_remote_code=False, dtype=torch.float32)
    except Exception as error:
        # Another release of transformers may know other settings.
        said = " ".join(str(error).split())[:300].rstrip(".")
        raise ConfigError(f"{named} cannot be made by transformers: {said}.") from error


def _load_tokenizer(folder: Path) -> Any:
    library = _library()
    try:
        with _quietly(library):
            return library.AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
    except Exception as error:
        said = " ".join(str(error).split())[:300].rstrip(".")
        raise ConfigError(f"The tokenizer of {folder} cannot be loaded: {said}.") from error


def _library() -> Any:
    return import_extra(
        "transformers", "transformers", "A model of kind transformers needs transformers", ConfigError
    )


def _copy(source: Path, folder: Path, patterns: Sequence[str]) -> None:
    for pattern in patterns:
        for file in sorted(source.glob(pattern)):
            if file.is_file():
                shutil.copyfile(file, folder / file.name)


@contextmanager
def _quietly(library: Any) -> Iterator[None]:
    """transformers tells about its own inner workings, and draws bars."""
    logger = logging.getLogger("transformers")
    level, bars = logger.level, library.utils.logging.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    library.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(level)
        if bars:
            library.utils.logging.enable_progress_bar()
