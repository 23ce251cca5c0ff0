"""The identity of a network that was trained here."""

from typing import Literal

from holdfast.models.identity import Identity
from holdfast.models.preparation import Preprocessing


class Contract(Identity):
    """Everything that an encoder's embedding depends on.

    Attributes:
        backbone: the trunk, under the older name, which is hashed: the word for a built-in one; of another
            package's its settings, as JSON text.
    """

    weights_sha256: str
    preprocessing: Preprocessing
    backbone: str
    normalization: Literal["l2"] = "l2"
