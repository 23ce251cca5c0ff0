"""The constants of a plan by their quick form, beside a gallery of another size; many codes, interrupted."""

from pathlib import Path
from typing import Any

import faiss
import pytest

from experiments.benchmarks.scale import hundred_million
from experiments.benchmarks.scale.at_dimension import of_rates, of_store
from experiments.benchmarks.scale.checking import beside
from experiments.benchmarks.scale.constants import TAKEN, Size, assembled
from holdfast.capacity import Demand, Machine, load_constants, make_plan

SIZE = Size(entries=1_000, dimensions=(16, 32), rated=2_000, graph=300)
FIGURES = {"snapshot": 0.1, "disk": 0.15}
"""How far off what is said may be, as a share; times are not held to anything on a machine of tests."""


def test_what_is_said_of_a_gallery_of_another_size_is_so() -> None:
    narrow, wide = SIZE.dimensions
    first = of_store(SIZE.entries, narrow, changed=True) | of_rates(SIZE.rated, SIZE.graph, narrow)
    # Speeds are looked at in passing, so those of one dimension do for both.
    found = {narrow: first, wide: first | of_store(SIZE.entries, wide, changed=False)}
    constants = assembled(SIZE, found, {"images": 1.0}, "this one")
    entries, dimension = 2_500, 24
    compared = beside(constants, of_store(entries, dimension, changed=False), entries, dimension)
    assert set(compared) == {"sqlite", "exact", "sq8", "pq4"}
    for figures in compared.values():
        for name, (said, measured, _) in figures.items():
            assert said > 0
            assert measured > 0
            if name in FIGURES:
                assert said == pytest.approx(measured, rel=FIGURES[name])
    # What is packaged has the same names, so a plan finds all that it asks for in either.
    assert set(constants.by_name) == set(load_constants().by_name)
    assert set(TAKEN) < set(constants.by_name)
    demand = Demand(entries=10_000, dimension=64, queries_per_second=10, upgrade_every=86_400)
    assert make_plan(demand, Machine(), constants).chosen is not None


def test_many_codes_go_on_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = faiss.omp_get_max_threads()
    entries, lists = 200_000, 16
    keep = hundred_million._keep

    def interrupt(*given: Any) -> None:
        keep(*given)
        raise KeyboardInterrupt

    try:
        monkeypatch.setattr(hundred_million, "_keep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            hundred_million.build(tmp_path, entries, lists, checkpoint=100_000)
        (checkpoint,) = tmp_path.glob("checkpoint-*")
        assert checkpoint.name == f"checkpoint-{2 * hundred_million.CHUNK}"
        monkeypatch.setattr(hundred_million, "_keep", keep)
        state = hundred_million.build(tmp_path, entries, lists, checkpoint=100_000)
        assert state["coded"] == entries
        # The last checkpoint has gone where the snapshot took its place.
        assert sorted(each.name for each in tmp_path.iterdir()) == ["snapshot", "state.json"]
        assert hundred_million.build(tmp_path, entries, lists, checkpoint=100_000) == state
        with pytest.raises(SystemExit, match="name another"):
            hundred_million.build(tmp_path, entries, 2 * lists, checkpoint=100_000)
        found = hundred_million.search(tmp_path)
    finally:
        faiss.omp_set_num_threads(threads)
    assert (found["entries"], found["lists"]) == (entries, lists)
    assert found["snapshot_bytes"] >= entries * 40
    by_lists = found["by_lists"]
    assert by_lists[1]["recall"] < by_lists[16]["recall"]
    assert by_lists[16]["recall"] > 0.4
