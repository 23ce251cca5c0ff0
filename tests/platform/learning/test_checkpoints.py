import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from holdfast.learning import FolderCheckpoints, read_state, write_state


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
    torch.save({"step": os.system}, tmp_path / "evil.pt")
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
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("checkpoint-*.pt"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
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
