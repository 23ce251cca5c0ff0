"""Which endpoint, which model of it, and how it is asked."""

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from holdfast.base import ConfigError, hide_in_url, parse_settings
from holdfast.models.foreign.description import ForeignConfig, ForeignContract, write_description
from holdfast.models.foreign.http.bodies import BODIES, BodyName
from holdfast.models.foreign.wishes import Wishes
from holdfast.models.model import Model

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
NO_VARIABLE = "is no name of an environment variable, such as JINA_API_KEY; the key itself is never given"


class HttpConfig(ForeignConfig):
    """An endpoint that embeds images, text, or both."""

    kind: Literal["http"] = "http"
    url: str
    """Where requests go. An address without a path gets the usual one of `body`."""
    body: BodyName = "openai"
    """Whose requests and answers it speaks: OpenAI's, Cohere's (v2), Jina's, text-embeddings-inference's."""
    model: str = ""
    """As the endpoint calls it."""
    revision: str = ""
    """What you know of the model's revision: another one is another version."""
    key_env: str | None = None
    """Name of the environment variable that holds the key. The key itself is never stored."""
    dimension: int | None = Field(default=None, ge=2, le=65536)
    """How many dimensions it is asked for; None for those that it has."""
    batch: int | None = Field(default=None, ge=1, le=4096)
    """Items in one request at most; None for what all models behind such an endpoint take."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """At most so many requests of one process; None for as many as there are."""
    deadline_seconds: float = Field(default=30.0, gt=0, le=3600)
    """How long a request may take, all its tries together."""

    @field_validator("key_env")
    @classmethod
    def _names_a_variable(cls, name: str | None) -> str | None:
        if name is not None and not _VARIABLE.fullmatch(name):
            raise ValueError(NO_VARIABLE)
        return name

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https"):
            raise ValueError("is no address: it begins with http:// or https://, and a host follows")
        if parts.username or parts.password or hide_in_url(url) != url:
            raise ValueError("holds a key or a password: name the variable that holds it, in key_env")
        return url

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("url"), str):
            url = values["url"]
            body = BODIES.get(values.get("body", "openai"))
            if body is not None and re.fullmatch(r"https?://[^/?#]+/?", url):
                return values | {"url": url.rstrip("/") + body.path}
        return values

    @model_validator(mode="after")
    def _names_a_model(self) -> "HttpConfig":
        if not self.model and self.body != "tei":
            raise ValueError("model is missing: which of the endpoint's models it is")
        return self

    @property
    def provider(self) -> str:
        """The host that answers."""
        return urlsplit(self.url).netloc

    @property
    def items(self) -> int:
        """In one request at most."""
        return self.batch or BODIES[self.body].batch

    def identity(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "provider": self.provider,
            "model": self.model,
            "revision": self.revision,
        }

    @classmethod
    def adopt(cls, reference: str, wishes: Wishes, folder: Path) -> None:
        """`reference`: the address."""
        from holdfast.models.foreign.http.probing import probe

        known = ("body", "revision", "key_env", "dimension", "batch", "requests_per_minute")
        wishes.require_only("http", "model_name", *known)
        if wishes.key_env is not None and not _VARIABLE.fullmatch(wishes.key_env):
            # Said here without what was given, for that may be the key.
            raise ConfigError(f"What --key-env gives {NO_VARIABLE}.")
        said = {"model": wishes.model_name, **{name: getattr(wishes, name) for name in known}}
        given = {key: value for key, value in said.items() if value is not None}
        config = parse_settings(cls, {"url": reference, **given}, f"http:{hide_in_url(reference)}")
        answers = probe(config)
        answers.save(folder)
        write_description(folder, config, answers.dimension)

    def open(self, folder: Path, contract: ForeignContract) -> Model:
        from holdfast.models.foreign.http.model import HttpModel

        return HttpModel.open(self, folder, contract)
