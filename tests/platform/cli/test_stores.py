"""The command line over databases that are no folder: from any folder, several over one root of files."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from holdfast import cli
from holdfast.store import open_store
from tests.fixtures.databases import empty_database

Holdfast = Callable[..., Any]
Write = Callable[..., Path]


@pytest.fixture
def databases(postgres: str) -> Iterator[tuple[str, str]]:
    """The URLs of two empty PostgreSQL databases."""
    with empty_database(postgres) as first, empty_database(postgres) as second:
        yield first, second


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Stand in an empty folder."""
    monkeypatch.delenv("HOLDFAST_ARTIFACTS", raising=False)

    def stand_in(name: str) -> Path:
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / name)
        return tmp_path / name

    return stand_in


@pytest.mark.parametrize("root", ["{}/files", "fsspec+file://{}/bucket"])
def test_two_databases_over_one_root_from_two_folders(
    holdfast: Holdfast,
    write: Write,
    databases: tuple[str, str],
    folder: Callable[[str], Path],
    tmp_path: Path,
    root: str,
) -> None:
    first, second = databases
    files = root.format(tmp_path)
    one, other = write("one.yaml"), write("other.yaml", seed=4)
    here = folder("here")
    made = holdfast("run", one, "--store", first, "--artifacts", files, "--json")
    assert made.code == 0, made.err
    # The same name in another database, from the same folder: it learns, and measures its own versions.
    learned = holdfast("run", other, "--store", second, "--artifacts", files, "--json")
    assert "already finished" not in learned.err
    assert not set(learned.json["contracts"]) & set(made.json["contracts"])
    with open_store(second) as store:
        assert [version.contract for version in store.versions.list()] == learned.json["contracts"]
    # Finished, and called from elsewhere, without a word of where the files are.
    there = folder("there")
    for url, experiment, expected in ((first, one, made), (second, other, learned)):
        again = holdfast("run", experiment, "--store", url, "--json")
        assert again.json == expected.json
        # The cached measurements are those of this store's versions.
        measured = holdfast("evaluate", experiment, "--store", url, "--json")
        assert measured.json["recall_at_1"] == expected.json["recall_at_1"]
        assert f"Report: {files}/stores/" in holdfast("run", experiment, "--store", url).err
    assert not any([*here.iterdir(), *there.iterdir()])


def test_a_root_without_the_files_is_one_sentence(
    holdfast: Holdfast, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ["--store", f"sqlite:///{tmp_path / 'x.db'}"]
    assert holdfast("run", write(stream={"tasks": 1}), *where, "--artifacts", tmp_path / "files").code == 0
    sentence = holdfast("versions", *where, "--artifacts", tmp_path / "typo").sentence
    assert f"They are in {tmp_path / 'files'}" in sentence
    assert not (tmp_path / "typo").exists()
    assert [row["id"] for row in holdfast("versions", *where, "--json").json] == ["v1"]


def test_every_verb_that_takes_a_store_takes_its_artifacts() -> None:
    taking = []

    def look(command: Any, path: str) -> None:
        for name, inner in getattr(command, "commands", {}).items():
            look(inner, f"{path} {name}".strip())
        options = {each for parameter in command.params for each in parameter.opts}
        if "--store" in options:
            taking.append(path)
            assert "--artifacts" in options, path

    root = get_command(cli.app)
    look(root, "")
    assert len(taking) >= 18, taking
