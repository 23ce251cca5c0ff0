"""`holdfast distill` and `holdfast export`: small encoders for a large one's gallery, and files of them."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from holdfast.cli.console import ProgressView, print_json, print_summary
from holdfast.cli.options import STORE, ArtifactsOption, JsonOption, StoreOption
from holdfast.store import open_store


def distill(
    experiment: Annotated[
        Path,
        typer.Argument(help="YAML file with a section distillation, as quickstart-small.yaml."),
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="dotted.key=value, over the file. Repeatable.")
    ] = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over; what was published before stays.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Teach a small encoder to imitate a published version, so that its queries search its gallery.

    It becomes a version of its own, measured against the galleries of its source and of its source's
    ancestors; nothing is embedded anew. It may read other images than the source: smaller, grey, edges. An
    interrupted distillation goes on where it left off.

    Example: [bold]holdfast distill experiments/quickstart-small.yaml[/]
    """
    from holdfast.config import load_experiment
    from holdfast.publishing import PAGE, RunFolder
    from holdfast.runs import distill_experiment

    loaded = load_experiment(experiment, set_ or [])
    console = Console(stderr=True)
    with open_store(store, artifacts, create=False) as opened, ProgressView(console) as view:
        outcome = distill_experiment(opened, loaded, view, fresh=fresh)
        place = RunFolder(opened, loaded.name).place(PAGE)
    report: dict[str, Any] = json.loads(outcome.report.with_suffix(".json").read_text())
    if as_json:
        print_json({**vars(outcome), "measured": report})
        return
    if outcome.already_finished:
        ending = "is already there; --fresh starts over."
    else:
        ending = f"took {outcome.seconds:.0f} s."
    console.print(f"{outcome.version}, distilled from {outcome.source}, {ending}", soft_wrap=True)
    print_summary(console, report)
    share = outcome.parameters / outcome.source_parameters
    console.print(
        f"{outcome.parameters:,} parameters, {share:.1%} of the {outcome.source_parameters:,} of "
        f"{outcome.source}.",
        soft_wrap=True,
        highlight=False,
    )
    console.print(f"Report: {place}", soft_wrap=True)


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
    """Write a version's encoder as one file that runs without Holdfast.

    It takes uint8 pixels of shape (images, channels, size, size), as the version's preprocessing fits them,
    and gives embeddings of unit norm. It is checked against the original before it appears under its name.
    Its size and its time for an image, on one core, are shown beside those of the version that it was
    distilled from.

    Example: [bold]holdfast export v4 --format onnx -o small.onnx[/]
    """
    from holdfast.runs import export_version

    with open_store(store, artifacts, create=False) as opened:
        written, source = export_version(opened, version, format, output)
    if as_json:
        print_json(
            {"file": str(output), "format": format, **vars(written), "source": source and vars(source)}
        )
        return
    table = Table("version", "parameters", "file", "one image, one core", box=SIMPLE_HEAD)
    for each in (written, *([source] if source else [])):
        table.add_row(
            each.version,
            f"{each.parameters:,}",
            f"{each.size / 1024:,.0f} KiB",
            f"{each.milliseconds:.3f} ms",
        )
    console = Console(stderr=True)
    console.print(table)
    console.print(
        f"{written.version} as {format}: {output}; its embeddings differ by at most "
        f"{written.difference:.1g} from the original's.",
        soft_wrap=True,
        highlight=False,
    )
