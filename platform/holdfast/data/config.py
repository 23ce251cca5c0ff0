"""What an experiment says about its images: which source, which rows train, which evaluate."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from holdfast.base import ConfigError, Settings
from holdfast.data.selection import parse


def _selection(expression: str) -> str:
    try:
        parse(expression)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return expression


def _pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    if groups < 1:
        raise ValueError(f"{pattern!r} has no (group) that says which part becomes the column")
    return pattern


Selection = Annotated[str, AfterValidator(_selection)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Column(Settings):
    """A derived column: the first group of a regular expression on another column.

    It holds numbers when all of its values are numbers, else text.
    """

    of: str
    pattern: Annotated[str, AfterValidator(_pattern)]


class SplitConfig(Settings):
    """The rows of one split (all rows if none), of which `where` selects."""

    split: str | None = None
    where: Selection | None = None


class EvaluateConfig(SplitConfig):
    """The evaluation images, divided into queries and gallery.

    `queries` is an expression, or a share of every class: rounded, at least one query and one gallery image a
    class; a class of one image goes to the gallery, where it can only be in the way.
    """

    queries: Share | Selection = 0.25


class DataConfig(Settings):
    """One source, its training rows and its evaluation rows.

    A source of vectors has columns beside those of its files: `fold`, from 0 to 9, hangs on a row's id alone,
    so that `where: fold < 8` goes on to choose the same rows when there are more.
    """

    source: str
    """Of images: `parquet:PATH_OR_URL`, `folder:PATH`, `webdataset:PATH_OR_URL`, `list:FILE`, `glyphs:`. Of
    vectors, for a projection: `vectors:PATH_OR_URL` (Parquet, Arrow, or .npy with `?rows=TABLE`);
    `?label=species&group=genus&id=...` says which columns they are, where these have other names.
    `gallery:?label=species` are the entries of the version that `model.trunk` names, as they are when the run
    begins, each attribute a column."""
    train: SplitConfig = SplitConfig()
    evaluate: EvaluateConfig
    columns: dict[str, Column] = Field(default_factory=dict)
    undecodable: Literal["refuse", "skip"] = "refuse"
    """What becomes of images that cannot be decoded, and of vectors that are missing, of another dimension,
    not finite or zero."""
    streaming: bool = Field(False, exclude_if=lambda value: not value)
    """Whether images stay encoded where they lie, and are read again whenever they are learned from: for data
    that fits neither memory nor disk. Each image is looked at once before (a digest is kept of it, and no
    pixel); then memory follows the batch."""
    shuffle: Annotated[int, Field(ge=1)] = Field(2048, exclude_if=lambda value: value == 2048)
    """Images, held encoded, among which streamed ones are shuffled; the files that they come from are
    shuffled as well."""
    allow_overlap: bool = Field(False, exclude_if=lambda value: not value)
    """Whether evaluation images may be trained on. Without it, one that is in both parts stops the run."""

    @model_validator(mode="after")
    def _evaluates_other_images(self) -> "DataConfig":
        same = (self.train.split, self.train.where) == (self.evaluate.split, self.evaluate.where)
        if same and not self.allow_overlap:
            raise ValueError(
                "train and evaluate select the same images; give evaluate another split or another where"
            )
        return self
