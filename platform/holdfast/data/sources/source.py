"""Where images and vectors come from: one interface for all sources of each."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

import pyarrow as pa

from holdfast.base import DataError, PartConfig
from holdfast.data.sources.listing import Listing, Survey, VectorListing
from holdfast.data.sources.originals import Layout, Originals


class Source(ABC):
    """Labelled images as encoded bytes.

    Attributes:
        uri: what `open_source` opened.
    """

    uri: str

    @abstractmethod
    def listing(self, split: str | None = None, columns: Collection[str] | None = None) -> Listing:
        """All rows, or those of one split, in the source's order, without the images.

        Args:
            columns: which further plain columns the rows shall have, where there are such; None for all.

        Raises:
            DataError: the source is missing, empty or lacks a column, or there is no such split.
        """

    @abstractmethod
    def survey(self) -> Survey:
        """What the content is and what of it is passed over; cheap, it does not read the images."""

    def read(self, split: str | None = None) -> pa.Table:
        """All at once: column `image` (large binary), then those of `listing`.

        Raises DataError as `listing` does, and where a row has no label, split or sample_id.
        """
        return self.listing(split).read(f"Source {self.uri!r}")

    def fingerprint(self) -> str:
        """That of the survey."""
        return self.survey().fingerprint

    def originals(self, layout: Layout) -> Originals:
        """What reads the images by pieces, where a listing has said how they lie; cheap.

        Raises DataError for a source that cannot be read so.
        """
        raise DataError(
            f"Source {self.uri!r} cannot be streamed, as it says nothing of where its images lie: take "
            "data.streaming out, or write it as Parquet, WebDataset shards or a list of files."
        )

    def places(self, sample_ids: Sequence[str]) -> list[str | None] | None:
        """Where each of these images lies, so that it can be read again: absolute paths, or `file://` URIs of
        odd names; None for an image that lies nowhere by itself, or for all of them."""
        return None


class VectorSource(ABC):
    """Labelled vectors, as some model made them, of images that need not be there.

    Attributes:
        uri: what names it in an experiment.
    """

    uri: str

    @abstractmethod
    def listing(self, split: str | None = None, columns: Collection[str] | None = None) -> VectorListing:
        """All rows, or those of one split, in the source's order, without the vectors; see `Source`."""

    @abstractmethod
    def survey(self) -> Survey:
        """What the content is and what of it is passed over; cheap, it does not read the vectors."""


class SourceConfig(PartConfig):
    """Base of the configs of sources of other packages: what `package.module:Class?key=value` may say."""

    @abstractmethod
    def open(self, uri: str) -> Source | VectorSource:
        """The source, which goes by this URI. Raises DataError where it is not there."""
