import pytest

from holdfast.base import DataError
from holdfast.data import open_source
from holdfast.data.sources.files import expand, locate


@pytest.mark.parametrize("uri", ["", "omniglot.parquet", "csv:x.csv", "Glyphs:", "/data/images"])
def test_an_unknown_kind_names_the_kinds(uri: str) -> None:
    with pytest.raises(DataError, match=r"allowed are glyphs:.*parquet:PATH_OR_URL.*folder:PATH"):
        open_source(uri)


def test_the_data_folder_expands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_DATA", "/data")
    assert expand("$HOLDFAST_DATA/a.csv") == expand("${HOLDFAST_DATA}/a.csv") == "/data/a.csv"
    assert expand("$HOLDFAST_DATA_2/a.csv") == "$HOLDFAST_DATA_2/a.csv"
    monkeypatch.delenv("HOLDFAST_DATA")
    assert expand("$HOLDFAST_DATA/a.csv") == "../shared/data/a.csv"
    monkeypatch.setenv("ELSEWHERE", "s3://bucket")
    assert expand("$ELSEWHERE/a.csv") == "s3://bucket/a.csv"


@pytest.mark.parametrize("path", ["gopher://host/a.parquet", "https://host/a.parquet", ""])
def test_a_url_that_cannot_be_opened(path: str) -> None:
    with pytest.raises(DataError, match="local path"):
        locate(path)
