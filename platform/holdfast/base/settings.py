"""The base of every config: frozen, and strict about keys it does not know."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A small immutable config that lives beside the code that it configures.

    An unknown key is refused rather than ignored, so that a mistyped name cannot silently leave a default
    in place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)
