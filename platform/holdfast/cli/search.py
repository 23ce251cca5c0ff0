"""`holdfast search`: one query over the gallery of a store, without a server."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from holdfast.base import ConfigError, InvalidVectorError, check_text, shown
from holdfast.cli.options import STORE, ArtifactsOption, JsonOption, StoreOption, existing_store
from holdfast.cli.printing import show, table

if TYPE_CHECKING:
    import numpy as np

    from holdfast.models import Model
    from holdfast.search import Cascade, SearchResult
    from holdfast.store import Store

_SECONDS = 30.0
"""For the images of a cascade: nobody else waits."""


def search(
    version: Annotated[str, typer.Argument(help="Version that asks: a name or an alias, such as live.")],
    image: Annotated[Path | None, typer.Option(help="File of an image.")] = None,
    text: Annotated[str | None, typer.Option(help="Words, for a version that takes text.")] = None,
    vector: Annotated[
        Path | None, typer.Option(help="A vector of the version, of norm 1: .npy, or a list in JSON.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many hits.")] = 10,
    sources: Annotated[
        list[str] | None,
        typer.Option("--sources", help="Folder or URL prefix whose images a cascade may read. Repeatable."),
    ] = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search the gallery by an image, a text or a vector, and say by which way its parts were met.

    Nothing is written. Where a cascade is the way, images are read below --sources, and embedded for this
    search alone.

    Example: [bold]holdfast search live --image query.jpg -k 5[/]
    """
    from holdfast.index import IndexConfig, open_index
    from holdfast.search import Gallery

    with existing_store(store, artifacts) as opened:
        name = opened.versions.get(version).name
        model = opened.versions.load(name)
        asked = _query(model, image, text, vector)
        gallery = Gallery(opened, open_index(opened, IndexConfig()))
        with _cascade(opened, model, sources or ()) as cascade:
            found = gallery.search(asked, name, k, cascade=cascade)
    listed = table("", "id", "score", "calibrated", "embedded by", "ranked by", "attributes")
    for rank, hit in enumerate(found.hits, 1):
        listed.add_row(
            str(rank),
            Text(hit.id),
            f"{hit.score:.4f}",
            f"{hit.calibrated:.4f}",
            hit.embedded_by,
            found.ranked_by(hit).replace("_", " "),
            Text(", ".join(f"{key}: {shown(value)}" for key, value in hit.attributes.items())),
        )
    show(as_json, found.as_dict(), listed, *_ways(found))


def _query(model: "Model", image: Path | None, text: str | None, vector: Path | None) -> "np.ndarray":
    """The one query that was given, float32 (d,). Raises ConfigError for none or several."""
    given = [
        option
        for option, value in (("--image", image), ("--text", text), ("--vector", vector))
        if value is not None
    ]
    if len(given) != 1:
        raise ConfigError(
            f"Give exactly one of --image, --text and --vector, not {' and '.join(given) or 'none'}."
        )
    if vector is not None:
        return _read_vector(vector)
    # What it embeds now may not be what it embedded when the gallery was filled.
    model.check()
    if image is not None:
        try:
            content = image.read_bytes()
        except OSError as error:
            raise ConfigError(f"--image {image} cannot be read: {error.strerror}.") from error
        return model.embed(model.prepare(content)[None])[0]
    assert text is not None
    if not text.strip():
        raise ConfigError("--text is empty: say in words what is to be found.")
    return model.embed_text([check_text(text, "--text", ConfigError)])[0]


def _read_vector(file: Path) -> "np.ndarray":
    import numpy as np

    """float32 (d,); of a .npy file (1, d) as well. The gallery looks at its dimension and its norm."""
    try:
        found = np.load(file, allow_pickle=False) if file.suffix == ".npy" else json.loads(file.read_text())
        row = np.asarray(found, dtype=np.float32)
    except OSError as error:
        raise ConfigError(f"--vector {file} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise InvalidVectorError(f"--vector {file} holds no vector: {error}.") from error
    return row[0] if row.ndim == 2 and len(row) == 1 else row


@contextmanager
def _cascade(store: "Store", model: "Model", sources: Sequence[str]) -> "Iterator[Cascade]":
    from holdfast.backfill import CascadeConfig, ModelCascade, OnRead, Sources

    on_read = OnRead(store, Sources.of(sources), CascadeConfig(seconds=_SECONDS, keep=False))
    with closing(on_read):
        yield ModelCascade(on_read, lambda _: model)


def _ways(found: "SearchResult") -> list[str]:
    """How each part of the gallery was met."""
    said: list[str] = []
    for name in found.searched:
        way = "its own entries" if name == found.query_version else "as they are"
        way = "through an adapter" if name in found.adapted else way
        way = f"mapped by {found.query_version} itself" if name in found.exact else way
        said.append(f"{name}: {way}")
    for name, count in found.excluded.items():
        said.append(f"{name}: left out, {count:,} entries that {found.query_version} may not search")
    if found.cascade is not None:
        counts = {key: value for key, value in asdict(found.cascade).items() if value}
        parts = ", ".join(f"{value:,} {key.replace('_', ' ')}" for key, value in counts.items())
        said.append(f"cascade: {parts}")
    return [f"Searched by {found.query_version}, up to write {found.seq}.", *(f"  {each}" for each in said)]
