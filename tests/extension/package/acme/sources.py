import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from PIL import Image
from pydantic import Field

from holdfast.data import Encoded, Listing, Source, SourceConfig, Survey, conform, of_split


@dataclass(frozen=True)
class Stripes(Source):
    """Stripes whose width and slant are their class, in two splits."""

    uri: str
    classes: int
    instances: int

    def listing(self, split: str | None = None, columns: Collection[str] | None = None) -> Listing:
        where = f"Source {self.uri!r}"
        numbers = [(label, at) for label in range(self.classes) for at in range(self.instances)]
        rows = pa.table(
            {
                "label": [f"stripes {label:02d}" for label, _ in numbers],
                "split": ["evaluation" if label % 3 == 2 else "train" for label, _ in numbers],
                "sample_id": [f"{label:02d}-{at:02d}" for label, at in numbers],
            }
        )
        chosen = conform(of_split(rows, split, where), where)
        names = chosen.column("sample_id").to_pylist()

        def images(indices: np.ndarray) -> Iterator[Encoded]:
            for index in indices:
                label, at = map(int, names[index].split("-"))
                png = _draw(label, at)
                yield Encoded(len(png), partial(bytes, png))

        return Listing(chosen, tuple(chosen.column_names), images)

    def survey(self) -> Survey:
        return Survey(f"stripes-1-{self.classes}-{self.instances}")


class StripesConfig(SourceConfig):
    classes: int = Field(9, ge=3)
    instances: int = Field(6, ge=2)

    def open(self, uri: str) -> Source:
        return Stripes(uri, self.classes, self.instances)


def _draw(label: int, at: int) -> bytes:
    down, across = np.mgrid[:28, :28]
    phase = np.random.default_rng([label, at]).uniform(0, 6)
    waves = np.sin((across + (label % 3 - 1) * down) * (0.3 + 0.15 * label) + phase)
    target = io.BytesIO()
    Image.fromarray(((waves + 1) * 127).astype(np.uint8)).save(target, "PNG")
    return target.getvalue()
