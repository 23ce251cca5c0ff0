"""Every verb as a user meets it: its help, its JSON, and what it leaves."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.main import get_command

from holdfast.cli import app
from holdfast.data import open_source
from holdfast.store import open_store
from holdfast.testing import tiny_store

Holdfast = Callable[..., Any]
Write = Callable[..., Path]
Pictures = Callable[..., Path]
SOURCE = "glyphs:?classes=24&instances=6"
CONTRACT = {
    "run", "adopt", "bridge", "evaluate", "embed", "search", "tune", "distill", "export", "versions",
    "retire", "promote", "rollback", "traffic", "serve", "submit", "doctor", "plan",
    "keys create", "keys list", "keys revoke", "jobs list", "jobs logs", "jobs stop",
    "gallery import", "gallery export", "gallery push", "gallery stats", "gallery verify", "gallery snapshot",
    "gallery list", "gallery count", "gallery delete",
    "backfill plan", "backfill start", "backfill list", "backfill pause", "backfill resume",
    "backfill cancel",
}  # fmt: skip


def verbs(group: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All verbs with their commands, those of groups as `group verb`."""
    for name, command in (group or get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, f"{name} ")
        else:
            yield prefix + name, command


VERBS = dict(verbs())


@pytest.fixture
def filled(holdfast: Holdfast, learned: Path, tmp_path: Path) -> Path:
    """The store with the evaluation images of both versions in its gallery."""
    for version in ("v1", "v2"):
        file = tmp_path / f"{version}.parquet"
        split = ["--split", "evaluation"]
        assert holdfast("embed", version, SOURCE, *split, "-o", file, "--store", learned).code == 0
        table = pq.read_table(file)
        ids = pa.array([f"{version}/{name}" for name in table["sample_id"].to_pylist()])
        pq.write_table(table.set_column(0, "sample_id", ids), file)
        assert holdfast("gallery", "import", file, "--store", learned).code == 0
    return learned


def test_the_verbs_are_those_of_the_contract() -> None:
    assert set(VERBS) == CONTRACT


@pytest.mark.parametrize("verb", sorted(CONTRACT))
def test_help_has_an_example_that_the_verb_understands(holdfast: Holdfast, verb: str) -> None:
    shown = holdfast(*verb.split(), "--help")
    assert shown.code == 0
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", shown.out).split())
    assert f"holdfast {verb}" in text
    examples = re.findall(rf"\[bold\]holdfast {verb}(.*?)\[/\]", VERBS[verb].help)
    assert examples
    for example in examples:
        VERBS[verb].make_context(verb, example.split())


@pytest.mark.parametrize("verb", sorted(CONTRACT - {"serve"}))
def test_every_verb_speaks_json_and_names_its_store(verb: str) -> None:
    options = {option for parameter in VERBS[verb].params for option in parameter.opts}
    assert "--json" in options
    # A job names it after --, and a plan is of a gallery that is not there yet.
    assert "--store" in options or verb.partition(" ")[0] in ("submit", "jobs", "plan")


def test_versions(holdfast: Holdfast, learned: Path) -> None:
    rows = holdfast("versions", "--store", learned, "--json").json
    assert [(row["id"], row["parent"], row["run"], row["task"]) for row in rows] == [
        ("v1", None, "tiny", 0),
        ("v2", "v1", "tiny", 1),
    ]
    assert all(re.fullmatch(r"hf1-[0-9a-f]{16}", row["contract"]) for row in rows)
    table = holdfast("versions", "--store", learned).out
    for row in rows:
        assert row["id"] in table
        assert row["contract"] in table


def test_versions_say_by_which_way_each_searches_others(holdfast: Holdfast, learned: Path) -> None:
    with open_store(learned) as store:
        (row,) = [each for each in store.compatibility.list() if each.query == "v2" and each.gallery == "v1"]
        newer = replace(row, compatible=False, value=row.reference - 1, low=-2.0, high=-0.5)
        store.compatibility.record([newer, replace(newer, compatible=True, candidates=50)])
    (found,) = holdfast("versions", "--store", learned, "--json").json[1]["searches"]
    assert (found["way"], found["candidates"], found["provisional"]) == ("cascade", 50, False)
    table = holdfast("versions", "--store", learned).out
    assert "v1 (cascade of 50)" in table


