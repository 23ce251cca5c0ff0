"""How a trial is judged: as its versions would meet once they are published."""

from types import SimpleNamespace

import numpy as np
import pytest

from holdfast.data import ImageSet
from holdfast.runs import TrialCheckpoints, TrialPublisher

CLASSES, IMAGES, WIDTH = 20, 8, 16


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def training() -> ImageSet:
    """An image is the number of its row."""
    count = CLASSES * IMAGES
    images = np.zeros((count, 1, 1, 2), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.divmod(np.arange(count), 256)
    labels = np.repeat([f"c{number:02}" for number in range(CLASSES)], IMAGES)
    names = np.array([str(number) for number in range(count)])
    return ImageSet(images, labels, labels, names, columns={}, fingerprint="x")


class Rotated:
    """Embeds an image where the table says, turned by a matrix."""

    dimension = WIDTH

    def __init__(self, table: np.ndarray, turn: np.ndarray) -> None:
        self.rows = table @ turn

    def state_dict(self) -> dict:
        return {}

    def embed(self, images: np.ndarray) -> np.ndarray:
        numbers = images[:, 0, 0, 0].astype(int) * 256 + images[:, 0, 0, 1]
        return self.rows[numbers]


@pytest.mark.parametrize("maps", ["entries", "queries", None])
def test_cross_is_measured_by_way_of_the_adapter_if_there_is_one(tiny, training, maps):
    adapter = {"kind": "rotation", "maps": maps, "views": 0} if maps else None
    experiment = tiny(adapter=adapter, stream={"tasks": 2, "validation": 0.5})
    draw = np.random.default_rng(0)
    table = unit(np.repeat(draw.normal(size=(CLASSES, WIDTH)), IMAGES, axis=0))
    table = unit(table + 0.05 * draw.normal(size=table.shape))
    turn = np.linalg.qr(draw.normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)
    reports, states = [], []

    def report(measured, state):
        reports.append(measured)
        states.append(state)

    publisher = TrialPublisher(experiment, "cross", training, None)
    checkpoints = TrialCheckpoints(publisher, report, None)
    for task, matrix in enumerate((np.eye(WIDTH, dtype=np.float32), turn)):
        encoder = Rotated(table, matrix)
        held_out = np.concatenate([task.validation for task in publisher._tasks])
        vectors = encoder.embed(training.images[np.sort(held_out)])
        publisher.publish(
            SimpleNamespace(
                task=task, encoder=encoder, embedded=SimpleNamespace(validation=vectors), images=7
            )
        )
        checkpoints.save({"task": task + 1})
        checkpoints.save({"task": task + 1})  # between two tasks nothing is reported
    assert [report["images"] for report in reports] == [7, 14]
    assert len(states[0]["trial"]["older"]) == 1
    assert states[0]["sequence"]["task"] == 1
    assert states[1] is None, "nothing goes on from the last task"
    assert [report["self"] for report in reports] == [100, 100]
    assert reports[0]["cross"] == 100
    if maps:
        assert reports[1]["cross"] == reports[1]["objective"] == 100
    else:
        assert reports[1]["cross"] < 30
