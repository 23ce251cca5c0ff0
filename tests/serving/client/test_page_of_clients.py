"""The page about clients: what it shows runs, against the shared server."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast_serving.client import Client

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs" / "clients.md").read_text()
TYPESCRIPT = REPOSITORY / "serving" / "typescript"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_python_of_the_page_runs(
    served: Any, client: Client, png: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for needed in ("langchain_core", "llama_index.core"):
        pytest.importorskip(needed)
    (tmp_path / "photos").mkdir()
    for number in range(3):
        (tmp_path / "photos" / f"{number}.png").write_bytes(png(number))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEY", served.key)
    found = blocks("python")
    assert len(found) == 5
    for block in found:
        exec(compile(block.replace("http://127.0.0.1:8000", served.url), "clients.md", "exec"), {})
    assert list(client.get_many(["0", "1", "2", "note-1"])) == ["0", "1", "2", "note-1"]


@pytest.fixture(scope="module")
def tsc() -> list[str]:
    """The compiler: one that is there, or npm's, kept beside other tools of this user."""
    if shutil.which("node") is None:
        pytest.skip("no node: the TypeScript client is not compiled")
    if (found := shutil.which("tsc")) is not None:
        return [found]
    folder = Path.home() / ".cache" / "holdfast-tests" / "typescript-5.9.3"
    program = folder / "node_modules" / "typescript" / "bin" / "tsc"
    if not program.is_file():
        npm = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), "typescript@5.9.3"]
        try:
            subprocess.run(npm, check=True, capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"no TypeScript compiler, and npm brings none: {error}")
    return ["node", str(program)]


def test_the_typescript_client_compiles_and_asks(
    tsc: list[str], served: Any, client: Client, tmp_path: Path
) -> None:
    for name in ("client.ts", "operations.ts", "tsconfig.json", "package.json"):
        shutil.copy(TYPESCRIPT / name, tmp_path)
    (block,) = blocks("ts")
    (tmp_path / "example.ts").write_text(block.replace("http://127.0.0.1:8000", served.url))
    settings = (tmp_path / "tsconfig.json").read_text().replace('"client.ts"', '"client.ts", "example.ts"')
    (tmp_path / "tsconfig.json").write_text(settings)
    compiled = subprocess.run([*tsc, "-p", str(tmp_path)], capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stdout
    ran = subprocess.run(
        ["node", str(tmp_path / "dist" / "example.js")],
        env={**os.environ, "KEY": served.key},
        capture_output=True,
        text=True,
    )
    assert ran.stdout == "[ 'one' ]\n404 not_found\n", ran.stderr
    assert list(client.get_many(["one"])) == ["one"]
