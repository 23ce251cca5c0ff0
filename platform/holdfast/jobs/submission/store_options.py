"""The options of a job that say where its store is."""

import os
from pathlib import Path

from holdfast.base import ConfigError, hide_in_url
from holdfast.store import VARIABLE, pin_down, sqlite_file

HEADS_STORE = "$HOLDFAST_STORE"
HEADS_ARTIFACTS = f"${VARIABLE}"


def store_options(store: str, artifacts: str | None) -> list[str]:
    """`--store` and `--artifacts` as the head node takes them; none for what the head's environment says.

    Whoever sees the cluster's jobs sees their commands. Raises ConfigError where a secret would be in them.
    """
    options = []
    where = store if store == HEADS_STORE else pin_down(store)
    if store != HEADS_STORE:
        _refuse_secrets(where, "--store", HEADS_STORE)
        options += ["--store", where]
        if sqlite_file(where) is None:
            artifacts = artifacts or os.environ.get(VARIABLE)
    if artifacts and artifacts != HEADS_ARTIFACTS:
        uri = artifacts if "://" in artifacts else str(Path(artifacts).absolute())
        _refuse_secrets(uri, "--artifacts", HEADS_ARTIFACTS)
        options += ["--artifacts", uri]
    return options


def _refuse_secrets(where: str, option: str, heads: str) -> None:
    if hide_in_url(where) != where:
        raise ConfigError(
            f"{option} {hide_in_url(where)} holds a secret, which whoever sees the jobs there would read. "
            f"Set {heads[1:]} where the head is started and submit with {option} '{heads}', or leave the "
            "secret out and keep it on the head (for PostgreSQL in ~/.pgpass)."
        )
