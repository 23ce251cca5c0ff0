from .answers import (
    BackfillAnswer,
    EmbeddingsAnswer,
    EntryAnswer,
    FoundHit,
    GalleryAnswer,
    ModelAnswer,
    ModelSummary,
    SearchAnswer,
    TrafficAnswer,
    WrittenAnswer,
)
from .async_client import AsyncClient
from .client import Client
from .errors import (
    ApiError,
    ConflictError,
    ConnectionLostError,
    ForbiddenError,
    InvalidRequestError,
    NoConnectionError,
    NotFoundError,
    OverloadedError,
    ServerError,
    TimedOutError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from .inputs import Image, Vector
from .plans import Deleted, Embedded
from .requests import EntryBody
from .retries import RetryConfig
from .upserts import Written

__all__ = [
    "ApiError",
    "AsyncClient",
    "BackfillAnswer",
    "Client",
    "ConflictError",
    "ConnectionLostError",
    "Deleted",
    "Embedded",
    "EmbeddingsAnswer",
    "EntryAnswer",
    "EntryBody",
    "ForbiddenError",
    "FoundHit",
    "GalleryAnswer",
    "Image",
    "InvalidRequestError",
    "ModelAnswer",
    "ModelSummary",
    "NoConnectionError",
    "NotFoundError",
    "OverloadedError",
    "RetryConfig",
    "SearchAnswer",
    "ServerError",
    "TimedOutError",
    "TooLargeError",
    "TrafficAnswer",
    "UnauthorizedError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "Vector",
    "Written",
    "WrittenAnswer",
]
