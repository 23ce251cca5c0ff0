"""The errors that a user can cause. Each message says what was wrong and what to do about it.

The command line prints the message and exits with 2; the gateway answers with `http_status`, `code` and the
message. Anything else is the system's refusal or a defect of Holdfast: see `failures`.
"""

from typing import Any

from holdfast.base.redaction import hide_secrets


class HoldfastError(Exception):
    """Base of all errors that a user can cause and mend. Its message never shows a password."""

    http_status = 422
    code = "invalid"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*(hide_secrets(each) if isinstance(each, str) else each for each in arguments))


class ConfigError(HoldfastError):
    """The experiment file, or an option, is wrong: names the key's path and the allowed values."""

    code = "invalid_config"


class DataError(HoldfastError):
    """A source is missing, empty or undecodable, or a stream cannot be cut from it."""

    code = "invalid_data"


class DivergedError(HoldfastError):
    """A loss term, or what was learned, became NaN or infinite; the last sound checkpoint is kept."""

    code = "diverged"


class BelowBaselineError(HoldfastError):
    """What was learned is surely worse than doing nothing: it is kept, and not published. The command line
    exits with 3."""

    code = "below_baseline"


class NotFoundError(HoldfastError):
    """A version, alias, run or entry that does not exist: names what does."""

    http_status = 404
    code = "not_found"


class IncompatibleError(HoldfastError):
    """Two versions may not share a ranking: their compatibility failed or was never measured."""

    http_status = 409
    code = "incompatible_versions"


class StaleEpochError(HoldfastError):
    """The traffic record moved on since the caller read it (compare-and-swap on `epoch`)."""

    http_status = 409
    code = "stale_epoch"


class ConflictError(HoldfastError):
    """The store already holds something else under that name."""

    http_status = 409
    code = "conflict"


class StoreError(HoldfastError):
    """The store cannot be opened: unreachable, of a newer schema, or damaged."""

    http_status = 503
    code = "store_unavailable"


class DatabaseAwayError(StoreError):
    """The database does not answer, or takes no more connections or writes for now: the same may succeed a
    little later."""


class UnsoundError(StoreError):
    """Weights or embeddings that are not finite and of unit norm: no version, or one that is of no use."""

    code = "unsound_version"


class InvalidImageError(HoldfastError):
    """Bytes that are not an image, or an image that is unsafe to decode."""

    code = "invalid_image"


class NotEmbeddableError(HoldfastError):
    """A version was asked for what it does not embed: says what it does."""

    code = "not_embeddable"


class ChangedModelError(StoreError):
    """A foreign model no longer answers as it did when it was adopted: it is another version by now."""

    code = "model_changed"


class EndpointError(HoldfastError):
    """An endpoint that embeds does not answer, or not as it should: says which one, and what it said."""

    http_status = 503
    code = "endpoint_unavailable"


class EndpointRefusedError(EndpointError):
    """An endpoint does not embed what it was given, and would not the next time."""

    http_status = 422
    code = "endpoint_refused"


class TooManyPixelsError(InvalidImageError):
    """An image that is larger than what is decoded: says its size and the limit."""


class ExportError(HoldfastError):
    """An exported file does not make the embeddings of its version."""

    http_status = 500
    code = "export_failed"


class TooLargeError(HoldfastError):
    """A request, an image or a batch over its limit."""

    http_status = 413
    code = "too_large"


class ClusterError(HoldfastError):
    """A Ray cluster does not answer any more, or not as it should."""

    http_status = 503
    code = "cluster_unavailable"


class ResourcesError(HoldfastError):
    """More CPUs or GPUs are asked of Ray than all its machines have."""

    http_status = 503
    code = "too_few_resources"


class InvalidVectorError(HoldfastError):
    """A vector of the wrong dimension, not finite, or not of unit norm."""

    code = "invalid_vector"


class NotReadyError(HoldfastError):
    """The server cannot answer yet: no live version, or the index has not caught up."""

    http_status = 503
    code = "not_ready"
