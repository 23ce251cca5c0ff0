"""What a checkpoint holds of the version that a task starts from, and whether a checkpoint fits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from holdfast.base import DataError, StoreError, UnsoundError
from holdfast.learning.learned import Ancestor
from holdfast.learning.resuming.checkpoints import State
from holdfast.learning.resuming.contents import Contents, find_changes
from holdfast.models import ModelConfig, build_learnable, find_flaw
from holdfast.regularizers import Classifier


def pack_ancestor(ancestor: Ancestor) -> dict[str, Any]:
    """The version as plain values and tensors; of one whose vectors alone are known, its name: these are kept
    elsewhere."""
    if ancestor.encoder is None:
        return {"version": ancestor.version, "model": None}
    return {
        "version": ancestor.version,
        "model": ancestor.encoder.config.model_dump_json(),
        "weights": ancestor.encoder.state_dict(),
        "classifier": vars(ancestor.classifier) if ancestor.classifier is not None else None,
        "images": ancestor.images,
    }


def unpack_ancestor(packed: dict[str, Any], first: Callable[[], Ancestor | None]) -> Ancestor:
    """What `pack_ancestor` packed. Raises UnsoundError for weights from which nothing can be learned.

    Args:
        first: gives the version that the sequence starts from.
    """
    if packed["model"] is None:
        ancestor = first()
        assert ancestor is not None
        return ancestor
    encoder = build_learnable(ModelConfig.model_validate_json(packed["model"]))
    encoder.load_state_dict(packed["weights"])
    flaw = find_flaw(encoder.eval())
    if flaw is not None:
        raise UnsoundError(
            f"{packed['version']} is of no use, {flaw}. To start from another version set 'parent', and "
            "start over with --fresh."
        )
    classifier = packed["classifier"]
    return Ancestor(
        packed["version"],
        encoder.requires_grad_(False),
        Classifier(**classifier) if classifier is not None else None,
        packed["images"],
    )


@contextmanager
def reading_checkpoint() -> Iterator[None]:
    """A whole checkpoint that does not fit, for what was changed by hand or is another Holdfast's."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise StoreError(
            f"The checkpoint does not fit this experiment ({str(error)[:100]!r}): start over with --fresh."
        ) from error


def require_same_contents(state: State, contents: Contents) -> None:
    """Raises DataError where a state was learned from, or measured on, other data than there are now."""
    # A state that somebody put together, to begin with a later task, does not say.
    changes = find_changes(state.get("contents", contents), contents)
    if changes:
        raise DataError(
            f"The data have changed since this run was interrupted: {'; '.join(changes)}. Bring back the "
            "data as they were, or start over with --fresh."
        )
