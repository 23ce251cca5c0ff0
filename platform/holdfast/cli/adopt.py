"""`holdfast adopt`: a model that others made becomes a version."""

from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.options import STORE, ArtifactsOption, JsonOption, StoreOption
from holdfast.cli.printing import tell

_WORDS = {"image": "images", "text": "text"}


def adopt(
    name: Annotated[
        str, typer.Argument(help="What to call it; verbs and routes take the name where they take v3.")
    ],
    model: Annotated[
        str,
        typer.Argument(
            help="onnx:FILE, torch:FILE.pt2, transformers:FOLDER_OR_ID, timm:NAME, http:URL or "
            "vectors:PROVIDER/MODEL."
        ),
    ],
    preprocessing: Annotated[
        Path | None,
        typer.Option(
            help="How it wants its pixels: YAML, a preprocessor_config.json, or a config.json of timm's."
        ),
    ] = None,
    output: Annotated[
        str | None, typer.Option(help="Which of its outputs is the embedding, where there are several.")
    ] = None,
    text: Annotated[
        Path | None, typer.Option(help="Of onnx: the text tower beside the image tower, FILE.onnx.")
    ] = None,
    tokenizer: Annotated[Path | None, typer.Option(help="Of a text tower: its tokenizer.json.")] = None,
    text_output: Annotated[
        str | None, typer.Option(help="Of a text tower: which of its outputs is the embedding.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="Of timm: weights as safetensors, where they are not to come from its hub."),
    ] = None,
    dimension: Annotated[
        int | None,
        typer.Option(help="Of vectors: how many numbers each has. An endpoint is asked for so many."),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Which state of a model that changes under one name.")
    ] = None,
    model_name: Annotated[str | None, typer.Option(help="Of endpoints: what they call the model.")] = None,
    body: Annotated[
        str | None, typer.Option(help="Of endpoints: openai, cohere, jina or tei, whose requests they speak.")
    ] = None,
    key_env: Annotated[
        str | None, typer.Option(help="Of endpoints: the environment variable that holds the key.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Of endpoints: how many images or texts one request holds at most.")
    ] = None,
    requests_per_minute: Annotated[
        float | None, typer.Option(help="Of endpoints: how many requests one process sends at most.")
    ] = None,
    store: StoreOption = STORE,
    artifacts: ArtifactsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a model that Holdfast did not make, as a version; the store is made if there is none.

    Its files are copied, and it is tried on eight images first. Vectors alone have no model: queries and
    entries come as vectors.

    Example: [bold]holdfast adopt clip onnx:clip.onnx --preprocessing preprocessor_config.json[/]
    """
    from holdfast.models import Wishes
    from holdfast.runs import adopt_model, try_model
    from holdfast.store import open_store

    wishes = Wishes(
        preprocessing=preprocessing,
        output=output,
        revision=revision,
        dimension=dimension,
        model_name=model_name,
        body=body,
        key_env=key_env,
        batch=batch,
        requests_per_minute=requests_per_minute,
        text=text,
        tokenizer=tokenizer,
        text_output=text_output,
        weights=weights,
    )
    with try_model(name, model, wishes) as candidate, open_store(store, artifacts) as opened:
        version, new = adopt_model(opened, candidate)
        takes = candidate.takes
    said = "is" if new else "was adopted before:"
    taken = f"embeds {' and '.join(_WORDS[each] for each in takes)}" if takes else "comes as vectors"
    tell(
        as_json,
        {
            "version": version.name,
            "name": name,
            "new": new,
            "takes": takes,
            "dimension": version.dimension,
            "contract": version.contract,
        },
        f"{name} {said} {version.name}; it {taken}, of {version.dimension} dimensions ({version.contract}).",
    )
