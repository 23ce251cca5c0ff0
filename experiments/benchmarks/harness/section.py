"""The part of a page of results that one benchmark writes: what people wrote around it stays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.benchmarks.harness.places import DOCS, RESULTS


def page_of(results: Path) -> Path:
    """Where the section of these results is written: a page of docs/ for those of the repository."""
    return DOCS / f"results-{results.name}.md" if results.parent == RESULTS else results / "results.md"


def images_of(page: Path) -> Path:
    """Where the plots of a page lie."""
    return page.parent / "images" / "results"


def origin(machine: Mapping[str, Any]) -> str:
    """The machine, as a line of its own; not its threads, which may be others when the page is written."""
    told = {key: value for key, value in machine.items() if value is not None and key != "threads"}
    return ", ".join(f"{key} {value}" for key, value in told.items()) + "."


def write_section(page: Path, benchmark: str, text: str) -> None:
    """Put the text between the marks of `benchmark`, a file beside this one; without marks at the end."""
    begin = f"<!-- {benchmark}: written by experiments/benchmarks/{benchmark}, from here -->"
    end = f"<!-- {benchmark}: to here -->"
    there = page.read_text() if page.is_file() else "# Results\n"
    before, mark, rest = there.partition(begin)
    after = rest.partition(end)[2].lstrip() if mark else ""
    written = f"{before.rstrip()}\n\n{begin}\n\n{text.strip()}\n\n{end}\n"
    partial = page.with_name(page.name + ".partial")
    partial.write_text(f"{written}\n{after}" if after else written)
    partial.replace(page)
