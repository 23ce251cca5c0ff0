"""What a benchmark writes into the page of results, and what it leaves alone."""

from pathlib import Path

from experiments.benchmarks.harness.section import write_section


def test_a_section_replaces_itself_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    page.write_text("# Results\n\nBefore.\n")
    for text in ("## Codes\n\nold", "## Codes\n\nnew\n"):
        write_section(page, "codes", text)
    write_section(page, "transfer", "## Transfer")
    page.write_text(page.read_text() + "\nAfter.\n")
    once = page.read_text()
    for name, text in (("codes", "## Codes\n\nnew"), ("transfer", "## Transfer")):
        write_section(page, name, text)
    assert page.read_text() == once
    assert [line for line in once.splitlines() if line and not line.startswith("<!--")] == [
        "# Results",
        "Before.",
        "## Codes",
        "new",
        "## Transfer",
        "After.",
    ]
    assert "old" not in once
    assert once.count("written by experiments/benchmarks/codes") == 1
