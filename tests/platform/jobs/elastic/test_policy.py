"""How many workers a run has, as nodes come, go, are busy, and do not answer."""

import time
from dataclasses import dataclass, field
from typing import Any

import pytest
import ray
from hypothesis import given
from hypothesis import strategies as st
from ray.train import ScalingConfig
from ray.train.v2._internal.execution.scaling_policy import NoopDecision, ResizeDecision

from holdfast.jobs.elastic import policy as module
from holdfast.jobs.elastic.policy import ElasticPolicy
from holdfast.jobs.machines.nodes import Node

INTERVAL = 10.0


class Answer:
    """A method of an actor, called in this process."""

    def __init__(self, function: Any) -> None:
        self.remote = function


@dataclass
class Stage:
    """A cluster and a host as a policy sees them, and a clock."""

    now: float = 1000.0
    nodes: list[Node] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    asked: int = 0
    saved: int = 0

    def __post_init__(self) -> None:
        self.ask_for_checkpoint = Answer(self._ask)
        self.count_checkpoints = Answer(lambda: self.saved)

    def _ask(self) -> int:
        self.asked += 1
        return self.saved

    def has(self, *cpus: float) -> None:
        self.nodes = [Node(f"n{number}", {"CPU": amount}, ("", 0)) for number, amount in enumerate(cpus)]


@dataclass(frozen=True)
class Group:
    start_time: float
    num_workers: int


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return set_up(monkeypatch)


def set_up(monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage()

    def sleep(seconds: float) -> None:
        made.now += seconds

    monkeypatch.setattr(module, "look_at_nodes", lambda: made.nodes)
    monkeypatch.setattr(Node, "answers", lambda node: node.id not in made.silent)
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(ray, "get", lambda answer: answer)
    monkeypatch.setattr(ray, "wait", lambda answers, timeout: (answers, []))
    return made


def policy_of(stage: Stage, least: int = 1, most: int = 3, **settings: Any) -> ElasticPolicy:
    scaling = ScalingConfig(
        num_workers=(least, most),
        resources_per_worker={"CPU": 2},
        elastic_resize_monitor_interval_s=INTERVAL,
        **settings,
    )
    return ElasticPolicy(scaling, stage, asks=False)


def begin(policy: ElasticPolicy, stage: Stage, within: float) -> int:
    """The workers that a group begins with; 0 where it did not, within so many seconds."""
    until = stage.now + within
    while stage.now < until:
        decision = policy.make_decision_for_non_running_worker_group()
        if isinstance(decision, ResizeDecision):
            return decision.num_workers
        assert isinstance(decision, NoopDecision)
    return 0


def go_on(policy: ElasticPolicy, stage: Stage, group: Group, seconds: float) -> int:
    """To how many workers a running group is changed within so many seconds; 0 for not at all."""
    for _ in range(int(seconds * 4)):
        decision = policy.make_decision_for_running_worker_group(group, None)
        if isinstance(decision, ResizeDecision):
            return decision.num_workers
        stage.now += 0.25
    return 0


def test_with_room_for_all_it_begins_at_once(stage: Stage) -> None:
    stage.has(4, 2)
    assert begin(policy_of(stage), stage, 0.1) == 3


def test_with_room_for_fewer_it_begins_when_that_has_settled(stage: Stage) -> None:
    stage.has(2, 3)
    assert begin(policy_of(stage), stage, module.SETTLE_SECONDS - 0.1) == 0
    assert begin(policy_of(stage), stage, module.SETTLE_SECONDS + 1) == 2


def test_with_room_for_too_few_it_waits(stage: Stage) -> None:
    stage.has(2, 1)
    policy = policy_of(stage, least=2)
    assert begin(policy, stage, 600) == 0
    stage.has(2, 2)
    assert begin(policy, stage, module.SETTLE_SECONDS + 1) == 2


def test_nodes_that_do_not_answer_are_kept_clear_of(stage: Stage) -> None:
    stage.has(2, 2, 2)
    stage.silent = {"n1"}
    policy = policy_of(stage)
    assert begin(policy, stage, module.SETTLE_SECONDS + 1) == 2
    selector = policy.on_controller_start_worker_group(scaling_config=policy.scaling_config, num_workers=2)
    assert selector == {"ray.io/node-id": "!in(n1)"}
    stage.silent = set()
    assert begin(policy, stage, 1) == 3
    assert not policy.on_controller_start_worker_group(scaling_config=policy.scaling_config, num_workers=3)


def test_more_room_is_used_once_it_has_lasted_and_a_checkpoint_is_there(stage: Stage) -> None:
    policy, group = policy_of(stage), Group(stage.now, 1)
    stage.has(2)
    assert go_on(policy, stage, group, 5 * INTERVAL) == 0
    stage.has(2, 2)
    assert go_on(policy, stage, group, INTERVAL - 1) == 0
    assert stage.asked == 0
    assert go_on(policy, stage, group, 60) == 0
    assert stage.asked == 1
    stage.saved += 1
    assert go_on(policy, stage, group, 1) == 2


def test_room_that_goes_again_changes_nothing(stage: Stage) -> None:
    policy, group = policy_of(stage), Group(stage.now - 1000, 1)
    for _ in range(20):
        stage.has(2, 2)
        assert go_on(policy, stage, group, INTERVAL / 2) == 0
        stage.has(2)
        assert go_on(policy, stage, group, 1) == 0
    assert stage.asked == 0


def test_a_young_group_is_left_alone(stage: Stage) -> None:
    policy, group = policy_of(stage), Group(stage.now, 1)
    stage.has(4, 2)
    assert go_on(policy, stage, group, module.RUNS * INTERVAL) == 0
    assert stage.asked == 0


@pytest.mark.parametrize(("strategy", "workers"), [("STRICT_SPREAD", 2), ("STRICT_PACK", 3), ("SPREAD", 3)])
def test_the_placement_counts(strategy: str, workers: int, stage: Stage) -> None:
    stage.has(8, 2)
    assert begin(policy_of(stage, placement_strategy=strategy), stage, 10) == workers


@given(
    rooms=st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=6),
    least=st.integers(1, 3),
    more=st.integers(0, 3),
)
def test_there_are_never_fewer_than_least_nor_more_than_most(
    rooms: list[list[int]], least: int, more: int
) -> None:
    """Nor more than there is room for."""
    with pytest.MonkeyPatch.context() as patch:
        made = set_up(patch)
        policy = policy_of(made, least, least + more)
        for room in rooms:
            made.has(*room)
            begun = begin(policy, made, 5)
            places = sum(cpus // 2 for cpus in room)
            assert begun == (min(places, least + more) if places >= least else 0)
            if begun:
                made.saved += 1
                grown = go_on(policy, made, Group(made.now, begun), 100)
                assert grown == 0
