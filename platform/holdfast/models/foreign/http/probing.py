"""What an endpoint embeds, and whether it can be held to it: asked before it is adopted."""

from collections.abc import Sequence

import numpy as np

from holdfast.base import ConfigError, EndpointRefusedError, UnsoundError
from holdfast.models.foreign.answers import Answers, drift
from holdfast.models.foreign.http.config import HttpConfig
from holdfast.models.foreign.http.endpoint import Endpoint
from holdfast.models.foreign.http.images import data_uri, in_other_bytes
from holdfast.models.foreign.http.model import CHANGED, unit_vectors
from holdfast.models.model import Modality
from holdfast.models.probes import PROBE_TEXTS, probe_files

STABLE = CHANGED / 2


def probe(config: HttpConfig) -> Answers:
    """What the endpoint makes of the built-in probes.

    It is asked twice, and for images a third time with the same pixels in other bytes: what reads a data URI
    as text answers something else then, and embeds no images.

    Raises:
        EndpointError: it does not answer, or not as it should; the key is missing.
        UnsoundError: it answers differently for the same image or text.
        ConfigError: it embeds neither; its vectors have other dimensions than were asked for.
    """
    endpoint = Endpoint(config)
    files = probe_files()
    asked: dict[Modality, Sequence[str]] = {
        "image": [data_uri(file) for file in files],
        "text": PROBE_TEXTS,
    }
    vectors: dict[Modality, np.ndarray] = {}
    refusals: list[str] = []
    for modality, items in asked.items():
        try:
            vectors[modality] = _asked_twice(endpoint, modality, items)
        except EndpointRefusedError as error:
            refusals.append(str(error))
    if "image" in vectors:
        others = [data_uri(in_other_bytes(file)) for file in files]
        try:
            again = unit_vectors(endpoint, endpoint.ask("image", others))
        except EndpointRefusedError as error:
            again, refused = None, str(error)
        if again is None or drift(again, vectors["image"]) > STABLE:
            del vectors["image"]
            refusals.append(
                refused if again is None else f"{endpoint} reads images as if their data URIs were text."
            )
    if not vectors:
        raise ConfigError(f"{' '.join(refusals)} It cannot be a version: it embeds neither images nor text.")
    answers = Answers(vectors)
    found = {vectors.shape[1] for vectors in answers.vectors.values()}
    if len(found) > 1:
        raise ConfigError(f"{endpoint} gives images and text different dimensions: {sorted(found)}.")
    if config.dimension is not None and found != {config.dimension}:
        raise ConfigError(
            f"{endpoint} answers vectors of {answers.dimension} dimensions, although {config.dimension} were "
            "asked for: leave dimension out, or take a model that can be cut."
        )
    return answers


def _asked_twice(endpoint: Endpoint, modality: Modality, items: Sequence[str]) -> np.ndarray:
    first, second = (unit_vectors(endpoint, endpoint.ask(modality, items)) for _ in range(2))
    away = drift(first, second) if first.shape == second.shape else 1.0
    if away > STABLE:
        raise UnsoundError(
            f"{endpoint} answers differently for the same {modality} (cosine {1 - away:.3f} between two "
            "answers): nothing can be compared by such vectors, and it cannot be a version."
        )
    return first
