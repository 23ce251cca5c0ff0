"""Machines, hours and money, reckoned by hand."""

import math

import pytest

from holdfast.capacity import Constants, Demand, Machine, make_plan

GIB = 2.0**30


def test_as_many_machines_as_the_queries_or_the_memory_ask_for(constants: Constants, demand: Demand) -> None:
    machine = Machine(cores=4, memory=16 * GIB, price=1.0, disk_price=0.0)
    plan = make_plan(demand, machine, constants)
    exact, sq8, pq4, milvus = plan.indexes
    # 100 queries of 2 ms and 51.3 ms each, at 70 % of 4 cores.
    assert exact.machines == math.ceil(100 * (2e-3 + 1e-4 + 0.0512) / 0.7 / 4)
    assert exact.bound_by == "queries"
    assert exact.price == exact.machines * 730
    assert sq8.machines == pq4.machines == 1
    # One machine for each: query nodes, gateways, and three for 12 cores of the others.
    assert milvus.machines == 5
    assert plan.chosen in ("sq8", "pq4")
    assert plan.database.kind == "sqlite"


def test_what_no_machine_holds_has_no_price_and_says_what_it_wants(
    constants: Constants, demand: Demand
) -> None:
    large = demand.model_copy(update={"entries": 10**9})
    plan = make_plan(large, Machine(memory=64 * GIB), constants)
    exact, sq8, pq4, milvus = plan.indexes
    assert exact.machines is exact.price is sq8.machines is None
    assert "a gateway wants a machine of" in exact.remarks[0]
    # 40 bytes with a quarter of room: 47 GiB.
    assert pq4.machines is not None
    assert "let it grow with the gallery" in pq4.remarks[0]
    assert milvus.machines is not None
    # 512 bytes, and segments of a GiB.
    assert f"{math.ceil(512e9 / 2**30):,} segments" in milvus.remarks[0]
    wider = make_plan(large.model_copy(update={"segment": 8 * GIB}), Machine(memory=64 * GIB), constants)
    assert wider.indexes[3].search_core_seconds < milvus.search_core_seconds / 6
    tiny = make_plan(large, Machine(memory=GIB), constants)
    assert [each.machines for each in tiny.indexes[:3]] == [None, None, None]
    assert (tiny.chosen, tiny.database.kind) == ("milvus", "postgresql")
    assert tiny.upgrades[1].index_core_hours is None


def test_more_than_an_index_can_number_is_for_milvus(constants: Constants, demand: Demand) -> None:
    plan = make_plan(demand.model_copy(update={"entries": 2**31}), Machine(memory=1e9 * GIB), constants)
    assert [each.machines for each in plan.indexes[:3]] == [None, None, None]
    assert "at most 2,147,483,647 entries" in plan.indexes[0].remarks[0]
    assert plan.chosen == "milvus"


def test_a_gateway_has_an_index_of_its_own(constants: Constants, demand: Demand) -> None:
    # 7,000 requests a second keep 20 gateways busy, each with 12 GiB of vectors.
    busy = demand.model_copy(update={"entries": 25_000_000, "queries_per_second": 7000.0})
    exact = make_plan(busy, Machine(cores=10_000, memory=64 * GIB), constants).indexes[0]
    assert (exact.gateways, exact.machines, exact.bound_by) == (20, 5, "memory")


def test_the_ways_to_upgrade(constants: Constants, demand: Demand) -> None:
    machine = Machine(cores=10, price=1.0, embedding_price=3.0, images_per_second=100.0)
    plan = make_plan(demand, machine, constants)
    none, mapped, cascade, whole = plan.upgrades
    assert [each.way for each in plan.upgrades] == ["none", "map", "cascade", "re-embed"]
    assert (none.machines, none.price, none.written_bytes) == (0, 0, 0)
    assert (mapped.images, mapped.entries) == (0, 1e6)
    assert mapped.price == pytest.approx(1e6 * 1e-4 / 10 / 3600)
    # 100 queries of 50 candidates meet every entry within a month.
    assert cascade.entries == pytest.approx(1e6)
    assert cascade.images_per_second == 5000
    assert whole.images == 1e6
    assert whole.read_bytes == 1e11
    assert whole.price == pytest.approx(1e6 * 2e-5 / 10 / 3600 + 3 * 1e6 / 100 / 3600)
    assert whole.price_a_month == pytest.approx(whole.price)
    assert whole.hours == pytest.approx(whole.machine_hours)
    assert plan.totals["re-embed"] - plan.totals["none"] == pytest.approx(whole.price_a_month)
    # 700 - 72 bytes, and 16 of an id twice and 40 of attributes.
    assert whole.written_bytes == 1e6 * 700


def test_a_cascade_embeds_what_queries_touch(constants: Constants, demand: Demand) -> None:
    few = demand.model_copy(update={"touched": 0.1})
    cascade = make_plan(few, Machine(), constants).upgrades[2]
    assert cascade.images == pytest.approx(1e5)
    rare = demand.model_copy(update={"queries_per_second": 1e-3, "candidates": 10})
    # 25,920 draws of a million.
    met = make_plan(rare, Machine(), constants).upgrades[2].images
    assert met == pytest.approx(1e6 * (1 - math.exp(-0.02592)))


def test_an_upgrade_takes_the_machines_that_are_done_in_time(constants: Constants, demand: Demand) -> None:
    machine = Machine(images_per_second=10.0)
    pressed = demand.model_copy(update={"upgrade_within": 7200.0})
    whole = make_plan(pressed, machine, constants).upgrades[3]
    assert whole.machines == math.ceil(whole.machine_hours / 2)
    assert whole.hours <= 2
    assert demand.model_copy(update={"upgrade_every": 3600.0}).deadline == 3600


def test_a_program_reads_it(constants: Constants, demand: Demand) -> None:
    found = make_plan(demand, Machine(), constants).as_dict()
    assert [each["kind"] for each in found["indexes"]] == ["exact", "sq8", "pq4", "milvus"]
    assert set(found["totals"]) == {each["way"] for each in found["upgrades"]}
    assert found["constants"]["by_name"]["images"]["source"] == "made up"
