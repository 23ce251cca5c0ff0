"""A store with versions that nobody had to train."""

import tempfile
from pathlib import Path

from holdfast.store import Compatibility, Draft, Store, open_store
from holdfast.testing.tasks import tiny_encoder


def tiny_store(folder: str | Path, versions: int = 2, dimension: int = 8) -> Store:
    """A new store with v1, v2, ..., each of them searching what the older ones filled.

    Their encoders take images of 8 pixels (`tiny_encoder`), and are not trained: what they are recorded to be
    compatible by is made up.
    """
    store = open_store(folder)
    for number in range(1, versions + 1):
        with tempfile.TemporaryDirectory() as written:
            tiny_encoder(number, dimension).save(Path(written))
            store.versions.publish(
                Draft(
                    run="tiny",
                    attempt=1,
                    task=number - 1,
                    parent=f"v{number - 1}" if number > 1 else None,
                    model_folder=Path(written),
                    experiment="name: tiny\n",
                    data_fingerprint="none",
                )
            )
    names = [f"v{number}" for number in range(1, versions + 1)]
    store.compatibility.record(
        [
            Compatibility(newer, older, 60.0, 50.0, 5.0, 15.0, True, "made up")
            for at, newer in enumerate(names)
            for older in names[:at]
        ]
    )
    return store
