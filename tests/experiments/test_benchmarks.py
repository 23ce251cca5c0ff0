"""`make bench`: cells that survive an interruption, an honest opponent, and a table of what was measured."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from holdfast.data import Augmentation, AugmentConfig
from holdfast.models import Encoder, ModelConfig

BENCHMARKS = Path(__file__).parents[2] / "experiments" / "benchmarks"
CONTEXT = {"machine": {"processor": "one"}, "code": "abc", "quick": True}


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts the command with small sizes, over the built-in images and a cache of its own."""
    environment = {
        **os.environ,
        "HOLDFAST_DATA": str(tmp_path),
        "HOLDFAST_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            str(BENCHMARKS / "bench.py"),
            "--quick",
            "--results",
            str(tmp_path / "results"),
        ]
        return subprocess.Popen(
            [*command, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def refuse() -> dict[str, Any]:
    raise AssertionError("measured again")


def test_a_finished_cell_is_not_measured_again(
    load_module: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    make = load_module("cells").Cells
    file = tmp_path / "one.jsonl"
    assert make(file, CONTEXT)("a", lambda: {"seconds": 1.5}) == {"seconds": 1.5}
    again = make(file, CONTEXT)
    assert "a" in again
    assert again("a", refuse) == {"seconds": 1.5}
    again("b", lambda: {"seconds": 2})
    assert len(make(file, CONTEXT)) == 2


@pytest.mark.parametrize("change", [{"machine": {"processor": "two"}}, {"code": "abd"}, {"quick": False}])
def test_cells_of_another_context_are_forgotten(
    load_module: Callable[[str], ModuleType], tmp_path: Path, change: dict[str, Any]
) -> None:
    make = load_module("cells").Cells
    make(tmp_path / "one.jsonl", CONTEXT)("a", lambda: {"seconds": 1})
    assert len(make(tmp_path / "one.jsonl", {**CONTEXT, **change})) == 0


def test_fresh_forgets(load_module: Callable[[str], ModuleType], tmp_path: Path) -> None:
    make = load_module("cells").Cells
    make(tmp_path / "one.jsonl", CONTEXT)("a", lambda: {"seconds": 1})
    assert len(make(tmp_path / "one.jsonl", CONTEXT, fresh=True)) == 0
    assert len(make(tmp_path / "one.jsonl", CONTEXT)) == 0


@pytest.mark.parametrize("kept", [1, 5, 30])
def test_a_line_that_was_being_written_is_measured_again(
    load_module: Callable[[str], ModuleType], tmp_path: Path, kept: int
) -> None:
    make, file = load_module("cells").Cells, tmp_path / "one.jsonl"
    cells = make(file, CONTEXT)
    cells("a", lambda: {"seconds": 1})
    whole = file.read_text()
    cells("b", lambda: {"seconds": 2})
    file.write_text(file.read_text()[: len(whole) + kept])
    after = make(file, CONTEXT)
    assert ("a" in after, "b" in after) == (True, False)
    after("b", lambda: {"seconds": 3})
    assert make(file, CONTEXT)("b", refuse) == {"seconds": 3}


def test_the_code_s_fingerprint_follows_its_files(
    load_module: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    fingerprint = load_module("cells").code_fingerprint
    file = tmp_path / "platform" / "part.py"
    file.parent.mkdir()
    file.write_text("a = 1\n")
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    file.write_text("a = 2\n")
    changed = fingerprint(tmp_path)
    file.rename(file.with_name("other.py"))
    assert len({before, changed, fingerprint(tmp_path)}) == 3


def test_rows_hold_their_bounds_by_the_median(load_module: Callable[[str], ModuleType]) -> None:
    rows = load_module("rows")
    assert rows.at_most("a", [1, 9, 2], "s", 2).held
    assert not rows.at_most("a", [1, 9, 3], "s", 2).held
    assert rows.at_least("a", [1.0, 2.0, 9.0], "times", 2.0).held
    fast = rows.at_least("a", [1.0, 1.9, 9.0], "times", 2.0)
    assert (fast.held, fast.figure, fast.low, fast.high) == (False, 1.9, 1.0, 9.0)
    assert fast.bound == "at least 2.0 times"


def test_the_plain_loop_has_the_same_network(load_module: Callable[[str], ModuleType]) -> None:
    encoder = Encoder(ModelConfig(dimension=32)).eval()
    plain = load_module("plain_loop").plain_network(encoder).eval()
    ours = [value for name, value in encoder.state_dict().items() if name != "rotation"]
    plain.load_state_dict(dict(zip(plain.state_dict(), ours, strict=True)))
    images = torch.rand(4, 1, 28, 28)
    expected = encoder(images)
    normalized = encoder.preprocessing.normalize(images).contiguous()
    torch.testing.assert_close(F.normalize(plain(normalized)), expected, atol=1e-5, rtol=1e-4)


def test_the_plain_loop_has_the_same_loss(load_module: Callable[[str], ModuleType]) -> None:
    embeddings, labels = torch.randn(8, 16), torch.arange(8) % 3
    head = ModelConfig(dimension=16).head.build(16, 3)
    plain = load_module("plain_loop").CosFace(16, 3)
    plain.weight.data = head.directions.data.clone()
    torch.testing.assert_close(plain(embeddings, labels), head(F.normalize(embeddings), labels))


def test_the_plain_loop_distorts_as_holdfast_does(load_module: Callable[[str], ModuleType]) -> None:
    plain_loop = load_module("plain_loop")
    smooth = np.full((28, 28), 255, np.uint8)
    smooth[8:20, 10:17] = np.linspace(0, 200, 12, dtype=np.uint8)[:, None]
    augmentation = Augmentation(AugmentConfig())
    parameters = augmentation.draw(16, torch.Generator().manual_seed(3))
    images = torch.from_numpy(smooth)[None, None].expand(16, 1, 28, 28)
    expected = augmentation.apply(images, parameters)
    for row, theirs in zip(parameters[:, :6].tolist(), expected, strict=True):
        ours = plain_loop.to_tensor(plain_loop.distort(Image.fromarray(smooth), tuple(row)))
        assert (ours * 0.5 + 0.5 - theirs).abs().max() < 0.03


def test_the_plain_loop_draws_from_the_same_range(load_module: Callable[[str], ModuleType]) -> None:
    plain_loop = load_module("plain_loop")
    config = AugmentConfig()
    drawn = np.array([plain_loop.draw_matrix(config) for _ in range(4000)])
    theirs = Augmentation(config).draw(4000, torch.Generator().manual_seed(0))[:, :6].numpy()
    np.testing.assert_allclose(drawn.std(0), theirs.std(0), rtol=0.1, atol=0.01)
    np.testing.assert_allclose(drawn.mean(0), theirs.mean(0), atol=0.02)


def test_an_interrupted_bench_goes_on(bench: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    file = tmp_path / "results" / "training_speed.jsonl"
    first = bench("--only", "training_speed")
    try:
        deadline = time.monotonic() + 600
        while not (file.exists() and len(file.read_text().splitlines()) >= 2):
            assert first.poll() is None, first.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        first.send_signal(signal.SIGTERM)
        _, said = first.communicate(timeout=300)
    finally:
        first.kill()
        first.wait()
    assert first.returncode == 130, said
    assert "goes on from here" in said
    before = file.read_text().splitlines()
    assert not (tmp_path / "results" / "training_speed.rows.json").exists()

    second = bench("--only", "training_speed", "--only", "gallery")
    output, said = second.communicate(timeout=600)
    assert second.returncode == 0, said
    after = file.read_text().splitlines()
    if json.loads(before[0]) != json.loads(after[0]):
        pytest.skip("the code was changed while this test ran, so all was measured again")
    assert after[: len(before)] == before
    assert f"{len(before) - 1} measurements are there already" in said
    assert "training against the plain loop" in output
    table = (tmp_path / "results" / "bench.md").read_text()
    assert "| training against the plain loop |" in table
    assert "at least 2.0 times" in table
    assert "bench.py --only gallery" in table
    assert "| gallery, one durable upsert |" in table
    rows = json.loads((tmp_path / "results" / "training_speed.rows.json").read_text())["rows"]
    assert all(row["figure"] > 0 for row in rows)


def test_opening_images_and_publishing_a_chain_are_measured(
    bench: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    running = bench("--only", "opening_images", "--only", "publishing_chain")
    output, said = running.communicate(timeout=600)
    assert running.returncode == 0, said
    for kind in ("folder", "parquet", "text"):
        assert f"{kind}: memory, first opening" in output
    assert "publishing, late tasks over early ones" in output


def test_a_benchmark_that_fails_stops_no_other(
    bench: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    (tmp_path / "omniglot.parquet").write_bytes(b"no Parquet")
    running = bench("--only", "training_speed", "--only", "evaluation_memory")
    output, said = running.communicate(timeout=600)
    assert running.returncode == 1, said
    assert "Failed: training_speed" in said
    assert "evaluation, extra memory" in output
    assert "training against the plain loop" not in output
