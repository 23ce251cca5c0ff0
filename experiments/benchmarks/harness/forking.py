"""Children of the quick form: forks of one process that has loaded the libraries, so that none begins anew.

Their memory and their warmth are then not their own, which counts nothing where no bound means anything.
"""

import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.context import BaseContext
from pathlib import Path

LOADED = ["experiments.benchmarks.__main__"]
"""Imports what the benchmarks import."""


def process_context(quick: bool) -> BaseContext:
    """How processes that answer this one are started."""
    if not quick:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    return context


def run_forked(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], timeout: float
) -> tuple[int, str, str]:
    """`python -m MODULE ARGUMENTS` in a fork: its exit code, and what it wrote to stdout and stderr.

    Raises TimeoutError where it takes longer; the fork is killed then.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        said = [Path(folder) / name for name in ("stdout", "stderr")]
        given = (module, list(arguments), dict(environment), [str(file) for file in said])
        process = process_context(quick=True).Process(target=_run, args=given)  # type: ignore[attr-defined]
        process.start()
        try:
            process.join(timeout)
            if process.exitcode is None:
                raise TimeoutError(f"{module} took more than {timeout:.0f} s")
        finally:
            process.kill()
        output, errors = (file.read_text() if file.exists() else "" for file in said)
        return process.exitcode, output, errors


def _run(module: str, arguments: list[str], environment: dict[str, str], files: list[str]) -> None:
    for number, file in enumerate(files, 1):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
