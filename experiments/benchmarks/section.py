"""The part of docs/results.md that one benchmark writes: what people wrote around it stays."""

from pathlib import Path


def write_section(page: Path, benchmark: str, text: str) -> None:
    """Put the text between the marks of `benchmark`, a file beside this one; without marks at the end."""
    begin = f"<!-- {benchmark}: written by experiments/benchmarks/{benchmark}.py, from here -->"
    end = f"<!-- {benchmark}: to here -->"
    there = page.read_text() if page.is_file() else "# Results\n"
    before, mark, rest = there.partition(begin)
    after = rest.partition(end)[2].lstrip() if mark else ""
    written = f"{before.rstrip()}\n\n{begin}\n\n{text.strip()}\n\n{end}\n"
    partial = page.with_name(page.name + ".partial")
    partial.write_text(f"{written}\n{after}" if after else written)
    partial.replace(page)
