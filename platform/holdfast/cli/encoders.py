"""`holdfast embed` and `holdfast export`: a version's embeddings of a source, and the version as one file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from holdfast.cli.options import (
    STORE,
    ArtifactsOption,
    GpusOption,
    JsonOption,
    StoreOption,
    existing_store,
)
from holdfast.cli.printing import table, tell


def embed(
    version: Annotated[str, typer.Argument(help="Version or alias, such as v3 or live.")],
    source: Annotated[
        str, typer.Argument(help="parquet:PATH, folder:PATH, webdataset:PATH, list:FILE or glyphs:")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Parquet file to write.")],
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    thumbnails: Annotated[
        bool, typer.Option("--thumbnails", help="Add the image itself, for the web page.")
    ] = False,
    gpus_per_worker: GpusOption = 0.0,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Embed a source's images with one version: sample_id, label, version, vector, in the source's order.

    Images in folders have a source too, the file that each is, and a backfill can embed them anew. Images in
    Parquet files, and glyphs, have none: a backfill can only map them.

    Example: [bold]holdfast embed v3 parquet:photos.parquet -o photos-v3.parquet[/]
    """
    from holdfast.cli.printing import ProgressView
    from holdfast.jobs import embed_source

    with existing_store(store, artifacts) as opened, ProgressView() as view:
        rows, name = embed_source(
            opened, version, source, split, output, view, thumbnails=thumbnails, gpus=gpus_per_worker
        )
    tell(
        as_json,
        {"version": name, "rows": rows, "file": str(output)},
        f"{rows:,} images embedded by {name}: {output}",
    )


def export(
    version: Annotated[str, typer.Argument(help="Version or alias, such as v4 or live.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.")],
    format: Annotated[
        Literal["torch", "onnx"],
        typer.Option(help="torch: torch.export (.pt2); onnx: pip install 'holdfast[onnx]'."),
    ] = "torch",
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write what was learned of a version as one file that runs without Holdfast.

    It takes uint8 pixels of shape (images, channels, size, size), as the version's preprocessing fits them
    (of a projection the vectors of its base), and gives embeddings of unit norm. It is checked against the
    original before it appears under its name. Its size and its time for an image, on one core, are shown
    beside those of the version that it was distilled from.

    Example: [bold]holdfast export v4 --format onnx -o small.onnx[/]
    """
    from holdfast.runs import export_version

    with existing_store(store, artifacts) as opened:
        written, source = export_version(opened, version, format, output)
    compared = table("version", "parameters", "file", "one image, one core")
    for each in (written, *([source] if source else [])):
        compared.add_row(
            each.version,
            f"{each.parameters:,}",
            f"{each.size / 1024:,.0f} KiB",
            f"{each.milliseconds:.3f} ms",
        )
    tell(
        as_json,
        {"file": str(output), "format": format, **vars(written), "source": source and vars(source)},
        compared,
        f"{written.version} as {format}: {output}; its embeddings differ by at most "
        f"{written.difference:.1g} from the original's.",
    )
