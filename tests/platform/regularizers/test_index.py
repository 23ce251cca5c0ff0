"""The page that says which method is in which file."""

from pathlib import Path

from holdfast import regularizers
from holdfast.base.kinds import configs_in, kinds_of
from holdfast.regularizers.kinds import AnyRegularizerConfig

ROOM = Path(regularizers.__file__).parent
PAGE = (ROOM / "README.md").read_text()


def test_every_kind_is_on_the_page_with_its_file() -> None:
    rows = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `")}
    files = {}
    for config in configs_in(AnyRegularizerConfig):
        (kind,) = kinds_of(config)
        files[kind] = f"`{config.__module__.rpartition('.')[2]}.py`"
    assert rows.keys() == files.keys()
    assert all(file in rows[kind] for kind, file in files.items())


def test_every_file_of_the_wings_is_on_the_page() -> None:
    for wing in ("recipe", "literature"):
        for file in (ROOM / wing).glob("[a-z]*.py"):
            assert f"`{file.name}`" in PAGE
