"""The network of a version of the store, which goes on learning."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from safetensors.torch import load_file

from holdfast.base import ConfigError
from holdfast.models.preparation import Preprocessing
from holdfast.models.trunks.config import TrunkConfig
from holdfast.models.trunks.own import OwnTrunk
from holdfast.models.trunks.pretrained import PretrainedConfig
from holdfast.models.trunks.timm import TimmTrunk
from holdfast.models.trunks.transformers import TransformersTrunk
from holdfast.models.trunks.trunk import Trunk

_TRAINED, _ADOPTED = "encoder.json", "foreign.json"
_WEIGHTS = "weights.safetensors"
_PREFIX = "backbone."
"""Of the names of a trunk's weights in the file of a version."""


class ContinuedTrunk(PretrainedConfig):
    """Of a version that was trained here, the trunk; all of one that was adopted (transformers, timm)."""

    kind: Literal["version"] = "version"
    name: str = Field(min_length=1)
    """`v3`, an alias such as `live`, or the name under which a model was adopted."""
    contract: str | None = Field(None, exclude_if=lambda value: value is None)
    """Of that version: filled in when a run begins, as `weights` is, the folder of its files."""

    @property
    def pretrained(self) -> bool:
        return True

    def own_preprocessing(self) -> Preprocessing | None:
        if self.weights is None:
            return None
        said, _ = self._read()
        return Preprocessing.model_validate(said["preprocessing"])

    def build(self, channels: int, size: int) -> Trunk:
        said, trained = self._read()
        built = self._network(said, trained).build(channels, size)
        if trained:
            weights = load_file(self._folder() / _WEIGHTS)
            built.load_state_dict(
                {
                    name.removeprefix(_PREFIX): tensor
                    for name, tensor in weights.items()
                    if name.startswith(_PREFIX)
                }
            )
        return built

    def published(self, trunk: Trunk) -> TrunkConfig:
        return self._network(*self._read()).published(trunk)

    def _folder(self) -> Path:
        if self.weights is None:
            raise ConfigError(
                f"model.trunk names the version {self.name!r}, which only a run with a store finds."
            )
        return Path(self.weights)

    def _read(self) -> tuple[dict[str, Any], bool]:
        """What the version says of itself, and whether it was trained here."""
        folder = self._folder()
        for name in (_TRAINED, _ADOPTED):
            if (folder / name).exists():
                said: dict[str, Any] = json.loads((folder / name).read_text())["config"]
                return said, name == _TRAINED
        raise ConfigError(
            f"model.trunk: {self.name} is a projection, which has no network of its own: name its base, or "
            "choose train: none."
        )

    def _network(self, said: dict[str, Any], trained: bool) -> TrunkConfig:
        """Raises ConfigError for a network that cannot go on learning."""
        if trained:
            return _trunk_of(said)
        match said["kind"]:
            case "transformers":
                return TransformersTrunk(weights=self.weights, output=said["output"])
            case "timm":
                return TimmTrunk(name=said["network"], weights=str(self._folder() / _WEIGHTS))
            case kind:
                raise ConfigError(
                    f"model.trunk: {self.name} was adopted as {kind}, and such a network cannot go on "
                    "learning: choose train: none, or a version that was trained here or adopted as "
                    "transformers or timm."
                )


def _trunk_of(said: dict[str, Any]) -> TrunkConfig:
    """The trunk of a version that was trained here, by Holdfast as it is or as it was."""
    from holdfast.models.trunks.kinds import read_trunk

    given = said.get("trunk", said.get("backbone"))
    trunk = read_trunk(given)
    if isinstance(trunk, TrunkConfig):
        # A word for a network of timm's, of an earlier Holdfast, names no weights.
        return trunk.as_architecture() if isinstance(trunk, PretrainedConfig) else trunk
    return OwnTrunk.model_validate({"kind": trunk, "width": said.get("width", 1.0)})
