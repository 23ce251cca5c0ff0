"""Make omniglot.parquet from the two official archives, as the experiments expect it.

The archives, images_background.zip and images_evaluation.zip, lie in the folder `python` of
https://github.com/brendenlake/omniglot (MIT). Then:

    python experiments/prepare_omniglot.py images_background.zip images_evaluation.zip -o omniglot.parquet

One row an image, sorted by label, then sample_id: `image` (28x28, 1-bit PNG, black ink on white), `label`
(ALPHABET/characterNN), `split` (background or evaluation), `sample_id` (CCCC_DD: character, drawer), `group`
(ALPHABET).
"""

import argparse
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

SIZE = 28
INK_SHARE = 0.4  # A pixel is ink from this share of its area on: at one half, thin strokes break.
ROW_GROUP = 4096
SCHEMA = pa.schema(
    [
        ("image", pa.binary()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("sample_id", pa.string()),
        ("group", pa.string()),
    ]
)


def shrink(drawing: bytes) -> bytes:
    """A PNG of any size, black ink on white -> a 1-bit PNG of 28x28 pixels."""
    with Image.open(io.BytesIO(drawing)) as opened:
        small = opened.convert("L").resize((SIZE, SIZE), Image.Resampling.BOX)
    paper = np.asarray(small) > 255 * (1 - INK_SHARE)
    target = io.BytesIO()
    Image.fromarray(paper).save(target, "PNG", optimize=True)
    return target.getvalue()


def rows(archive: Path, split: str) -> Iterator[dict[str, object]]:
    """The drawings of one archive: images_SPLIT/ALPHABET/characterNN/CCCC_DD.png.

    Raises:
        ValueError: the archive holds no such drawing.
    """
    with zipfile.ZipFile(archive) as opened:
        empty = True
        for name in opened.namelist():
            match PurePosixPath(name).parts:
                case (top, alphabet, character, file) if top == f"images_{split}" and file.endswith(".png"):
                    empty = False
                    yield {
                        "image": shrink(opened.read(name)),
                        "label": f"{alphabet}/{character}",
                        "split": split,
                        "sample_id": PurePosixPath(file).stem,
                        "group": alphabet,
                    }
    if empty:
        raise ValueError(f"{archive} holds no images_{split}/ALPHABET/characterNN/CCCC_DD.png")


def prepare(background: Path, evaluation: Path, output: Path) -> int:
    """Write the Parquet file, whole or not at all; returns how many images it has."""
    drawings = [*rows(background, "background"), *rows(evaluation, "evaluation")]
    drawings.sort(key=lambda row: (row["label"], row["sample_id"]))
    unfinished = output.with_name(output.name + ".partial")
    compression = {name: "none" if name == "image" else "zstd" for name in SCHEMA.names}
    pq.write_table(
        pa.Table.from_pylist(drawings, SCHEMA), unfinished, row_group_size=ROW_GROUP, compression=compression
    )
    unfinished.replace(output)
    return len(drawings)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("background", type=Path, help="path of images_background.zip")
    parser.add_argument("evaluation", type=Path, help="path of images_evaluation.zip")
    parser.add_argument("-o", "--output", type=Path, default=Path("omniglot.parquet"))
    options = parser.parse_args(arguments)
    try:
        count = prepare(options.background, options.evaluation, options.output)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        parser.error(f"{error}.")
    print(f"{options.output}: {count} images")


if __name__ == "__main__":
    main()
