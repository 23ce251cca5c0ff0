"""A run neither waits for its trackers nor fails with them, and says once what they missed."""

import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base import ConfigError
from holdfast.config import parse_experiment, with_trackers
from holdfast.testing import tracked_run
from holdfast.tracking import Begun, Ended, Event, MLflowConfig, Stepped, Tracking, telling
from tests.fixtures.runs import TINY
from tests.fixtures.trackers import FailingConfig, RecordingConfig, SlowConfig, read_events


def step(number: int, last: bool = False) -> Stepped:
    return Stepped(0, number, 0, {"classification": 1.0}, 10.0, last)


def tell_all(tracking: Tracking, events: Iterable[Event]) -> None:
    for event in events:
        tracking.tell(event)


def test_all_is_told_in_its_order(tmp_path: Path) -> None:
    file = tmp_path / "told"
    tracking = Tracking([RecordingConfig(file=str(file), seconds=0)])
    events = list(tracked_run(tmp_path))
    tell_all(tracking, events)
    told = read_events(file)
    assert [each["event"] for each in told] == [type(event).__name__ for event in events]
    assert [each["step"] for each in told if each["event"] == "Stepped"] == list(range(1, 9))
    assert told[0]["experiment"]["regularizers"][1]["kind"] == "acme.parts:Push"


def test_steps_come_at_their_pace_and_the_last_one_always(tmp_path: Path) -> None:
    file = tmp_path / "told"
    tracking = Tracking([RecordingConfig(file=str(file), seconds=1000)])
    tell_all(tracking, tracked_run(tmp_path))
    assert [each["step"] for each in read_events(file) if each["event"] == "Stepped"] == [1, 4, 8]


def test_a_tracker_that_fails_is_one_sentence_without_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "told"
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        tracking = Tracking([FailingConfig(), RecordingConfig(file=str(file))])
        tell_all(tracking, tracked_run(tmp_path))
    first, second = (str(each.message) for each in said)
    assert "fails, and the run goes on without it: ConnectionError" in first
    assert "secret" not in first
    assert "was not told of" in second
    assert read_events(file)[-1]["event"] == "Ended"


@given(times=st.integers(1, 6))
def test_one_that_was_away_is_told_how_it_began_first(
    times: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("away")
    file = folder / "told"
    tracking, events = (
        Tracking([FailingConfig(times=times, file=str(file), seconds=0)]),
        list(tracked_run(folder)),
    )
    with pytest.warns(UserWarning, match="fails"):
        tell_all(tracking, events)
    told = read_events(file) if file.exists() else []
    others = [event for event in events if not isinstance(event, Begun | Stepped)]
    # Steps are left out for a while after each failure; all else is tried.
    assert len(told) >= len(others) + 1 - times
    assert not told or told[0]["event"] == "Begun"


@pytest.mark.quiet
def test_a_run_does_not_wait_for_a_slow_one() -> None:
    tracking = Tracking([SlowConfig(seconds=0)], closing=0.1)
    begun = time.monotonic()
    for number in range(1, 21):
        tracking.tell(step(number))
    assert time.monotonic() - begun < 1
    with pytest.warns(UserWarning, match=r"was not told of 1\d|was not told of 2\d"):
        tracking.tell(Ended("finished"))
    assert time.monotonic() - begun < 3


def test_steps_do_not_pile_up_before_one_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "_MANY", 5)
    tracking = Tracking([SlowConfig(seconds=0)], closing=0.1)
    for number in range(1, 101):
        tracking.tell(step(number))
    assert tracking._told[0].events.qsize() <= 6
    with pytest.warns(UserWarning, match=r"was not told of (9|10)\d events"):
        tracking.tell(Ended("finished"))


def test_trackers_decide_nothing_and_stand_in_the_file_only_if_named() -> None:
    plain = parse_experiment(TINY)
    assert "tracking" not in plain.to_yaml()
    tracked = with_trackers(plain, ["tensorboard", "tensorboard"])
    assert [each.kind for each in tracked.tracking] == ["tensorboard"]
    assert with_trackers(tracked, ["tensorboard"]) == tracked
    assert tracked.fingerprint == plain.fingerprint
    assert parse_experiment(tracked.model_dump(mode="json")).tracking == tracked.tracking
    own = with_trackers(plain, ["tests.fixtures.trackers:SlowConfig"])
    assert [type(each).__name__ for each in own.tracking] == ["SlowConfig"]


def test_a_kind_that_there_is_not_is_explained() -> None:
    with pytest.raises(ConfigError, match=r"(?s)--track.*Did you mean 'tensorboard'"):
        with_trackers(parse_experiment(TINY), ["tensorbord"])


@pytest.mark.parametrize(
    "uri", ["https://me:word@mlflow.example", "postgresql://me:word@db/mlflow", "http://x?token=abc"]
)
def test_a_secret_in_the_file_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="set MLFLOW_TRACKING_URI"):
        MLflowConfig(uri=uri)
