"""Networks of the timm library."""

from typing import cast

import torch
from torch import Tensor

from holdfast.base import ConfigError, import_extra
from holdfast.models.normalization import synchronize
from holdfast.models.trunks.trunk import Trunk


class TimmTrunk(Trunk):
    """Any model of the timm library, untrained and without its classifier."""

    def __init__(self, name: str, channels: int, size: int) -> None:
        super().__init__()
        timm = import_extra("timm", "timm", f"model.trunk 'timm:{name}' needs timm", ConfigError)
        try:
            model = timm.create_model(name, pretrained=False, num_classes=0, in_chans=channels)
            # The number that timm declares is not always what comes out, so one image is run.
            with torch.no_grad():
                features = model.eval()(torch.zeros(1, channels, size, size)).flatten(1).shape[1]
        except (RuntimeError, AssertionError, ValueError, TypeError) as error:
            raise ConfigError(
                f"model.trunk is 'timm:{name}', which timm cannot make for images of "
                f"{channels} x {size} x {size}: {str(error).rstrip('.')}."
            ) from error
        self.model = synchronize(model.train())
        self.features = features

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.model(images).flatten(1))
