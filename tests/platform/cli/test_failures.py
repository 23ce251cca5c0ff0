"""The last line of the command line: whatever happens below it, no traceback reaches a user."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.base import ConfigError

Holdfast = Callable[..., Any]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (IndexError("list index out of range"), 70, "IndexError: list index out of range"),
        (AssertionError(), 70, "AssertionError"),
        (RecursionError("maximum recursion depth exceeded"), 70, "RecursionError"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), 70, "UnicodeEncodeError"),
        (MemoryError(), 2, "memory"),
        (FileNotFoundError(2, "No such file or directory", "/a/b"), 2, "/a/b: there is no such file"),
        (ConfigError("seed: odd"), 2, "seed: odd"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_no_traceback_reaches_a_user(
    holdfast: Holdfast,
    monkeypatch: pytest.MonkeyPatch,
    cache: Path,
    error: BaseException,
    code: int,
    said: str,
    as_json: bool,
) -> None:
    monkeypatch.setattr("holdfast.store.open_store", failing(error))
    done = holdfast("gallery", "stats", *(["--json"] if as_json else []))
    assert done.code == code, done.err
    assert said in done.err
    assert "Traceback" not in done.err + done.out
    assert done.err.count("\n") == 1
    if as_json and code != 130:
        assert done.json["error"]["type"] == type(error).__name__
        assert said in done.json["error"]["message"]
    kept = list(cache.glob("failures/*"))
    assert len(kept) == (code == 70)
    assert all(str(file) in done.err for file in kept)


def test_a_mistyped_option_is_a_document_too(holdfast: Holdfast) -> None:
    refused = holdfast("versions", "--jsn", "--json")
    assert refused.json["error"]["message"] == refused.sentence
    assert refused.json["error"]["code"] == "invalid_command"


def test_a_name_that_no_terminal_can_show_ends_nothing(holdfast: Holdfast, tmp_path: Path) -> None:
    assert "holds no store" in holdfast("versions", "--store", tmp_path / "caf\udce9").sentence


def test_a_closed_pipe_and_a_full_standard_output() -> None:
    def call(end: str) -> subprocess.CompletedProcess[str]:
        line = f"set -o pipefail; {sys.executable} -m holdfast run --help {end}"
        return subprocess.run(["bash", "-c", line], capture_output=True, text=True)

    piped = call("| true")
    assert (piped.stderr, piped.stdout) == ("", "")
    full = call("> /dev/full")
    assert full.returncode == 2
    assert full.stderr == "error: No space is left there: free some, and repeat the command.\n"


def test_whatever_cannot_be_loaded_is_a_sentence(tmp_path: Path) -> None:
    code = (
        "import sys, runpy; sys.modules['holdfast.cli.verbs'] = None; sys.argv = ['holdfast', 'versions']; "
        "runpy.run_module('holdfast', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 70
    assert "Traceback" not in done.stderr
    assert "holdfast.cli.verbs" in done.stderr
