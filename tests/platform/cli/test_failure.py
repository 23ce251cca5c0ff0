"""What a command says when it fails: a sentence each, and a file for what nobody foresaw."""

import errno
import stat
import threading
from pathlib import Path

import pytest

from holdfast.base import ConfigError
from holdfast.cli.failures import MENDABLE, UNFORESEEN, failure_of, say_when_threads_fail


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConfigError("seed: must be a number."), "seed: must be a number."),
        (OSError(errno.ENOSPC, "No space left on device", "/a/b.pt"), "/a/b.pt: no space is left there"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space is left there"),
        (PermissionError(errno.EACCES, "Permission denied", b"/a"), "/a: permission denied"),
        (OSError(errno.EROFS, "Read-only file system", "/a"), "/a: the disk is mounted read-only"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/a"), "/a: it is a folder"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/a"), "/a: there is no such file"),
        (MemoryError(), "memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "learning.batch_size"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "memory"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "a disk is full"),
        (RuntimeError("database is locked"), "busy"),
    ],
)  # fmt: skip
def test_what_a_user_can_mend_is_a_sentence(error: Exception, said: str, cache: Path) -> None:
    for each in (raised(error), raised(RuntimeError("it failed"), error)):
        if isinstance(error, ConfigError) and each is not error:
            continue
        failure = failure_of(each)
        assert failure.exit_code == MENDABLE
        assert said.lower() in failure.message.lower()
        assert "\n" not in failure.message
    assert not cache.exists()


def test_what_nobody_foresaw_is_kept_whole_and_without_passwords(cache: Path) -> None:
    secret = "postgresql://me:secret@host/db?password=hidden"
    failure = failure_of(raised(KeyError(secret)), ["run", "a.yaml", "--store", secret])
    assert failure.exit_code == UNFORESEEN
    (file,) = (cache / "failures").iterdir()
    assert str(file) in failure.message
    assert "report" in failure.message
    assert "KeyError" in failure.message
    text = file.read_text()
    assert "holdfast run a.yaml" in text
    assert "Traceback" in text
    assert "torch" in text
    for said in (text, failure.message):
        assert "secret" not in said
        assert "hidden" not in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_without_a_place_for_the_traceback_it_is_still_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "file"))
    failure = failure_of(raised(KeyError("odd")))
    assert "HOLDFAST_CACHE" in failure.message
    assert failure.exit_code == UNFORESEEN


def test_a_thread_that_fails_is_a_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    say_when_threads_fail()
    thread = threading.Thread(target=lambda: [][0])
    thread.start()
    thread.join()
    said = capsys.readouterr().err
    assert said.startswith("warning: ")
    assert "Traceback" not in said
    assert len(list((cache / "failures").iterdir())) == 1
