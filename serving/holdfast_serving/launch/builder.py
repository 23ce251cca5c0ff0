"""The application for `serve deploy` and KubeRay's RayService, which do without `holdfast serve`."""

import os

from ray.serve import Application

from holdfast.base import StoreError
from holdfast.store import open_store, pin_down
from holdfast_serving.config import ServingConfig
from holdfast_serving.http import parse_keys
from holdfast_serving.launch.deployments import build_application
from holdfast_serving.launch.local_ray import refuse_sqlite_on_many_nodes
from holdfast_serving.launch.settings import KEYS_VARIABLE


def application(args: ServingConfig) -> Application:
    """`import_path: holdfast_serving.launch:application`, with the settings of `--config` as its `args`.

    Args:
        args: `store` is the one that is needed; keys in the environment go before its own.

    Raises StoreError where there is no store, where it has no key, so that nobody could ask, or where it is a
    file and the cluster has several machines.
    """
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
