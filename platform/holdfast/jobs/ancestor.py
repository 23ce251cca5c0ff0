"""The version that a sequence starts from, as the learner needs it."""

import json

import safetensors.torch

from holdfast.learning import Ancestor
from holdfast.regularizers import Classifier
from holdfast.store import Store

HEAD = "head.safetensors"
CLASSES = "classes.json"
LINEAGE_IMAGES = "lineage_images"


def load_ancestor(store: Store, name: str) -> Ancestor:
    """A published version with the classifier that it was trained with. Raises NotFoundError."""
    encoder = store.load(name).requires_grad_(False)
    classifier = None
    if HEAD in store.version(name).files:
        directions = safetensors.torch.load(store.file(name, HEAD))["directions"]
        classifier = Classifier(directions, tuple(json.loads(store.file(name, CLASSES))))
    return Ancestor(name, encoder, classifier, store.version(name).metrics.get(LINEAGE_IMAGES))
