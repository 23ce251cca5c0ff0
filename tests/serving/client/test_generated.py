"""The generated halves of the clients are what the server says of itself."""

from pathlib import Path

from serving.generating.__main__ import files

SERVING = Path(__file__).parents[3] / "serving"


def test_the_generated_files_are_fresh() -> None:
    for name, text in files().items():
        there = (SERVING / name).read_text()
        assert there == text, f"serving/{name} is out of date: run python -m serving.generating"
