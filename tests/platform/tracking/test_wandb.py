"""What lies in the folders that W&B keeps without its server, read as its own records."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.testing import TrackerContract, tracked_sweep
from holdfast.tracking import TrackerConfig, WandbConfig, tell

wandb = pytest.importorskip("wandb", reason="pip install 'holdfast[wandb]'")


BLOCK, HEADER = 32_768, 7


def records(file: Path) -> Iterator[Any]:
    """The file is a log as LevelDB writes it, after seven bytes that say whose it is."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole = file.read_bytes(), HEADER, b""
    assert data[:4] == b":W&B"
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        whole += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(whole)
            whole = b""


def read(file: Path) -> dict[str, Any]:
    """Id, name, group, rows and exit code of an offline run."""
    found: dict[str, Any] = {"rows": []}
    for record in records(file):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            found |= {"id": record.run.run_id, "name": record.run.display_name, "group": record.run.run_group}
        if kind == "history":
            items = record.history.item
            names = ["/".join(each.nested_key) or each.key for each in items]
            found["rows"].append(
                {name: json.loads(each.value_json) for name, each in zip(names, items, strict=True)}
            )
        if kind == "exit":
            found["exit"] = record.exit.exit_code
    return found


def runs_in(folder: Path) -> list[dict[str, Any]]:
    return [read(file) for file in sorted(folder.glob("runs/photos/tracking/wandb/offline-run-*/*.wandb"))]


class TestWandb(TrackerContract):
    @pytest.fixture
    def config(self) -> TrackerConfig:
        return WandbConfig()

    def test_both_parts_of_a_run_have_its_id(self, config: TrackerConfig, tmp_path: Path) -> None:
        self.test_it_follows_a_run_that_is_interrupted_and_goes_on(config, config.open(), tmp_path)
        first, second = sorted(runs_in(tmp_path), key=lambda run: run["exit"], reverse=True)
        assert first["id"] == second["id"] == "a" * 32
        assert (first["exit"], second["exit"]) == (1, 0)
        losses = [row["loss/classification"] for row in second["rows"] if "loss/classification" in row]
        assert losses == [3.0, 1.5, 1.0, 0.75]
        assert [row["step"] for row in second["rows"] if "loss/classification" in row] == [5, 6, 7, 8]
        assert [row["cross/v1"] for row in second["rows"] if "cross/v1" in row] == [60.0]

    def test_trials_are_a_group(self, config: TrackerConfig, tmp_path: Path) -> None:
        tracker = config.open()
        for event in tracked_sweep(tmp_path):
            tell(tracker, event)
        found = {run["id"]: run for run in runs_in(tmp_path)}
        assert sorted(found) == ["b" * 32, *(f"{'b' * 32}-{number}" for number in range(3))]
        assert {run["group"] for run in found.values()} == {"photos"}
        assert [row["objective"] for row in found[f"{'b' * 32}-1"]["rows"]] == [11.0, 12.0]
        assert found[f"{'b' * 32}-2"]["exit"] == 1