def test_many_galleries_take_few_words(holdfast: Holdfast, tmp_path: Path) -> None:
    tiny_store(tmp_path, versions=5).close()
    table = holdfast("versions", "--store", tmp_path).out
    searched = re.findall(r"(v\S.*?)\s+hf1-", re.sub(r".* tiny ", "", table))
    assert searched == ["v1", "v1, v2", "v1 to v3", "v1 to v4", "v1 to v5"]


def test_a_version_is_retired_for_good(holdfast: Holdfast, tmp_path: Path) -> None:
    tiny_store(tmp_path, versions=2).close()
    asked = holdfast("retire", "v1", "--store", tmp_path)
    assert (asked.code, "say --yes" in asked.err) == (2, True)
    retired = holdfast("retire", "v1", "--yes", "--store", tmp_path, "--json").json
    assert (retired["id"], retired["deleted"]) == ("v1", True)
    assert [row["id"] for row in holdfast("versions", "--store", tmp_path, "--json").json] == ["v2"]
    again = holdfast("retire", "v1", "--yes", "--store", tmp_path)
    assert again.code == 2
    assert re.search(r"v1 was retired on \d{4}-\d\d-\d\d: the store holds v2", again.err)


def test_promote_canary_and_rollback_follow_the_record(holdfast: Holdfast, learned: Path) -> None:
    def call(*arguments: object) -> dict[str, Any]:
        record: dict[str, Any] = holdfast(*arguments, "--store", learned, "--json").json
        return record

    first = call("promote", "v1")
    assert (first["epoch"], first["query_version"], first["write_version"]) == (1, "v1", "v1")
    canary = call("promote", "v2", "--canary", "0.25", "--force")
    assert (canary["canary_version"], canary["canary_share"]) == ("v2", 0.25)
    assert canary["query_version"] == "v1"
    full = call("promote", "canary", "--force")
    assert (full["query_version"], full["write_version"], full["canary_version"]) == ("v2", "v1", None)
    aliases = {row["id"]: row["aliases"] for row in call("versions")}
    assert aliases == {"v1": ["previous", "writing"], "v2": ["live"]}
    writes = call("promote", "live", "--writes", "--force")
    assert writes["write_version"] == "v2"
    back = call("rollback", "--force")
    assert (back["epoch"], back["query_version"], back["write_version"]) == (5, "v2", "v1")
    said = holdfast("rollback", "--force", "--store", learned).err
    assert re.search(r"Epoch 6: queries by v\d", said)


@pytest.mark.parametrize("thumbnails", [False, True])
def test_embed_writes_the_sources_rows_in_order(
    holdfast: Holdfast, learned: Path, tmp_path: Path, thumbnails: bool
) -> None:
    file = tmp_path / "new" / "folder" / "vectors.parquet"
    option = ["--thumbnails"] if thumbnails else []
    outcome = holdfast(
        "embed", "v2", SOURCE, "--split", "evaluation", "-o", file, *option, "--store", learned, "--json"
    )
    table, source = pq.read_table(file), open_source(SOURCE).read("evaluation")
    assert outcome.json == {"version": "v2", "rows": len(source), "file": str(file)}
    assert table.column_names[:4] == ["sample_id", "label", "version", "vector"]
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 16)
    for column in ("sample_id", "label"):
        assert table[column].to_pylist() == source[column].to_pylist()
    assert set(table["version"].to_pylist()) == {"v2"}
    vectors = np.stack(table["vector"].to_numpy())
    with open_store(learned) as store:
        expected = store.versions.load("v2").embed(source["image"].to_pylist())
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    if thumbnails:
        attributes = json.loads(table["attributes"][0].as_py())
        assert attributes["label"] == source["label"][0].as_py()
        assert attributes["thumbnail"].startswith("data:image/png;base64,")


def test_embed_reads_folders_of_pictures(
    holdfast: Holdfast, learned: Path, tmp_path: Path, pictures: Pictures
) -> None:
    folder = pictures(tmp_path / "pictures", splits=("all",)) / "all"
    file = tmp_path / "vectors.parquet"
    outcome = holdfast("embed", "v1", f"folder:{folder}", "-o", file, "--store", learned)
    assert "24 images embedded by v1" in outcome.err
    assert pq.read_table(file)["sample_id"][0].as_py() == "class-0/0.png"


