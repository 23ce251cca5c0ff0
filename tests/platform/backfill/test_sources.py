"""What entries name as their source is read only below what the operator has named."""

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import fs

from holdfast.backfill.sources import OUTSIDE, Sources, UnreadableError, require_sources
from holdfast.base import ConfigError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`allowed` with two images, one of them in a folder; `secret` and `allowed-not` beside it."""
    for name in ("allowed/a.png", "allowed/deep/b.png", "secret/c.png", "allowed-not/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"image")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(sources: Sources, source: str) -> str:
    with pytest.raises(UnreadableError) as raised:
        sources.find(source)
    return str(raised.value)


@pytest.mark.parametrize(
    "root", ["allowed", "allowed/", "./secret/../allowed", "{}/allowed", "file://{}/allowed"]
)
def test_what_lies_below_a_folder_is_found(folder: Path, root: str) -> None:
    sources = Sources.of([root.format(folder)])
    assert sources.roots == (str(folder / "allowed"),)
    for source in ("allowed/a.png", f"{folder}/allowed/deep/../a.png", f"file://{folder}/allowed/a.png"):
        filesystem, path = sources.find(source)
        assert isinstance(filesystem, fs.LocalFileSystem)
        assert path == str(folder / "allowed" / "a.png")


@pytest.mark.parametrize(
    "source",
    [
        "secret/c.png",
        "allowed/../secret/c.png",
        "allowed-not/d.png",
        "{}/secret/c.png",
        "file://{}/allowed/../secret/c.png",
        "file://{}/allowed/%2e%2e/secret/c.png",
        "$HOLDFAST_DATA/c.png",
        "/etc/passwd",
        "/",
        "~/.ssh/id_rsa",
        "s3://bucket/a.png",
        "http://127.0.0.1/a.png",
        "local://{}/allowed/a.png",
        "FILE://{}/allowed/a.png",
        "://allowed/a.png",
    ],
)
def test_all_else_is_refused(folder: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_DATA", str(folder / "secret"))
    assert refused(Sources.of(["allowed"]), source.format(folder)) == OUTSIDE


def test_a_link_leads_where_it_leads(folder: Path) -> None:
    (folder / "allowed" / "out").symlink_to(folder / "secret")
    (folder / "allowed" / "one.png").symlink_to(folder / "secret" / "c.png")
    (folder / "secret" / "in.png").symlink_to(folder / "allowed" / "a.png")
    sources = Sources.of(["allowed"])
    assert refused(sources, "allowed/out/c.png") == OUTSIDE
    assert refused(sources, "allowed/one.png") == OUTSIDE
    assert sources.find("secret/in.png")[1] == str(folder / "allowed" / "a.png")
    # A root may itself be a link.
    assert Sources.of(["allowed/out"]).find("secret/c.png")[1] == str(folder / "secret" / "c.png")


def test_nothing_is_allowed_by_default(folder: Path) -> None:
    assert refused(Sources(), "allowed/a.png") == OUTSIDE
    assert refused(Sources.of([]), "s3://bucket/a.png") == OUTSIDE


def test_everything_of_this_machine_may_be_named(folder: Path) -> None:
    assert Sources.of(["/"]).find("secret/c.png")[1] == str(folder / "secret" / "c.png")


@pytest.mark.parametrize("prefix", ["mock://bucket/photos", "mock://bucket/photos/"])
def test_what_lies_below_a_prefix_is_found(prefix: str) -> None:
    sources = Sources.of([prefix])
    assert sources.find("mock://bucket/photos/2026/a.png")[1] == "photos/2026/a.png"
    for source in (
        "mock://bucket/photos-private/a.png",
        "mock://bucket/a.png",
        "mock://other/photos/a.png",
        "mock://user@bucket/photos/a.png",
        "mock://bucket/photos/../a.png",
        "mock://bucket/photos/%2E%2E/a.png",
        "mock://bucket/photos/a.png?endpoint_override=evil:9000",
        "mocks://bucket/photos/a.png",
        "/photos/a.png",
    ):
        assert refused(sources, source) == OUTSIDE


def test_options_are_part_of_a_prefix() -> None:
    sources = Sources.of(["s3://bucket/photos?region=eu-west-1"])
    filesystem, path = sources.find("s3://bucket/photos/a.png?region=eu-west-1")
    assert (filesystem.region, path) == ("eu-west-1", "bucket/photos/a.png")
    assert refused(sources, "s3://bucket/photos/a.png") == OUTSIDE
    assert refused(sources, "s3://bucket/photos/a.png?region=us-east-1") == OUTSIDE


def test_it_means_the_same_in_another_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = Sources.of(["allowed", "mock://bucket/photos/", "allowed"])
    monkeypatch.chdir("/")
    assert Sources.of(sources.roots) == sources == pickle.loads(pickle.dumps(sources))
    assert sources.roots == (str(folder / "allowed"), "mock://bucket/photos")


@pytest.mark.parametrize(
    ("root", "said"),
    [
        ("gone", "'gone' is no folder here"),
        ("allowed/a.png", "is no folder here"),
        ("", "empty"),
        ("s3://", "no URL prefix"),
        ("s3://bucket/../other", "no URL prefix"),
    ],
)
def test_a_root_that_cannot_be_is_refused(folder: Path, root: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Sources.of([root])


def test_only_embedding_anew_needs_sources() -> None:
    require_sources("map", [])
    require_sources("re-embed", ["photos"])
    with pytest.raises(ConfigError, match="--sources"):
        require_sources("re-embed", [])


STEPS = st.lists(
    st.sampled_from(["allowed", "secret", "out", "deep", "..", ".", "", "a.png", "c.png", "%2e%2e"]),
    max_size=8,
)


@given(STEPS, st.sampled_from(["", "{}/", "file://{}/", "{}/allowed/", "file://{}/allowed/"]))
def test_no_path_leads_out(tmp_path_factory: pytest.TempPathFactory, steps: list[str], begins: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "no_path_leads_out"
    if not folder.exists():
        (folder / "allowed" / "deep").mkdir(parents=True)
        (folder / "secret").mkdir()
        (folder / "allowed" / "out").symlink_to(folder / "secret")
    sources = Sources.of([str(folder / "allowed")])
    try:
        found = sources.find(begins.format(folder) + "/".join(steps))[1]
    except UnreadableError:
        return
    assert Path(found).resolve().is_relative_to(folder / "allowed")
