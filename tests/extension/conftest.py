"""A package with parts of its own, installed as users install theirs."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which it was installed."""
    folder = tmp_path_factory.mktemp("acme")
    shutil.copytree(Path(__file__).parent / "package", folder / "package")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    target = folder / "site-packages"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, "--target", target, folder / "package"],
        check=True,
        timeout=300,
    )
    return target


@pytest.fixture(scope="module", autouse=True)
def importable(installed: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(installed))
        yield
        forget()


def forget() -> None:
    """As if it had never been imported."""
    for name in [name for name in sys.modules if name.split(".")[0] == "acme"]:
        del sys.modules[name]