def test_gallery_stats_export_verify_and_import_into_another_store(
    holdfast: Holdfast, filled: Path, template: Path, tmp_path: Path
) -> None:
    import shutil

    stats = holdfast("gallery", "stats", "--store", filled, "--json").json
    assert stats == {"entries": {"v1": 48, "v2": 48}, "total": 96, "last_seq": 96}
    said = holdfast("gallery", "stats", "--store", filled).out
    assert "96 entries" in said
    assert "v2: 48" in said
    exported = holdfast("gallery", "export", tmp_path / "all.parquet", "--store", filled, "--json").json
    assert exported == {"total": 96, "file": str(tmp_path / "all.parquet")}
    other = shutil.copytree(template / "store", tmp_path / "other")
    imported = holdfast("gallery", "import", tmp_path / "all.parquet", "--store", other, "--json").json
    assert imported["upserted"] == 96
    assert holdfast("gallery", "stats", "--store", other, "--json").json["entries"] == stats["entries"]
    verified = holdfast("gallery", "verify", "--store", other, "--json")
    assert verified.code == 0
    assert verified.json["ok"]
    # Importing again replaces, and adds nothing.
    assert holdfast("gallery", "import", tmp_path / "all.parquet", "--store", other).code == 0
    assert holdfast("gallery", "stats", "--store", other, "--json").json["total"] == 96


def test_a_snapshot_is_written_once_for_each_state(holdfast: Holdfast, filled: Path) -> None:
    first = holdfast("gallery", "snapshot", "--store", filled, "--json").json
    assert first == {"seq": 96, "total": 96, "written": True}
    assert len(list((filled / "index" / "snapshots").glob("96-*/manifest.json"))) == 1
    again = holdfast("gallery", "snapshot", "--store", filled)
    assert again.code == 0
    assert "write 96 (96 entries) is there already" in again.err


def test_serve_reads_its_settings_from_a_file_and_explains_mistakes(
    holdfast: Holdfast, filled: Path, tmp_path: Path
) -> None:
    file = tmp_path / "serving.yaml"
    file.write_text("index: {kind: quantized, treshold: 5}\nlimits: {k: 0}\n")
    outcome = holdfast("serve", "--store", filled, "--config", file)
    assert outcome.code == 2
    for part in ("index", "threshold", "limits.k", str(file)):
        assert part in outcome.err
    outcome = holdfast("serve", "--store", filled, "--set", "index.kind=elastic")
    assert outcome.code == 2
    assert "'auto'" in outcome.err


def test_verify_finds_a_damaged_entry_and_exits_with_1(holdfast: Holdfast, filled: Path) -> None:
    from sqlalchemy import text

    with open_store(filled) as store, store.engine.begin() as connection:
        connection.execute(text("UPDATE entries SET vector = zeroblob(64) WHERE seq = 5"))
    outcome = holdfast("gallery", "verify", "--store", filled, "--json")
    assert outcome.code == 1
    assert (outcome.json["ok"], outcome.json["problem_count"]) == (False, 1)
    told = holdfast("gallery", "verify", "--store", filled)
    assert told.code == 1
    assert "1 problem" in told.out


def test_evaluate_redraws_the_report_with_the_same_numbers(
    holdfast: Holdfast, write: Write, learned: Path
) -> None:
    file = learned / "runs" / "tiny" / "report.json"
    before = json.loads(file.read_text())
    file.unlink()
    outcome = holdfast("evaluate", write(), "--store", learned, "--json")
    after = json.loads(file.read_text())
    assert outcome.json == after
    for name in ("versions", "recall_at_1", "map_at_r", "intervals", "ac", "per_task_recall_at_1"):
        assert after[name] == before[name]


def test_evaluate_on_other_data_embeds_what_was_never_embedded(
    holdfast: Holdfast, write: Write, learned: Path
) -> None:
    other = write(data__source="glyphs:?classes=24&instances=6&seed=7")
    outcome = holdfast("evaluate", other, "--version", "v1", "--store", learned, "--json")
    assert outcome.json["versions"] == ["v1"]
    assert 0 < outcome.json["recall_at_1"][0][0] <= 100


