"""The built-in source: characters of many scripts, drawn with the fonts that matplotlib ships."""

import hashlib
import io
import math
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl

import matplotlib
import numpy as np
import PIL
import pyarrow as pa
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont, features

from holdfast.base import DataError
from holdfast.data.sources.listing import Encoded, Listing, Survey
from holdfast.data.sources.scripts import SCRIPTS
from holdfast.data.sources.source import Source
from holdfast.data.sources.table import conform, of_split

GENERATOR = 1
"""To be raised with every change to this file that changes a pixel, a name or the order."""

FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
)
# The true italics are not among them: in Cyrillic and elsewhere their letters are other shapes.

BLOCK = 3
"""Of every three characters of a script the last is for evaluation."""

EM = 48
ROTATE, SHEAR, STRETCH = 10.0, 0.25, 0.2


@dataclass(frozen=True)
class GlyphSource(Source):
    """White characters on black, grey PNG, `size` pixels square.

    One class a character, named as Unicode names it; the group is its script. The splits `train` and
    `evaluation` share scripts but no character: two thirds of each script train, one third evaluates.
    Instances differ by font, weight, slant and a mild affine distortion; then the ink is scaled to fill the
    image but for a margin. No two classes look the same.

    Attributes:
        classes: how many of them, spread over the scripts; None for all.
        instances: images a class.
        size: side of the images in pixels.
        seed: of the distortions. An instance does not depend on how many classes or instances there are.
    """

    classes: int | None = None
    instances: int = 20
    size: int = 28
    seed: int = 0

    @classmethod
    def parse(cls, parameters: str) -> "GlyphSource":
        """From what follows `glyphs:`, for example `?classes=60&instances=10`. Raises DataError."""
        allowed = [field.name for field in fields(cls)]
        try:
            given = dict(parse_qsl(parameters.removeprefix("?"), keep_blank_values=True, strict_parsing=True))
            unknown = set(given) - set(allowed)
            numbers = {name: int(value) for name, value in given.items()}
        except ValueError:
            given, unknown, numbers = {}, set(), {}
            if parameters not in ("", "?"):
                unknown = {parameters}
        if unknown:
            raise DataError(
                f"Source 'glyphs:{parameters}': cannot understand {', '.join(sorted(unknown))}; allowed are "
                f"{', '.join(allowed)}, each a number, as in glyphs:?classes=60&instances=10."
            )
        source = cls(**numbers)
        for name, value, least, most in (
            ("classes", source.classes or 2 * BLOCK, 2 * BLOCK, len(_characters(None))),
            ("instances", source.instances, 2, 1000),
            ("size", source.size, 16, 512),
            ("seed", source.seed, 0, 2**31 - 1),
        ):
            if not least <= value <= most:
                raise DataError(f"Source 'glyphs:{parameters}': {name} must be {least} to {most}.")
        return source

    @property
    def uri(self) -> str:  # type: ignore[override]  # it follows from the fields
        given = [
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if self._is_given(field.name)
        ]
        return "glyphs:" + ("?" + "&".join(given) if given else "")

    def listing(self, split: str | None = None, columns: Collection[str] | None = None) -> Listing:
        characters = _characters(self.classes)
        listed = pa.table(
            {
                "label": [label(character.text) for character in characters for _ in range(self.instances)],
                "split": [character.split for character in characters for _ in range(self.instances)],
                "sample_id": [
                    f"U+{ord(character.text):04X}_{instance:02d}"
                    for character in characters
                    for instance in range(self.instances)
                ],
                "group": [character.script for character in characters for _ in range(self.instances)],
                "character": [character.text for character in characters for _ in range(self.instances)],
                "instance": list(range(self.instances)) * len(characters),
            }
        )
        where = f"Source {self.uri!r}"
        rows = conform(of_split(listed, split, where), where)
        pen = Pen(self.size, self.seed)

        def images(indices: np.ndarray) -> Iterator[Encoded]:
            for one in rows.select(["character", "instance"]).take(pa.array(indices)).to_pylist():
                # Drawn here and not by `load`: a font must not be used by several threads at once.
                image = pen.png(one["character"], one["instance"])
                yield Encoded(len(image), partial(bytes, image))

        return Listing(rows, tuple(rows.column_names), images)

    def survey(self) -> Survey:
        made_by = (PIL.__version__, features.version("freetype2"), matplotlib.__version__)
        parts = (GENERATOR, SCRIPTS, FONTS, self.uri, made_by)
        return Survey(hashlib.sha256(repr(parts).encode()).hexdigest())

    def _is_given(self, name: str) -> bool:
        return bool(getattr(self, name) != getattr(GlyphSource, name))


