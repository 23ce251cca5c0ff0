"""Every command of the documentation runs, page by page and in order, on tiny experiments.

What the page about clients shows runs in tests/serving/client; the page about containers is read by
tests/docs/test_deploy.py.
"""

import io
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from holdfast import cli
from tests.docs.their_gallery import bring_gallery, bring_model

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).parents[2]
PAGES = (
    "README.md",
    *(
        f"docs/{p.name}"
        for p in sorted((REPOSITORY / "docs").glob("*.md"))
        if p.stem not in ("cli", "clients", "deploy")
    ),
)
ADDRESS = "127.0.0.1:8000"
BINARIES = Path(sys.executable).parent


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block; a backslash joins a line to the next one."""
        joined = self.text.replace("\\\n", " ").replace(".venv/bin/", "").replace("$(pwd)", ".")
        return [line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def blocks(page: str) -> list[Block]:
    text = (REPOSITORY / page).read_text()
    return [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)]


def words_of(command: str) -> list[str]:
    """Without the variables that are set for it."""
    return [word for word in shlex.split(command) if not re.match(r"HOLDFAST_\w+=", word)]


class Reader:
    """Somebody who follows a page: keeps the variables that it exports, and the server that it starts."""

    def __init__(
        self,
        folder: Path,
        small: Callable[[dict[str, Any]], dict[str, Any]],
        asks_the_server: bool,
        commands: Sequence[str],
    ) -> None:
        self._folder, self._small, self._asks_the_server = folder, small, asks_the_server
        found = [words_of(command) for command in commands]
        self._servers = [words[2:] for words in found if words[:2] == ["holdfast", "serve"]]
        self._started: list[str] = []
        self._environment = {
            **os.environ,
            "PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "HOLDFAST_API_KEYS": "admin:change-me-please",
        }
        self._address: str | None = None
        self.server: subprocess.Popen[str] | None = None

    def follow(self, block: Block) -> None:
        match block.language:
            case "sh":
                for command in block.commands:
                    self._run(command)
            case "yaml":
                self._write(block.text)
            case "python" if file := re.match(r"# (\S+\.py)\n", block.text):
                (self._folder / file[1]).write_text(block.text)
            case "python":
                exec(compile(block.text, "documentation", "exec"), {})

    def _write(self, text: str) -> None:
        """A YAML block that begins with a file's name is that file."""
        name = re.match(r"# (\S+\.yaml)\n", text)
        assert name is not None, "an experiment in the documentation begins with its file's name"
        values = yaml.safe_load(text)
        is_experiment = "data" in values
        values = self._small(values) if is_experiment else values
        (self._folder / name[1]).write_text(yaml.safe_dump(values))

    def _run(self, command: str) -> None:
        match words_of(command):
            case ["holdfast", "serve", *options]:
                self._serve(options)
            case ["holdfast", "submit", *options]:
                context = get_command(cli.app).commands["submit"].make_context("submit", options)  # type: ignore[attr-defined]
                assert context.params["command"][0] == "run"
                assert (self._folder / context.params["command"][1]).is_file()
                warnings.warn(
                    f"needs a Ray cluster, so only its options were checked: {command}", stacklevel=1
                )
            case ["holdfast", "jobs", verb, *options]:
                get_command(cli.app).commands["jobs"].commands[verb].make_context(verb, options)  # type: ignore[attr-defined]
                warnings.warn(
                    f"needs a Ray cluster, so only its options were checked: {command}", stacklevel=1
                )
            case ["holdfast", "tune", *_]:
                # Ray starts in a process of its own.
                self._shell(command)
            case ["holdfast", "export", *_, "onnx", "-o", _] if find_spec("onnxscript") is None:
                warnings.warn(f"needs holdfast[onnx], so it was not run: {command}", stacklevel=1)
            case ["holdfast", *arguments]:
                self._call(arguments)
            case ["make", target]:
                assert f"\n{target}:" in (REPOSITORY / "Makefile").read_text()
                if target == "run":
                    self._shell("rm -r holdfast-store && python experiments/quickstart.py")
            case ["ray", *_]:
                warnings.warn(f"needs machines for a Ray cluster, so it was not run: {command}", stacklevel=1)
            case ["python", "-m", module, *options] if module.startswith("experiments.benchmarks"):
                shown = help_of(module)
                assert all(option in shown for option in options if option.startswith("--")), command
                warnings.warn(f"takes long, so only its options were checked: {command}", stacklevel=1)
            case ["export", *_]:
                self._export(command)
            case ["curl", *_]:
                self._curl(command)
            case _:
                self._shell(command)

    def _call(self, arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert not ended.value.code, f"holdfast {shlex.join(arguments)} ended with {ended.value.code}"

    def _shell(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _export(self, command: str) -> None:
        name = command.removeprefix("export ").partition("=")[0]
        self._environment[name] = self._shell(f'{command} && printf %s "${name}"')

    def _serve(self, options: list[str]) -> None:
        """Start it on a free port, where the page goes on to ask it; else only its options are checked.

        With the options of a later one too, if that has all of these: one server then does for both.
        """
        get_command(cli.app).commands["serve"].make_context("serve", list(options))  # type: ignore[attr-defined]
        options = max((each for each in self._servers if set(each) >= set(options)), key=len)
        if not self._asks_the_server or (self.server is not None and options == self._started):
            return
        self._stop()
        self._started = options
        self.server = subprocess.Popen(
            [sys.executable, "-m", "holdfast", "serve", *options, "--port", "0"],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.server.stdout is not None
        assert self.server.stderr is not None
        ready = self.server.stdout.readline()
        assert "http://" in ready, self.server.stderr.read()
        self._address = next(word for word in ready.split() if word.startswith("http://")).removeprefix(
            "http://"
        )

    def _curl(self, command: str) -> None:
        assert self._address is not None, "a page starts the server before it asks it"
        answer = self._shell(
            command.replace("curl -s ", "curl -s --fail-with-body ").replace(ADDRESS, self._address)
        )
        assert answer

    def _stop(self) -> None:
        if self.server is not None:
            self.server.terminate()
            assert self.server.wait(90) == 0
            self.server = None

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Stops the server as an operator would; it has to answer SIGTERM with exit code 0."""
        try:
            yield
            self._stop()
        finally:
            if self.server is not None and self.server.poll() is None:
                os.killpg(self.server.pid, signal.SIGKILL)
                self.server.wait()


@cache
def help_of(module: str) -> str:
    """What `python -m MODULE --help` shows, without another process that would load everything again."""
    said = io.StringIO()
    at_sigterm = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.setattr(sys, "argv", [module, "--help"])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    signal.signal(signal.SIGTERM, at_sigterm)
    assert not ended.value.code
    return said.getvalue()


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run(
    page: str,
    prepared: Path,
    small: Callable[[dict[str, Any]], dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [block for block in blocks(page) if block.language in ("sh", "yaml", "python")]
    if not found:
        pytest.skip("this page has no commands")
    commands = [command for block in found if block.language == "sh" for command in block.commands]
    asks_the_server = any("curl" in command for command in commands)
    if asks_the_server and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    folder = Path(shutil.copytree(prepared, tmp_path / "workspace"))
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    if page == "docs/http.md":
        fill(folder)
    if page == "docs/adopt.md":
        bring_gallery(folder)
    if page == "docs/pretrained.md":
        bring_model(folder / "clip.onnx")
    reader = Reader(folder, small, asks_the_server, commands)
    with reader.closing():
        for block in found:
            reader.follow(block)


def fill(folder: Path) -> None:
    """What the page about HTTP assumes: entries of v1 and v3, and v1 live."""
    for version in ("v1", "v3"):
        for arguments in (
            ["embed", version, "folder:photos/gallery", "-o", f"{version}.parquet"],
            ["gallery", "import", f"{version}.parquet"],
        ):
            with pytest.raises(SystemExit) as ended:
                cli.main(arguments)
            assert not ended.value.code
    with pytest.raises(SystemExit):
        cli.main(["promote", "v1"])
