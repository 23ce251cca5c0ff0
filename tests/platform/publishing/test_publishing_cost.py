"""A publication reads what is new, however many versions came before (invariant 6)."""

from collections import Counter
from itertools import pairwise

import pytest

from holdfast.jobs.train import run_experiment
from holdfast.learning.progress import ignore_progress
from holdfast.publishing.publisher import StorePublisher
from holdfast.store import Adapters, Versions, open_store


@pytest.fixture
def publications(monkeypatch):
    """For every publication: the adapters that were read, and the models that were loaded, each with its
    number of times."""
    seen: list[tuple[Counter, Counter]] = []
    publish, load_adapter, load = StorePublisher.publish, Adapters.open, Versions.load

    def noting_publish(publisher, learned):
        seen.append((Counter(), Counter()))
        return publish(publisher, learned)

    def noting_adapter(store, row):
        seen[-1][0][row.query, row.gallery] += 1
        return load_adapter(store, row)

    def noting_load(store, name):
        if seen:
            seen[-1][1][name] += 1
        return load(store, name)

    monkeypatch.setattr(StorePublisher, "publish", noting_publish)
    monkeypatch.setattr(Adapters, "open", noting_adapter)
    monkeypatch.setattr(Versions, "load", noting_load)
    return seen


def test_a_publication_reads_the_adapters_and_models_that_are_new_to_it(tmp_path, tiny, publications):
    with open_store(tmp_path / "store") as store:
        run_experiment(store, tiny(stream={"tasks": 6, "validation": 0.25}), ignore_progress)
    adapters, models = publications[4]
    # Of earlier pairs only what the parent's adapters were fitted on, which the new ones build on.
    assert {query for query, _ in adapters} == {"v5", "v4"}
    assert max(models.values()) == 1
    assert set(models) == {"v1", "v2", "v3", "v4", "v5"}
    totals = [sum(read.values()) for read, _ in publications]
    steps = [after - before for before, after in pairwise(totals[1:5])]
    assert max(steps) == min(steps), f"adapters read grow by more and more: {totals}"
