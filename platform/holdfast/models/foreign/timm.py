"""Models of timm, with weights from a file or from the Hugging Face hub."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from holdfast.base import ConfigError, import_extra
from holdfast.models.foreign.describing import describe_files
from holdfast.models.foreign.hub import fetch
from holdfast.models.foreign.network import FileConfig, Network
from holdfast.models.foreign.pooling import pooled
from holdfast.models.foreign.reading import read_preprocessing, read_timm
from holdfast.models.foreign.signature import ImageInput
from holdfast.models.foreign.wishes import Wishes

WEIGHTS = "weights.safetensors"
_CLASSIFIERS = ("head.", "fc.", "classifier.", "head_dist.")


class TimmConfig(FileConfig):
    """Which of timm's networks it is, without its classifier, and how it wants its pixels."""

    kind: Literal["timm"] = "timm"
    network: str

    @classmethod
    def adopt(cls, reference: str, wishes: Wishes, folder: Path) -> None:
        """`reference`: timm's name of the network, with the tag of its weights (`resnet50.a1_in1k`)."""
        wishes.require_only("timm", "preprocessing", "weights", "revision")
        network = build_timm(reference)
        file = find_timm_weights(network, reference, wishes.weights, wishes.revision)
        shutil.copyfile(file, folder / WEIGHTS)
        own = read_timm(network.pretrained_cfg, f"timm:{reference}")
        given = ImageInput("NCHW", None, 3, (None, None), False)
        preprocessing = read_preprocessing(wishes.preprocessing, given, own, reference)
        describe_files(folder, cls(preprocessing=preprocessing, network=reference), f"timm:{reference}")

    def start(self, folder: Path) -> Network:
        network = build_timm(self.network)
        load_timm_weights(network, folder / WEIGHTS, self.network)
        return TimmNetwork(self, network)


class TimmNetwork:
    """A network in evaluation mode, which any number of threads may run."""

    def __init__(self, config: TimmConfig, network: Any) -> None:
        self._config, self._network = config, network
        self._device = torch.device("cpu")

    def move(self, device: torch.device) -> None:
        self._network.to(device)
        self._device = device

    def embed_images(self, pixels: np.ndarray) -> np.ndarray:
        given = self._config.preprocessing.normalize(torch.tensor(pixels, device=self._device))
        with torch.inference_mode():
            answer = self._network(given)
        return pooled(answer.float().cpu().numpy(), "NCHW")

    def embed_texts(self, texts: Sequence[str]) -> NoReturn:
        raise NotImplementedError


def build_timm(name: str, **settings: Any) -> Any:
    """Without its classifier and without weights, in evaluation mode; `settings` are timm's. Raises
    ConfigError for a name that timm does not know, and where torchvision is made for another torch."""
    try:
        timm = import_extra("timm", "timm", "A model of kind timm needs timm", ConfigError)
    except RuntimeError as error:
        raise ConfigError(
            f"timm cannot be imported, as the torchvision that is installed was made for another torch than "
            f"{torch.__version__}: install the one that goes with it."
        ) from error
    try:
        return timm.create_model(name, pretrained=False, num_classes=0, **settings).eval()
    except Exception as error:
        # timm's networks check what they are given with whatever error is at hand.
        said = " ".join(str(error).split())[:200].rstrip(".")
        raise ConfigError(f"timm cannot make {name!r}: {said}.") from error


def find_timm_weights(network: Any, name: str, file: Path | None, revision: str | None) -> Path:
    """The file that was named, else the hub's. Raises ConfigError where there is none as safetensors."""
    if file is None:
        place = network.pretrained_cfg.get("hf_hub_id")
        if not place:
            raise ConfigError(f"timm has no weights for {name!r}: give --weights FILE.safetensors.")
        file = fetch(place, revision, ("model.safetensors",)) / "model.safetensors"
    if not file.is_file() or file.suffix != ".safetensors":
        raise ConfigError(f"{str(file)!r} is no file of weights: give --weights FILE.safetensors.")
    return file


def load_timm_weights(network: Any, file: Path, name: str) -> None:
    """Raises ConfigError for weights of another network; those of its classifier are left out."""
    try:
        missing, unexpected = network.load_state_dict(load_file(file), strict=False)
    except (RuntimeError, SafetensorError) as error:
        said = " ".join(str(error).split())[:200].rstrip(".")
        raise ConfigError(f"These are no weights of timm's {name}: {said}.") from error
    wrong = [*missing, *(each for each in unexpected if not each.startswith(_CLASSIFIERS))]
    if wrong:
        raise ConfigError(f"These are no weights of timm's {name}: {wrong[0]} does not agree.")
