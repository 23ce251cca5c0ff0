"""The Dockerfile: its wheel is built and used here, and what it says fits the rest of the repository."""

import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import requires, version
from pathlib import Path

import pytest

from tests.deploy.dockerfile import Stage, read_dockerfile

REPOSITORY = Path(__file__).parents[2]
ARGUMENTS, STAGES = read_dockerfile(REPOSITORY / "Dockerfile")
NAMED = {stage.name: stage for stage in STAGES}
IMAGE = STAGES[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stage `wheel` makes, by its last command, of what it copies."""
    folder, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheels")
    for source, target in NAMED["wheel"].copied:
        assert travels(source), f"{source} does not reach the builder"
        place = folder / target
        if (REPOSITORY / source).is_dir():
            shutil.copytree(REPOSITORY / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(REPOSITORY / source, place if place.is_dir() else place.parent)
    command = NAMED["wheel"].all("RUN")[-1].replace("pip ", f"{sys.executable} -m pip ", 1)
    command = command.replace("/wheels", str(made))
    built = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    (found,) = made.glob("*.whl")
    return found


def travels(source: str) -> bool:
    """Whether .dockerignore lets it through."""
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    return f"!{source}" in lines


def test_the_wheel_has_all_that_the_packages_are_made_of(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("platform", "serving"):
        tracked = subprocess.run(
            ["git", "ls-files", "--cached", f"{folder}/holdfast*"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
        )
        if tracked.returncode:
            pytest.skip("this is no git checkout")
        files = {file.removeprefix(f"{folder}/") for file in tracked.stdout.split()}
        assert files
        assert {file for file in files if (REPOSITORY / folder / file).exists()} <= inside


def test_the_wheel_does_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "installed"
    install = [
        sys.executable,
        *["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--target"],
        place,
    ]
    subprocess.run([*install, wheel], check=True, timeout=300)
    holdfast, *options = IMAGE.words("ENTRYPOINT")[2:] + IMAGE.words("CMD")
    for arguments in (
        ["-c", "import holdfast; print(holdfast.__file__)"],
        [place / "bin" / holdfast, *options],
    ):
        done = subprocess.run(
            [sys.executable, "-P", *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": str(place), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert str(place) in done.stdout or "Usage: holdfast" in done.stdout


def test_either_device_is_a_stage() -> None:
    assert IMAGE.base == "${DEVICE}"
    assert ARGUMENTS["DEVICE"] == "cpu"
    for device, index in (
        ("cpu", "https://download.pytorch.org/whl/cpu"),
        ("cuda", "https://pypi.org/simple"),
    ):
        assert f"TORCH_INDEX={index}" in " ".join(NAMED[device].all("ENV")).split()


def test_all_that_is_installed_is_of_a_tested_version() -> None:
    installs = [
        command
        for stage in STAGES
        for text in stage.all("RUN")
        for command in text.split("&&")
        if "pip install" in command
    ]
    assert len(installs) == 3
    for command in installs:
        assert re.search(r"--constraint \S*constraints\.txt", command), command
    constraints = (REPOSITORY / "constraints.txt").read_text()
    for package in ("hatchling", "torch"):
        assert re.search(rf"^{package}==", constraints, re.MULTILINE)


def test_the_extras_and_the_python_are_those_of_the_package() -> None:
    given = dict(text.split("=", 1) for text in IMAGE.all("ARG"))
    extras = {
        extra
        for each in requires("holdfast") or ()
        for extra in re.findall(r"extra == ['\"](.*?)['\"]", each)
    }
    assert set(given["EXTRAS"].split(",")) <= extras
    assert f"python:{ARGUMENTS['PYTHON']}-slim" == NAMED["cpu"].base.replace("${PYTHON}", ARGUMENTS["PYTHON"])
    assert tuple(map(int, ARGUMENTS["PYTHON"].split("."))) >= (3, 11)
    assert version("holdfast") in (REPOSITORY / "Dockerfile").read_text()


def test_it_runs_holdfast_below_an_init_and_not_as_root() -> None:
    assert IMAGE.words("ENTRYPOINT") == ["tini", "--", "holdfast"]
    assert IMAGE.all("USER") == ["1000:1000"]
    assert "useradd --uid 1000" in " ".join(IMAGE.all("RUN"))
    assert position(IMAGE, "USER") > max(n for n, (name, _) in enumerate(IMAGE.instructions) if name == "RUN")


def position(stage: Stage, instruction: str) -> int:
    return next(n for n, (name, _) in enumerate(stage.instructions) if name == instruction)
