"""The benchmark of adopted upgrades in its quick form: the whole way by the command line."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from experiments.benchmarks.adopting import large, trained, upgrades
from experiments.benchmarks.adopting.__main__ import main
from experiments.benchmarks.harness import asking
from experiments.benchmarks.harness.cells import Cells, Name
from holdfast import cli

HOLDFAST = asking.holdfast


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of a benchmark run here: in a process of its own each would load everything anew."""

    def holdfast(*arguments: object) -> str:
        with redirect_stdout(io.StringIO()) as said, pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        assert not ended.value.code, arguments
        return said.getvalue()

    for module in (upgrades, large):
        monkeypatch.setattr(module, "holdfast", holdfast)


def test_a_command_in_a_process_of_its_own_answers_or_says_what_went_wrong(tmp_path: Path) -> None:
    assert "COMMAND [ARGS]" in HOLDFAST("--help")
    with pytest.raises(RuntimeError, match=r"promote v9.*: error: .* holds no store"):
        HOLDFAST("promote", "v9", "--store", tmp_path / "store")


def test_the_quick_form_measures_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--quick", "--results", str(tmp_path)]
    assert main(arguments) == 0
    record = Cells(tmp_path).record(Name("adopting", "glyphs-v1-v2", 0))
    assert record is not None
    assert record["verdict"]["truth"] == "labels"
    page = (tmp_path / "results.md").read_text()
    assert "| glyphs, v1 to v2 |" in page
    assert record["verdict"]["decision"] in page
    assert main([*arguments, "--report"]) == 0
    assert (tmp_path / "results.md").read_text() == page


def test_a_large_gallery_in_its_quick_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert large.main(["--quick"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(answer["seconds"]) == ["adopt", "import", "bridge", "search"]


def test_a_trained_upgrade_in_its_quick_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trained.main(["--quick", "--work", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(found["recall_at_1"])[:4] == ["status quo", "adapter", "cascade 50", "own"]
    assert found["against the status quo"].keys() == found["recall_at_1"].keys() - {"status quo"}
