"""What a config of a network below the embedding has to do."""

from abc import abstractmethod

from holdfast.base import PartConfig
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
