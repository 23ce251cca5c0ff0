"""Every name that a room's face promises is there: a lazy one would tell only when somebody asks for it."""

import importlib
from pathlib import Path

import pytest

ROOTS = [Path(__file__).parents[1] / "platform", Path(__file__).parents[1] / "serving"]
FACES = sorted(
    ".".join(file.parent.relative_to(root).parts) for root in ROOTS for file in root.rglob("__init__.pyi")
)


@pytest.mark.parametrize("face", FACES)
def test_every_name_of_a_face_is_there(face: str) -> None:
    room = importlib.import_module(face)
    assert [name for name in room.__all__ if not hasattr(room, name)] == []
