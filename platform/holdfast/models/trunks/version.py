"""A version of the store below the embedding."""

from typing import Literal, NoReturn

from pydantic import Field

from holdfast.base import ConfigError
from holdfast.models.trunks.config import TrunkConfig
from holdfast.models.trunks.trunk import Trunk


class VersionTrunkConfig(TrunkConfig):
    """A version of the store, of whatever kind. With `train: none` a projection is learned over its vectors:
    it runs once an image, and entries of its own are met exactly by all that is learned over it."""

    kind: Literal["version"] = "version"
    name: str = Field(min_length=1)
    """`v3`, an alias such as `live`, or the name under which a model was adopted; of a projection it is the
    base that counts."""
    train: Literal["none"]
    contract: str | None = Field(None, exclude_if=lambda value: value is None)
    """Of that version, and the dimension of its vectors: filled in when a run begins."""
    dimension: int | None = Field(None, ge=2, exclude_if=lambda value: value is None)

    @property
    def frozen(self) -> bool:
        return True

    def found(self) -> tuple[str, int]:
        """Contract and dimension. Raises ConfigError where no store was looked into yet."""
        if self.contract is None or self.dimension is None:
            raise ConfigError(
                f"model.trunk names the version {self.name!r}, which only a run with a store finds."
            )
        return self.contract, self.dimension

    def build(self, channels: int, size: int) -> Trunk:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ConfigError(f"model.trunk: {self.name} is frozen, and learned over as vectors.")