def test_serve_speaks_one_line_when_it_is_ready(
    holdfast: Holdfast, learned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verb hands its options on; what a server does is tested where servers are."""
    import holdfast_serving

    calls: list[tuple[Any, ...]] = []

    def serve_forever(*arguments: Any, **options: Any) -> None:
        options.pop("say")("Holdfast serves")
        calls.append((*arguments, options))

    monkeypatch.setattr(holdfast_serving, "serve_forever", serve_forever)
    outcome = holdfast("serve", "--store", learned, "--port", 0, "--replicas", 2, "--sources", "photos")
    assert (outcome.code, outcome.out) == (0, "Holdfast serves\n")
    options = {
        "artifacts": None,
        "replicas": 2,
        "sources": ["photos"],
        "access_log": False,
        "name": "holdfast",
        "route_prefix": "/",
        "take_over": False,
        "verbose": False,
        "config": holdfast_serving.ServingConfig(store=str(learned)),
    }
    assert calls == [(str(learned), "127.0.0.1", 0, options)]
    # What is not given leaves the settings as they are.
    holdfast("serve", "--store", learned, "--set", "replicas=3", "--set", "sources=[photos]")
    options = calls[-1][-1]
    assert (options["replicas"], options["sources"]) == (None, None)
    assert (options["config"].replicas, options["config"].sources) == (3, ("photos",))
    attached = ("--route-prefix", "/embeddings", "--name", "photos", "--take-over")
    holdfast("serve", "--store", learned, "--replicas", "1-4", "--gpus-per-replica", "0.5", *attached)
    options = calls[-1][-1]
    assert (options["route_prefix"], options["name"], options["take_over"]) == ("/embeddings", "photos", True)
    assert (options["replicas"], options["config"].autoscaling.max) == (1, 4)
    assert options["config"].gpus == 0.5


@pytest.mark.parametrize(
    ("low", "high", "sign"), [(1.0, 3.0, "✓"), (-3.0, -1.0, "✗"), (-1.0, 3.0, "≈"), (-3.0, 1.0, "≈")]
)
def test_the_matrix_on_the_terminal_marks_what_is_within_chance(low: float, high: float, sign: str) -> None:
    from io import StringIO

    from rich.console import Console

    from holdfast.cli.printing import matrix_table

    pair = {"compatible": low + high > 0, "decided": low > 0 or high < 0}
    report = {
        "versions": ["v1", "v2"],
        "recall_at_1": [[50.0, None], [50.0 + (low + high) / 2, 60.0]],
        "compatible": [[None, None], [pair, None]],
    }
    shown = Console(file=StringIO(), width=80)
    shown.print(matrix_table(report))
    assert f"{50.0 + (low + high) / 2:.1f} {sign}" in shown.file.getvalue()  # type: ignore[attr-defined]
    for decided in (True, False):
        cascade = {"candidates": 10, "compatible": True, "decided": decided}
        shown.print(matrix_table({**report, "cascades": [[None, None], [cascade, None]]}))
        assert ("⇊10" in shown.file.getvalue()) is decided  # type: ignore[attr-defined]
        shown = Console(file=StringIO(), width=80)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["promote", "v2", "--canary", "0.1", "--writes"], "two switches"),
        (["backfill", "start", "v2", "--sources", "/tmp"], "--sources is for re-embed"),
        (["backfill", "start", "v2", "--workers", "2"], "--workers is for re-embed"),
        (["backfill", "start", "v2", "--gpus-per-worker", "1"], "give --workers as well"),
        (["run", "any.yaml", "--workers", "1-"], "neither a number such as 2 nor a span"),
        (["backfill", "start", "v2", "--kind", "re-embed", "--detach", "--sources", "/tmp"], "or --detach"),
        (["serve", "--set", "replicas=2", "--set", "store=elsewhere"], "--store or HOLDFAST_STORE"),
        (["serve", "--replicas", "0"], "neither a number such as 2 nor a span"),
        (["serve", "--replicas", "4-1"], "autoscaling.max 1"),
        (["serve", "--route-prefix", "embeddings"], "no path such as /embeddings"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(
    command: list[str], said: str, holdfast: Holdfast, learned: Path
) -> None:
    assert said in holdfast(*command, "--store", learned).sentence
