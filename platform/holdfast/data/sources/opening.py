"""From a URI to the source that it names."""

from urllib.parse import parse_qsl

from holdfast.base import ConfigError, DataError, load_class, parse_settings
from holdfast.data.sources.files import expand
from holdfast.data.sources.folder import FolderSource
from holdfast.data.sources.glyphs import GlyphSource
from holdfast.data.sources.listed import ListedFiles
from holdfast.data.sources.parquet import ParquetSource
from holdfast.data.sources.roles import parse_roles
from holdfast.data.sources.source import Source, SourceConfig, VectorSource
from holdfast.data.sources.vectors import VectorFiles
from holdfast.data.sources.webdataset import WebDataset

ALLOWED = (
    "glyphs:, glyphs:?classes=60, parquet:PATH_OR_URL, folder:PATH, webdataset:PATH_OR_URL, list:FILE, "
    "vectors:PATH_OR_URL, gallery:?label=NAME, or package.module:Class?key=value"
)


def open_source(uri: str) -> Source:
    """Open a source of images, see `open_any`. Raises DataError as it does, and for a source of vectors."""
    opened = open_any(uri)
    if isinstance(opened, VectorSource):
        raise DataError(f"Source {uri!r} holds vectors; here images are wanted.")
    return opened


def open_any(uri: str) -> Source | VectorSource:
    """Open `glyphs:`, `glyphs:?classes=60`, `parquet:PATH_OR_URL`, `folder:PATH`, `webdataset:PATH_OR_URL`,
    `list:FILE` or `vectors:PATH_OR_URL`.

    `~` and environment variables are expanded; `$HOLDFAST_DATA` has the default `../shared/data`. A source of
    another package is `package.module:Class?key=value`: the keys are those of the class, a `SourceConfig`.

    >>> open_source("glyphs:?classes=36").listing("evaluation").rows.num_rows
    240

    Raises:
        DataError: the URI names no known kind of source, or its parameters are wrong.
    """
    kind, _, rest = uri.partition(":")
    match kind:
        case "glyphs":
            return GlyphSource.parse(rest)
        case "parquet":
            return ParquetSource(uri, expand(rest))
        case "folder":
            return FolderSource(uri, expand(rest))
        case "webdataset" | "list":
            path, roles = parse_roles(uri, rest)
            kinds = {"webdataset": WebDataset, "list": ListedFiles}
            return kinds[kind](uri, expand(path), roles)
        case "gallery":
            raise DataError(
                f"Source {uri!r} is the gallery of a store: only experiments of holdfast run and tune learn "
                "from it."
            )
        case "vectors":
            return VectorFiles.parse(uri, rest)
    try:
        return _outside(uri).open(uri)
    except ConfigError as error:
        raise DataError(f"Unknown source {uri!r}; allowed are {ALLOWED}. {error}") from error


def _outside(uri: str) -> SourceConfig:
    place, _, query = uri.partition("?")
    config = load_class(place, SourceConfig)
    try:
        given = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError as error:
        raise ConfigError(f"{query!r} is not of the form key=value&key=value.") from error
    return parse_settings(config, {key: expand(value) for key, value in given.items()}, place)
