"""The application for `serve deploy` and KubeRay's RayService, which do without `holdfast serve`."""

import os

from pydantic import Field
from ray.serve import Application

from holdfast.base import StoreError
from holdfast.store import open_store, pin_down
from holdfast_serving.config import ServingConfig
from holdfast_serving.http import parse_keys
from holdfast_serving.launch.deployments import build_application
from holdfast_serving.launch.local_ray import refuse_sqlite_on_many_nodes
from holdfast_serving.launch.settings import KEYS_VARIABLE

STORE_VARIABLE = "HOLDFAST_STORE"


class ApplicationConfig(ServingConfig):
    """The settings of a server, whose store the nodes of the cluster may name."""

    store: str = Field(default_factory=lambda: os.environ.get(STORE_VARIABLE, ""), repr=False)


def application(args: ApplicationConfig) -> Application:
    """`import_path: holdfast_serving.launch:application`, with the settings of `--config` as its `args`.

    Args:
        args: without a `store`, which whoever sees the cluster's applications would read, it is that of
            HOLDFAST_STORE on the cluster's nodes. Keys in the environment go before its own.

    Raises StoreError where there is no store, where it has no key, so that nobody could ask, or where it is a
    file and the cluster has several machines.
    """
    if not args.store:
        raise StoreError(
            f"Name a store: {STORE_VARIABLE} on every node of the cluster, or `store` in the args."
        )
    refusal = refuse_sqlite_on_many_nodes(args.store)
    if refusal is not None:
        raise StoreError(refusal)
    with open_store(pin_down(args.store), args.artifacts, create=False) as opened:
        where, artifacts = opened.place
        keys = parse_keys(os.environ.get(KEYS_VARIABLE, "")) or args.key_hashes
        if not keys and opened.keys.count() == 0:
            raise StoreError(
                f"{opened.where} has no key, so nobody could ask: 'holdfast keys create NAME' makes one."
            )
    config = args.model_copy(update={"store": where, "artifacts": artifacts, "key_hashes": keys})
    # What is deployed again, as an upgrade, finds the writer of before.
    return build_application(config, finds_writer=True)
