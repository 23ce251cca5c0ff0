"""What a user says about a model that is to be adopted, beside where it is."""

from dataclasses import dataclass, fields
from pathlib import Path

from holdfast.base import ConfigError


@dataclass(frozen=True)
class Wishes:
    """None: nothing was said. Which of them a kind of model knows is its own affair.

    Args:
        preprocessing: our own YAML, a processor's `preprocessor_config.json`, or a timm model's
            `config.json`.
        output: which of its outputs is the embedding.
        revision: which state of a model that changes under one name.
        dimension: of embeddings that are not made here.
        model_name, body, key_env, batch, requests_per_minute: of an endpoint: see `HttpConfig`.
        text, tokenizer, text_output: of a text tower in a file of its own, that file, what makes tokens for
            it, and which of its outputs is the embedding.
        weights: where a library knows the network alone, its weights as safetensors.
    """

    preprocessing: Path | None = None
    output: str | None = None
    revision: str | None = None
    dimension: int | None = None
    model_name: str | None = None
    body: str | None = None
    key_env: str | None = None
    batch: int | None = None
    requests_per_minute: float | None = None
    text: Path | None = None
    tokenizer: Path | None = None
    text_output: str | None = None
    weights: Path | None = None

    def require_only(self, kind: str, *known: str) -> None:
        """Raises ConfigError for what was said and would not be heard."""
        for field in fields(self):
            if field.name not in known and getattr(self, field.name) is not None:
                options = ", ".join(map(_option, known)) or "none"
                raise ConfigError(
                    f"{_option(field.name)} says nothing to a model of kind {kind}: leave it out, it "
                    f"takes {options}."
                )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
