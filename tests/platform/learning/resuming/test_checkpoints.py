import errno
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from holdfast.base import StoreError, whole_file
from holdfast.learning import FolderCheckpoints, read_state, write_state
from holdfast.learning.resuming import FORMAT
from tests.fixtures.waiting import wait_until


def test_keeps_the_newest_two(tmp_path):
    checkpoints = FolderCheckpoints(tmp_path)
    assert checkpoints.latest() is None
    for number in range(4):
        checkpoints.save({"step": number, "weights": torch.full((3,), float(number))})
    state = FolderCheckpoints(tmp_path).latest()
    assert state["step"] == 3
    torch.testing.assert_close(state["weights"], torch.full((3,), 3.0))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_state_cannot_carry_code(tmp_path):
    write_state({"step": os.system}, tmp_path / "evil.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        read_state(tmp_path / "evil.pt")


def test_a_killed_writer_leaves_a_whole_checkpoint(tmp_path):
    program = (
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from holdfast.learning import FolderCheckpoints\n"
        "checkpoints, number = FolderCheckpoints(Path(sys.argv[1])), 0\n"
        "while True:\n"
        "    checkpoints.save({'step': number, 'weights': torch.full((200_000,), float(number))})\n"
        "    number += 1\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)])
    try:
        wait_until(lambda: len(list(tmp_path.glob("checkpoint-*.pt"))) >= 2)
        time.sleep(0.3)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    state = FolderCheckpoints(tmp_path).latest()
    assert state is not None
    assert state["weights"].eq(state["step"]).all()


def test_write_state_replaces_whole(tmp_path):
    file = tmp_path / "state.pt"
    write_state({"step": 1}, file)
    write_state({"step": 2}, file)
    assert read_state(file) == {"step": 2}
    assert list(tmp_path.iterdir()) == [file]


def state(number):
    return {"step": number, "weights": torch.full((1000,), float(number))}


@pytest.fixture
def two(tmp_path):
    checkpoints = FolderCheckpoints(tmp_path)
    for number in (1, 2):
        checkpoints.save(state(number))
    return sorted(tmp_path.iterdir())


def flipped(data):
    return data[:2000] + bytes([data[2000] ^ 1]) + data[2001:]


@pytest.mark.parametrize(
    "spoil",
    [
        *[lambda data, kept=kept: data[: int(len(data) * kept)] for kept in (0, 0.001, 0.01, 0.5, 0.9)],
        lambda data: data[:-1],
        lambda data: b"garbage" * 100,
        lambda data: bytes(len(data)),
        flipped,
    ],
)
def test_goes_on_from_the_one_before_a_damaged_one(tmp_path, two, spoil):
    older, newest = two
    newest.write_bytes(spoil(newest.read_bytes()))
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged: going on from {older.name}"):
        assert FolderCheckpoints(tmp_path).latest()["step"] == 1
    checkpoints = FolderCheckpoints(tmp_path)
    checkpoints.save(state(3))
    assert checkpoints.latest()["step"] == 3
    assert older.exists()  # the whole one is still there, should the next one be damaged too


def test_says_so_where_none_is_whole(tmp_path, two):
    for file in two:
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(StoreError, match=f"{two[1].name}, {two[0].name}.*--fresh"):
        FolderCheckpoints(tmp_path).latest()
    assert all(file.exists() for file in two)


def test_what_cannot_be_read_now_is_not_damaged(tmp_path, two, monkeypatch):
    def refuse(file):
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("holdfast.learning.resuming.checkpoints.read_state", refuse)
        with pytest.raises(StoreError, match="Too many open files"):
            FolderCheckpoints(tmp_path).latest()
    assert FolderCheckpoints(tmp_path).latest()["step"] == 2


def other_format(folder, number):
    """A whole checkpoint as a Holdfast of another format writes it; None is from before there were any."""
    file = folder / "checkpoint-00000003.pt"
    if number is None:
        torch.save(state(3), file)
        return file
    write_state(state(3), file)
    mark, _, rest = file.read_bytes().partition(b"\n")
    assert mark == b"holdfast-checkpoint-%d" % FORMAT
    file.write_bytes(b"holdfast-checkpoint-%d\n" % number + rest)
    return file


@pytest.mark.parametrize("number", [None, FORMAT - 1, FORMAT + 1])
def test_another_format_is_refused_with_what_to_do(tmp_path, two, number):
    """Also where an older checkpoint could be read: going on from it would undo what was learned since."""
    file = other_format(tmp_path, number)
    found = "no format number" if number is None else f"format {number}"
    said = f"{file} has {found}, and this Holdfast reads format {FORMAT}: .* or start over with --fresh"
    with pytest.raises(StoreError, match=said):
        FolderCheckpoints(tmp_path).latest()
    assert file.exists()


def test_what_a_killed_writer_left_is_removed(tmp_path):
    checkpoints = FolderCheckpoints(tmp_path)
    with whole_file(tmp_path / "checkpoint-00000000.pt") as draft:
        draft.write_bytes(b"half")
    (tmp_path / "checkpoint-00000000.pt").rename(draft)
    checkpoints.save(state(1))
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint-00000000.pt"]
