"""What makes two embeddings comparable, whatever made them."""

import hashlib
import json

from holdfast.base import Settings


class Identity(Settings):
    """Everything that an embedding depends on. Two models with one identity make the same embeddings."""

    dimension: int

    @property
    def id(self) -> str:
        """`hf1-` and 16 hex digits of the SHA-256 over all fields as JSON with sorted keys and no spaces."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return "hf1-" + hashlib.sha256(canonical.encode()).hexdigest()[:16]
