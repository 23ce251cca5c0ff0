"""What makes two embeddings comparable: the identity of the encoder that made them."""

import hashlib
import json
from typing import Literal

from holdfast.base import Settings
from holdfast.models.preprocessing import Preprocessing


class Contract(Settings):
    """Everything that an embedding depends on. Two encoders with one contract make the same embeddings.

    Attributes:
        backbone: the word for a built-in one; of another package's its settings, as JSON text.
    """

    weights_sha256: str
    preprocessing: Preprocessing
    backbone: str
    dimension: int
    normalization: Literal["l2"] = "l2"

    @property
    def id(self) -> str:
        """`hf1-` and 16 hex digits of the SHA-256 over all fields as JSON with sorted keys and no spaces."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return "hf1-" + hashlib.sha256(canonical.encode()).hexdigest()[:16]
