import pytest

from holdfast.base import ConfigError
from holdfast.tuning import Point, Sweep, Trial

ABOUT = {"experiment": "a", "space": "b", "objective": "mean"}


def test_a_record_is_read_as_it_was_written():
    trials = [
        Trial(0, {"a.b": 1.5, "head": {"kind": "x"}}, "done", [Point(1, 2.0, 3.0, 1.0, 5, 0.5)], "/there"),
        Trial(1, {}, "failed", error="it broke", diverged=True, attempts=2),
        Trial(2, {"a.b": 2.0}),
    ]
    sweep = Sweep(dict(ABOUT), trials)
    read = Sweep.read(sweep.bytes())
    assert read == sweep
    assert [trial.number for trial in read.unfinished] == [2]
    assert read.images == 5
    assert [row["self"] for row in map(Trial.row, read.trials)] == [3.0, None, None]


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"format": 99}', b'{"format": 1}', b'{"format": 1, "about": {}, "trials": [{}]}']
)
def test_what_is_no_record_is_a_value_error(data):
    with pytest.raises(ValueError, match=r".+"):
        Sweep.read(data)


def test_another_space_is_named():
    with pytest.raises(ConfigError, match="another space and another objective"):
        Sweep(dict(ABOUT)).require_same(ABOUT | {"space": "c", "objective": "self"}, "mine")
    Sweep(dict(ABOUT)).require_same(ABOUT, "mine")
