"""What is said of an error that comes through Ray."""

import pytest
import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayTaskError
from ray.train import TrainingFailedError
from ray.train.v2.api.exceptions import ControllerError, WorkerGroupError

from holdfast.base import ClusterError, DataError, StoreError
from holdfast.cli import failure_of
from holdfast.jobs.ray_failures import explain
from holdfast.jobs.runtime import ray_session


def wrapped(cause: Exception) -> Exception:
    """As `ray.get` raises it."""
    return RayTaskError("work", "Traceback (most recent call last): ...", cause).as_instanceof_cause()


@pytest.mark.parametrize(
    "wrap",
    [
        wrapped,
        lambda error: WorkerGroupError("ranks failed", {1: error}),
        lambda error: ControllerError(wrapped(error)),
        lambda error: WorkerGroupError("ranks failed", {0: wrapped(wrapped(error))}),
    ],
)
def test_what_was_raised_elsewhere_is_found_under_its_wrappings(wrap) -> None:
    mistake, defect = DataError("Image 'a' cannot be decoded."), IndexError("list index out of range")
    assert explain(wrap(mistake)) is mistake
    assert explain(wrap(defect)) is defect
    assert "GPU" in failure_of(explain(wrap(MemoryError()))).message


def test_what_ended_a_process_at_its_beginning_is_said() -> None:
    told = "Traceback (most recent call last): ...\n  raise\nholdfast.base.errors.StoreError: It is away."
    found = explain(ControllerError(ActorDiedError(RayTaskError("begin", told, StoreError("It is away.")))))
    assert isinstance(found, ClusterError)
    assert "could not begin its work: StoreError: It is away. What it names" in str(found)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OutOfMemoryError("node 1.2.3.4 ..."), "out of memory: take smaller batches"),
        (ActorDiedError(), "a process ended by itself or was killed"),
        (WorkerGroupError("rank 0", {0: ActorDiedError()}), "a process ended by itself or was killed"),
    ],
)
def test_what_ray_lost_is_a_sentence(error: Exception, said: str) -> None:
    found = explain(error)
    assert isinstance(found, ClusterError)
    assert said in str(found)
    assert failure_of(found).exit_code == 2


def test_other_errors_stay_what_they_are() -> None:
    for error in (DataError("a"), ValueError("b"), TrainingFailedError("c")):
        assert explain(error) is error


def test_a_session_raises_what_a_user_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", lambda **options: None)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    for error, expected in ((DataError("Image 'a'"), DataError), (ActorDiedError(), ClusterError)):
        with pytest.raises(expected) as refused, ray_session(cpus=1):
            raise wrapped(error)
        assert "Traceback" not in str(refused.value)


def test_ray_that_does_not_start_in_time_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def times_out(**options: object) -> None:
        raise Exception("The current node timed out during startup. This could happen because ...")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", times_out)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with pytest.raises(ClusterError, match="did not start on this machine in time"), ray_session(cpus=1):
        pass
