from .adapting import embed_views, fit_adapter
from .ancestor import (
    choose_parent,
    find_unusable,
    latest_learned,
    lineage,
    load_ancestor,
    load_sound,
    warn_of_unusable,
)
from .cpus import cpus_per_worker
from .datasets import load_datasets, load_own_training
from .publisher import DATA, StorePublisher
from .run_folder import PAGE, RunCheckpoints, RunFolder, published_by

__all__ = [
    "DATA",
    "PAGE",
    "RunCheckpoints",
    "RunFolder",
    "StorePublisher",
    "choose_parent",
    "cpus_per_worker",
    "embed_views",
    "find_unusable",
    "fit_adapter",
    "latest_learned",
    "lineage",
    "load_ancestor",
    "load_datasets",
    "load_own_training",
    "load_sound",
    "published_by",
    "warn_of_unusable",
]
