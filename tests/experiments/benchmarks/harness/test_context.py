"""What decides whether two figures may stand beside each other."""

from pathlib import Path

from experiments.benchmarks.harness.context import code_fingerprint


def test_the_code_s_fingerprint_follows_its_files(tmp_path: Path) -> None:
    file = tmp_path / "platform" / "part.py"
    file.parent.mkdir()
    file.write_text("a = 1\n")
    before = code_fingerprint(tmp_path)
    assert code_fingerprint(tmp_path) == before
    file.write_text("a = 2\n")
    changed = code_fingerprint(tmp_path)
    file.rename(file.with_name("other.py"))
    assert len({before, changed, code_fingerprint(tmp_path)}) == 3
