"""Rows that grow keep what they hold, however much room is made for them and when."""

from pathlib import Path

import numpy as np
import pytest

from holdfast.index.local import rows as module
from holdfast.index.local.rows import Rows


@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize("width", [None, 3])
@pytest.mark.parametrize("part", [1, 100, 1 << 20])
def test_what_is_held_is_held_after_growing(
    in_file: bool, width: int | None, part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PART", part)
    rows, generator = Rows(np.float32, width, tmp_path if in_file else None), np.random.default_rng(0)
    held = np.empty((0, *(() if width is None else (width,))), np.float32)
    for step in range(40):
        more = generator.random((int(generator.integers(1, 400)), *held.shape[1:]), dtype=np.float32)
        if step % 2:
            rows.prepare(len(more))
            assert np.array_equal(rows.array, held)
            rows.settle()
        rows.extend(more)
        held = np.concatenate([held, more])
        if step % 7 == 0:
            held = held[: len(held) // 2]
            rows.resize(len(held))
        assert np.array_equal(rows.array, held)
