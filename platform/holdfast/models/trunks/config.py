"""What a config of a network below the embedding has to do."""

import json
from abc import abstractmethod

from holdfast.base import PartConfig
from holdfast.models.preparation import Preprocessing
from holdfast.models.trunks.trunk import Trunk


class TrunkConfig(PartConfig):
    """Base of the configs of networks of other packages."""

    @abstractmethod
    def build(self, channels: int, size: int) -> Trunk:
        """A freshly initialized network (torch's global generator) for (channels, size, size) images.

        Its weights are published with the version, and its settings are part of the version's contract:
        whatever else decides its output is a setting, too. Raises ConfigError for images that do not fit.
        """

    @property
    def pretrained(self) -> bool:
        """Whether it knows images before anything is learned here. Then the defaults of an experiment suit
        photographs, and versions are measured beside it as it was."""
        return False

    @property
    def frozen(self) -> bool:
        """Whether nothing of it learns. Then what is learned is a projection over its features."""
        return False

    def own_preprocessing(self) -> Preprocessing | None:
        """How it wants its pixels, where it says so: for all that `model.preprocessing` leaves out. Raises
        ConfigError for files that are not there."""
        return None

    def digest(self) -> str | None:
        """Of the weights with which a run begins, wherever they lie; None for a network that has none, or
        whose weights are not at hand."""
        return None

    def begin(self, trunk: Trunk) -> None:
        """Make what `build` built ready to learn, in place. Raises ConfigError."""
        return None

    def published(self, trunk: Trunk) -> "TrunkConfig":
        """The config with which a published version describes what `build` built: by it the network is built
        again, to be given the version's weights, wherever the version is loaded."""
        return self

    def described(self) -> str:
        """All that is known of the network but its weights, for the version's contract."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)
