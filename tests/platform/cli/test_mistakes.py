"""A user's mistake is one sentence that names what was wrong, exit code 2, and nothing half done."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from holdfast.entries import Entries
from holdfast.learning import FolderCheckpoints
from holdfast.store import open_store

Holdfast = Callable[..., Any]
Write = Callable[..., Path]
Pictures = Callable[..., Path]
FOLDER = {"data__train": {"split": "train"}, "data__evaluate": {"split": "test"}}


def assert_nothing_done(store: Path) -> None:
    """No version, no report, no checkpoint: as before the command."""
    if not (store / "holdfast.db").exists():
        return
    with open_store(store) as opened:
        assert opened.versions.list() == []
    assert not list(store.glob("runs/*/*"))
    assert not list(store.glob("artifacts/**/*.safetensors"))


# What the experiment file says


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning__epoch": 3}, ["learning.epoch: unknown key", "Did you mean 'epochs'?", "batch_size"]),
        ({"leraning": {}}, ["leraning: unknown key", "Did you mean 'learning'?"]),
        ({"model__head": {"kind": "cosface", "sclae": 16}}, ["model.head", "sclae", "'scale'", "margin"]),
        ({"regularizers": [{"kind": "prototypes"}]}, ["regularizers.0", "kind", "prototype-alignment"]),
        ({"regularizers": [{"kind": "prototype-alignment", "weight": -1}]}, ["weight", "greater", "0"]),
        ({"regularizers": [{"kind": "prototype-alignment", "weight": float("nan")}]}, ["weight", "nan"]),
        ({"regularizers": [{"kind": "feature-distillation", "weight": float("inf")}]}, ["weight", "inf"]),
        ({"learning__epochs": 0}, ["learning.epochs", "greater", "1"]),
        ({"learning__optimizer": {"learning_rate": float("nan")}}, ["learning_rate", "nan"]),
        ({"model__trunk": "resnet1000"}, ["resnet1000", "conv4", "resnet18"]),
        ({"stream__scenario": "class-incremantal"}, ["stream.scenario", "class-incremental"]),
        ({"stream": {}}, ["stream", "how many tasks"]),
        ({"name": "a/b"}, ["name", "a/b"]),
        ({"data": {"source": "glyphs:"}}, ["data.evaluate", "missing"]),
        ({"data__evaluate": {"split": "evaluation", "queries": "drawer <"}}, ["queries", "drawer <"]),
    ],
)  # fmt: skip
def test_a_wrong_key_or_value_is_named_with_what_is_allowed(
    holdfast: Holdfast, write: Write, tmp_path: Path, changes: dict[str, Any], said: list[str]
) -> None:
    sentence = holdfast("run", write(**changes), "--store", tmp_path / "store").sentence
    for part in said:
        assert part in sentence
    assert_nothing_done(tmp_path / "store")


def test_every_mistake_of_a_file_is_named_at_once(holdfast: Holdfast, write: Write, tmp_path: Path) -> None:
    file = write(learning__epoch=3, model__dimension=1, seed="zero")
    sentence = holdfast("run", file, "--store", tmp_path / "store").sentence
    for key in ("learning.epoch", "model.dimension", "seed"):
        assert key in sentence


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No experiment file"),
        ("a: [1", "not valid YAML"),
        ("name: a\nseed: 1\nname: b\n", "line 3, column 1: the key 'name' is there twice, in line 1"),
        ("learning: {epochs: 1, batch_size: 2, epochs: 3}", "the key 'epochs' is there twice"),
        ("name: a\n---\nname: b\n", "second document"),
        ("name: 7\n", "put it in quotes"),
        ("- 1\n- 2\n", "no mapping"),
        ("", "no mapping"),
    ],
)
def test_a_file_that_is_no_experiment(
    holdfast: Holdfast, tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "experiment.yaml"
    if content is not None:
        file.write_text(content)
    sentence = holdfast("run", file, "--store", tmp_path / "store").sentence
    assert said in sentence
    assert str(file) in sentence


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("learning.epochs", "not of the form dotted.key=value"),
        ("learning.epochs=[", "not valid YAML"),
        ("learning={epochs: 1, epochs: 2}", "the key 'epochs' is there twice"),
        ("regularizers.².weight=1", "the list has no item"),
        ("seed.deeper=1", "single value"),
        ("regularizers.mixbct.weight=1", "feature-distillation"),
        ("learning.epochz=1", "Did you mean 'epochs'?"),
    ],
)
def test_a_wrong_override(holdfast: Holdfast, write: Write, tmp_path: Path, override: str, said: str) -> None:
    assert said in holdfast("run", write(), "--set", override, "--store", tmp_path / "store").sentence
    assert_nothing_done(tmp_path / "store")


def test_an_override_that_another_replaces_is_said(holdfast: Holdfast, write: Write, tmp_path: Path) -> None:
    first, second = "regularizers.0.weight=3", "regularizers.feature-distillation={kind: lce, a: 1}"
    refused = holdfast("run", write(), "--set", first, "--set", second, "--store", tmp_path / "store")
    assert f"warning: --set {first} is replaced by --set {second}: the last one counts." in refused.err
    refused.sentence  # noqa: B018


def test_two_keys_of_a_sweep_that_name_one_value(holdfast: Holdfast, write: Write, tmp_path: Path) -> None:
    one = {"kind": "uniform", "low": 1, "high": 2}
    file = write(tuning={"space": {"regularizers.0.weight": one, "regularizers.feature-distillation": one}})
    sentence = holdfast("tune", file, "--store", tmp_path / "store").sentence
    assert "'regularizers.0.weight' and 'regularizers.feature-distillation' name one value" in sentence


@pytest.mark.parametrize("place", ["folder", "file/x.yaml", "/proc/none/x.yaml", "pipe"])
@pytest.mark.parametrize("verb", ["tune", "embed", "export", "gallery export"])
def test_an_output_that_cannot_be_written_is_found_before_the_work(
    holdfast: Holdfast, write: Write, learned: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, verb: str, place: str,
) -> None:  # fmt: skip
    def work(*arguments: object, **options: object) -> None:
        raise AssertionError("the work has begun")

    for name in ("jobs.embed.open_source", "runs.export._export", "jobs.tuning.trial.load_own_training"):
        monkeypatch.setattr(f"holdfast.{name}", work)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    sweep = write(tuning={"space": {"regularizers.0.weight": {"kind": "uniform", "low": 1, "high": 2}}})
    output = str(tmp_path / place)
    arguments = {
        "tune": ["tune", sweep, "-o", output],
        "embed": ["embed", "v2", "glyphs:?classes=24&instances=6", "-o", output],
        "export": ["export", "v2", "-o", output],
        "gallery export": ["gallery", "export", output],
    }
    sentence = holdfast(*arguments[verb], "--store", learned).sentence
    assert output in sentence
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "file", "folder", "pipe", "store", "tiny.yaml",
    ]  # fmt: skip


# What the source holds


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("folder:{tmp}/nowhere", ["does not exist", "nowhere"]),
        ("parquet:{tmp}/nowhere.parquet", ["nowhere.parquet"]),
        ("folder:{tmp}/empty", ["is empty"]),
        ("photos:{tmp}", ["Unknown source", "parquet:", "folder:"]),
        ("glyphs:?clases=60", ["clases", "classes"]),
    ],
)
def test_a_source_that_is_missing_or_empty(
    holdfast: Holdfast, write: Write, tmp_path: Path, source: str, said: list[str]
) -> None:
    (tmp_path / "empty").mkdir()
    file = write(data__source=source.format(tmp=tmp_path), **FOLDER)
    sentence = holdfast("run", file, "--store", tmp_path / "store").sentence
    for part in said:
        assert part in sentence
    assert_nothing_done(tmp_path / "store")


def test_an_unknown_split_names_those_there_are(
    holdfast: Holdfast, write: Write, tmp_path: Path, pictures: Pictures
) -> None:
    file = write(
        data__source=f"folder:{pictures(tmp_path / 'pictures')}",
        **(FOLDER | {"data__train": {"split": "trian"}}),
    )
    sentence = holdfast("run", file, "--store", tmp_path / "store").sentence
    assert "trian" in sentence
    assert "train" in sentence.replace("trian", "")
    assert_nothing_done(tmp_path / "store")


def test_undecodable_images_are_named_and_counted_and_skipped_only_if_asked(
    holdfast: Holdfast, write: Write, tmp_path: Path, pictures: Pictures
) -> None:
    folder = pictures(tmp_path / "pictures")
    for name in ("train/class-0/9.png", "train/class-1/9.png"):
        (folder / name).write_bytes(b"no image")
    source = {"data__source": f"folder:{folder}", **FOLDER}
    sentence = holdfast("run", write(**source), "--store", tmp_path / "store").sentence
    assert "2" in sentence
    assert "train/class-0/9.png" in sentence
    assert "skip" in sentence
    assert_nothing_done(tmp_path / "store")
    skips = write(**source, name="skips", data__undecodable="skip")
    done = holdfast("run", skips, "--store", tmp_path / "store")
    assert done.code == 0, done.err
    assert [
        line for line in done.err.splitlines() if line.startswith("warning: ") and "2 undecodable" in line
    ]


@pytest.mark.parametrize(
    ("classes", "stream", "said"),
    [
        (1, {"tasks": 1}, "one class"),
        (4, {"tasks": 9}, "9"),
        (4, {"tasks": 4}, "class"),
        (4, {"tasks": 2, "by": "group"}, "group"),
        (4, {"tasks": 2, "manifest": "{tmp}/nowhere.csv"}, "nowhere.csv"),
        (4, {"tasks": 2, "manifest": "{tmp}/manifest.csv"}, "class-3"),
    ],
    ids=["one class", "many tasks", "one class a task", "no groups", "no manifest", "class without task"],
)  # fmt: skip
def test_classes_that_make_no_stream(
    holdfast: Holdfast, write: Write, tmp_path: Path, pictures: Pictures,
    classes: int, stream: dict[str, Any], said: str,
) -> None:  # fmt: skip
    (tmp_path / "manifest.csv").write_text("task,label\n0,class-0\n0,class-1\n1,class-2\n")
    stream = {
        key: value.format(tmp=tmp_path) if isinstance(value, str) else value for key, value in stream.items()
    }
    file = write(data__source=f"folder:{pictures(tmp_path / 'pictures', classes)}", **FOLDER, stream=stream)
    assert said in holdfast("run", file, "--store", tmp_path / "store").sentence
    assert_nothing_done(tmp_path / "store")


def test_a_mistake_in_the_data_can_be_mended_under_the_same_name(
    holdfast: Holdfast, write: Write, tmp_path: Path
) -> None:
    wrong = write(data__source=f"folder:{tmp_path / 'nowhere'}")
    assert holdfast("run", wrong, "--store", tmp_path / "store").code == 2
    assert holdfast("run", write(), "--store", tmp_path / "store").code == 0


def test_a_parent_that_reads_other_images_is_refused(holdfast: Holdfast, write: Write, learned: Path) -> None:
    other = write(name="larger", model={"dimension": 16, "width": 0.25, "preprocessing": {"size": 24}})
    sentence = holdfast("run", other, "--store", learned).sentence
    assert "v2" in sentence
    assert "preprocessing" in sentence
    assert "parent: none" in sentence


# What happens while it learns


def test_a_loss_that_becomes_nan_stops_with_its_name_and_keeps_the_checkpoint(
    holdfast: Holdfast, write: Write, tmp_path: Path
) -> None:
    file = write(
        learning__checkpoint_steps=1, learning__optimizer={"learning_rate": 1e30}, learning__epochs=3
    )
    sentence = holdfast("run", file, "--store", tmp_path / "store").sentence
    assert "term 'classification' became" in sentence
    assert "learning_rate" in sentence
    with open_store(tmp_path / "store") as opened:
        assert opened.versions.list() == []
    assert FolderCheckpoints(tmp_path / "store" / "runs" / "tiny" / "checkpoints-1").latest() is not None


# Versions and their traffic


@pytest.mark.parametrize(
    "command",
    [
        ["promote", "v9"],
        ["promote", "v9", "--force"],
        ["promote", "v9", "--canary", "0.1"],
        ["embed", "v9", "glyphs:?classes=24&instances=6", "-o", "{tmp}/out.parquet"],
        ["evaluate", "{tmp}/tiny.yaml", "--version", "v9"],
    ],
    ids=lambda command: " ".join(command[:1] + command[2:3]),
)  # fmt: skip
def test_a_version_that_does_not_exist(
    holdfast: Holdfast, write: Write, learned: Path, tmp_path: Path, command: list[str]
) -> None:
    write()
    sentence = holdfast(*[part.format(tmp=tmp_path) for part in command], "--store", learned).sentence
    assert "no version 'v9'" in sentence
    assert "v1, v2" in sentence
    assert not (tmp_path / "out.parquet").exists()
    with open_store(learned) as opened:
        assert opened.traffic.history() == []


@pytest.mark.parametrize("reason", ["never measured", "failed"])
def test_promotion_without_compatibility_needs_force_which_is_recorded(
    holdfast: Holdfast, write: Write, learned: Path, reason: str
) -> None:
    alone = {"name": "alone", "parent": "none", "seed": 9, "regularizers": []}
    assert holdfast("run", write("alone.yaml", **alone), "--store", learned).code == 0
    newest = "v4" if reason == "never measured" else "v2"
    if reason == "failed":
        with open_store(learned) as opened, opened.engine.begin() as connection:
            connection.execute(text("UPDATE compatibility SET compatible = 0"))
    assert holdfast("promote", "v1", "--store", learned).code == 0
    sentence = holdfast("promote", newest, "--store", learned).sentence
    assert f"{newest} {'was never measured' if newest == 'v4' else 'is not compatible'}" in sentence
    assert "v1" in sentence
    with open_store(learned) as opened:
        assert opened.traffic.current().query_version == "v1"
    forced = holdfast(
        "promote", newest, "--force", "--note", "I know better", "--store", learned, "--json"
    ).json
    assert (forced["query_version"], forced["forced"], forced["note"]) == (newest, True, "I know better")
    with open_store(learned) as opened:
        assert opened.traffic.current().forced
        assert opened.traffic.aliases()["live"] == newest


def test_nothing_to_roll_back_to(holdfast: Holdfast, learned: Path) -> None:
    assert "nothing to roll back to" in holdfast("rollback", "--store", learned).sentence


@pytest.mark.parametrize("share", ["1.5", "-0.1", "nan"])
def test_an_impossible_canary_share(holdfast: Holdfast, learned: Path, share: str) -> None:
    assert holdfast("promote", "v1", "--store", learned).code == 0
    assert "canary_share" in holdfast("promote", "v1", "--canary", share, "--store", learned).sentence


# Measuring


def test_evaluate_without_a_run_and_with_an_unknown_control(
    holdfast: Holdfast, write: Write, learned: Path
) -> None:
    assert "no run 'other'" in holdfast("evaluate", write(name="other"), "--store", learned).sentence
    sentence = holdfast("evaluate", write(), "--control", "nobody", "--store", learned).sentence
    assert "evaluation.control" in sentence
    assert "'nobody'" in sentence


def test_tune_without_a_space(holdfast: Holdfast, write: Write, tmp_path: Path) -> None:
    sentence = holdfast("tune", write(), "-o", tmp_path / "best.yaml", "--store", tmp_path / "store").sentence
    assert "tuning" in sentence
    assert not (tmp_path / "best.yaml").exists()


# Embedding and the gallery


def test_an_undecodable_image_leaves_no_file(
    holdfast: Holdfast, learned: Path, tmp_path: Path, pictures: Pictures
) -> None:
    folder = pictures(tmp_path / "pictures", splits=("all",)) / "all"
    (folder / "class-2" / "9.png").write_bytes(b"no image")
    output = tmp_path / "out" / "vectors.parquet"
    sentence = holdfast("embed", "v1", f"folder:{folder}", "-o", output, "--store", learned).sentence
    assert "class-2/9.png" in sentence
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("vectors", "version", "said"),
    [
        (np.ones((3, 8)) / np.sqrt(8), "v1", ["8", "16"]),
        (np.full((3, 16), np.nan), "v1", ["NaN or infinity"]),
        (np.ones((3, 16)), "v1", ["norm"]),
        (np.ones((3, 16)) / 4, "v9", ["v9", "v1, v2"]),
    ],
    ids=["dimension", "NaN", "norm", "version"],
)
def test_wrong_vectors_are_refused_and_none_is_kept(
    holdfast: Holdfast, learned: Path, tmp_path: Path, vectors: np.ndarray, version: str, said: list[str]
) -> None:
    rows = [*np.ones((3, 16)) / 4, *vectors]
    table = pa.table(
        {
            "sample_id": [str(number) for number in range(6)],
            "version": ["v1"] * 3 + [version] * 3,
            "vector": pa.array([row.tolist() for row in rows], pa.list_(pa.float32())),
        }
    )
    pq.write_table(table, tmp_path / "wrong.parquet")
    sentence = holdfast("gallery", "import", tmp_path / "wrong.parquet", "--store", learned).sentence
    for part in said:
        assert part in sentence
    with open_store(learned) as opened:
        assert Entries(opened).count() == {}


def test_files_that_hold_no_entries(holdfast: Holdfast, learned: Path, tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("hello")
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "columns.parquet")
    for name, said in (("none", "no file"), ("text", "no Parquet"), ("columns", "vector")):
        file = tmp_path / f"{name}.parquet"
        assert said in holdfast("gallery", "import", file, "--store", learned).sentence


# The store


@pytest.mark.parametrize(
    "verb",
    [["versions"], ["promote", "v1"], ["rollback"], ["gallery", "stats"], ["gallery", "verify"], ["serve"]],
    ids=" ".join,
)
def test_a_folder_without_a_store_stays_one(holdfast: Holdfast, tmp_path: Path, verb: list[str]) -> None:
    assert "no store" in holdfast(*verb, "--store", tmp_path / "typo").sentence
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    "verb", [["versions"], ["run", "{tmp}/tiny.yaml"], ["gallery", "stats"]], ids=lambda v: v[0]
)
def test_a_database_of_a_newer_schema(
    holdfast: Holdfast, write: Write, learned: Path, tmp_path: Path, verb: list[str]
) -> None:
    write()
    with open_store(learned) as opened, opened.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    sentence = holdfast(*[part.format(tmp=tmp_path) for part in verb], "--store", learned).sentence
    assert "9999" in sentence
    assert "newer" in sentence


def test_a_file_that_is_no_database(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "holdfast.db").write_text("this is not a database, whatever its name says" * 100)
    assert "store/holdfast.db" in holdfast("versions", "--store", tmp_path / "store").sentence


# Serving, as far as it is refused before anything starts


def test_serve_refuses_wrong_keys_without_showing_them(
    holdfast: Holdfast, learned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_API_KEYS", "root:very-secret-key")
    sentence = holdfast("serve", "--store", learned).sentence
    assert "HOLDFAST_API_KEYS" in sentence
    assert "read, write, admin" in sentence
    assert "very-secret" not in sentence


def test_serve_refuses_a_port_that_is_taken(
    holdfast: Holdfast, learned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setenv("HOLDFAST_API_KEYS", "admin:a-known-key")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert str(port) in holdfast("serve", "--port", port, "--store", learned).sentence


# Submission, as far as it is refused before a cluster is asked


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["serve"], "submit -- run"),
        (["run", "{tmp}/missing.yaml"], "missing.yaml"),
        (["run", "{tmp}/tiny.yaml", "--set", "learning.epoch=1"], "epochs"),
        (["run", "{tmp}/tiny.yaml", "--frsh"], "--frsh"),
    ],
)
def test_a_job_that_cannot_run_is_not_submitted(
    holdfast: Holdfast, write: Write, tmp_path: Path, command: list[str], said: str
) -> None:
    write()
    arguments = [part.format(tmp=tmp_path) for part in command]
    assert said in holdfast("submit", "--address", "http://127.0.0.1:9", "--", *arguments).sentence


# The command line itself


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "frobnicate"),
        (["promote"], "version"),
        (["versions", "--jsn"], "--jsn"),
        (["promote", "v1", "--canary", "many"], "--canary"),
        (["gallery", "drop"], "drop"),
    ],
)
def test_a_mistyped_command(holdfast: Holdfast, arguments: list[str], said: str) -> None:
    assert said in holdfast(*arguments).sentence


def test_json_says_what_was_wrong_as_well(holdfast: Holdfast, learned: Path) -> None:
    refused = holdfast("promote", "v9", "--store", learned, "--json")
    assert refused.code == 2
    assert refused.json["error"] == {
        "type": "NotFoundError",
        "code": "not_found",
        "message": refused.sentence,
    }
    assert json.loads(refused.out)
