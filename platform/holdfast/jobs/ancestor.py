"""The version that a sequence starts from, as the learner needs it."""

import json

import safetensors.torch

from holdfast.learning import Ancestor
from holdfast.regularizers import Classifier
from holdfast.store import Store

HEAD = "head.safetensors"
CLASSES = "classes.json"


def load_ancestor(store: Store, name: str) -> Ancestor:
    """A published version with the classifier that it was trained with. Raises NotFoundError."""
    encoder = store.load(name).requires_grad_(False)
    classifier = None
    if HEAD in store.version(name).files:
        directions = safetensors.torch.load(store.file(name, HEAD))["directions"]
        classifier = Classifier(directions, tuple(json.loads(store.file(name, CLASSES))))
    generation, version = 1, store.version(name)
    while version.parent is not None:
        generation, version = generation + 1, store.version(version.parent)
    return Ancestor(name, encoder, classifier, generation)