@dataclass(frozen=True)
class Character:
    text: str
    script: str
    split: str


def label(character: str) -> str:
    """The class of a character: its Unicode name, which is unique and never changes."""
    return unicodedata.name(character).capitalize()


def _characters(count: int | None) -> list[Character]:
    """The classes in order: three of every script, three more of every script, and so on."""
    longest = max(len(script) for script in SCRIPTS.values())
    characters = [
        Character(text, name, "evaluation" if place == BLOCK - 1 else "train")
        for start in range(0, longest, BLOCK)
        for name, script in SCRIPTS.items()
        for place, text in enumerate(script[start : start + BLOCK])
    ]
    return characters[:count]


class Pen:
    """Draws instances of characters."""

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._seed = seed
        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        # Basic layout: with or without libraqm installed, the same isolated forms.
        self._fonts = [
            ImageFont.truetype(folder / f"{name}.ttf", EM, layout_engine=ImageFont.Layout.BASIC)
            for name in FONTS
        ]
        charmaps = [FT2Font(folder / f"{name}.ttf").get_charmap() for name in FONTS]
        self._covering: Mapping[str, list[int]] = {
            text: [at for at, charmap in enumerate(charmaps) if ord(text) in charmap]
            for script in SCRIPTS.values()
            for text in script
        }
        self._drawn: dict[tuple[str, int, int], Image.Image] = {}

    def png(self, character: str, instance: int) -> bytes:
        """One instance as PNG bytes; depends on nothing but the size, the seed and the arguments."""
        target = io.BytesIO()
        self.draw(character, instance).save(target, "PNG", compress_level=1)
        return target.getvalue()

    def draw(self, character: str, instance: int) -> Image.Image:
        """One instance: grey, white on black."""
        generator = np.random.default_rng([self._seed, ord(character), instance])
        covering = self._covering[character]
        # Fonts take turns, so that few instances already show all of them.
        font = covering[(instance + ord(character)) % len(covering)]
        # Only light fonts are thickened: bold letters would close their eyes.
        outline = int(generator.integers(0, 3)) if not FONTS[font].endswith("Bold") else 0
        rotate, shear, wide, high, fill, across, down = generator.uniform(-1, 1, 7)
        glyph = self._glyph(character, font, outline)
        distorted = _distort(
            glyph, math.radians(ROTATE) * rotate, SHEAR * shear, 1 + STRETCH * wide, 1 + STRETCH * high
        )
        return _fit(distorted, self._size, 0.8 + 0.08 * fill, across, down)

    def _glyph(self, character: str, font: int, outline: int) -> Image.Image:
        key = (character, font, outline)
        if key not in self._drawn:
            canvas = Image.new("L", (4 * EM, 4 * EM))
            ImageDraw.Draw(canvas).text(
                (EM, EM), character, fill=255, font=self._fonts[font], stroke_width=outline
            )
            box = canvas.getbbox()
            if box is None:
                raise DataError(
                    f"The font {FONTS[font]} of matplotlib {matplotlib.__version__} lacks {character!r}."
                )
            self._drawn[key] = canvas.crop(box)
        return self._drawn[key]


def _distort(glyph: Image.Image, angle: float, shear: float, wide: float, high: float) -> Image.Image:
    """Rotate, slant and stretch about the middle, on a canvas with room for any of it; cropped to the ink."""
    side = 2 * max(glyph.size)
    cos, sin = math.cos(angle), math.sin(angle)
    a, b = cos / wide, (shear * cos - sin) / high
    c, d = sin / wide, (shear * sin + cos) / high
    middle = side / 2
    across, down = glyph.width / 2, glyph.height / 2
    matrix = (a, b, across - (a + b) * middle, c, d, down - (c + d) * middle)
    distorted = glyph.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return distorted.crop(distorted.getbbox())


def _fit(glyph: Image.Image, size: int, fill: float, across: float, down: float) -> Image.Image:
    """Scale the ink so that its longer side fills the share `fill` of the image, a little off the middle."""
    scale = fill * size / max(glyph.size)
    width, height = max(1, round(glyph.width * scale)), max(1, round(glyph.height * scale))
    small = glyph.resize((width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC)
    image = Image.new("L", (size, size))
    play = (1 - fill) * size / 4
    image.paste(small, (round((size - width) / 2 + across * play), round((size - height) / 2 + down * play)))
    return image
