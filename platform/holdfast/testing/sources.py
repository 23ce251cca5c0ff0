"""What every source keeps to, of images or of vectors."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from holdfast.base import DataError
from holdfast.data import Source, SplitConfig, VectorSource, load_images, open_any, open_source
from holdfast.models import decode_image

COLUMNS = ["label", "split", "sample_id", "group"]


class SourceContract:
    """Give it the fixture `uri`, of a source with a few sound images."""

    @pytest.fixture
    def uri(self) -> str:
        raise NotImplementedError("give the suite a fixture `uri`")

    @pytest.fixture
    def source(self, uri: str) -> Source:
        return open_source(uri)

    def test_it_goes_by_its_uri(self, source: Source, uri: str) -> None:
        again = open_source(source.uri)
        assert again.uri == source.uri
        assert again.read().equals(source.read())

    def test_its_rows_have_text_and_an_image_each(self, source: Source) -> None:
        listing = source.listing()
        assert len(listing) > 0
        assert listing.rows.column_names[: len(COLUMNS)] == COLUMNS
        assert all(pa.types.is_string(listing.rows.schema.field(name).type) for name in COLUMNS)
        assert set(listing.rows.column_names) <= set(listing.available)
        for name in COLUMNS[:3]:
            assert listing.rows.column(name).null_count == 0
        images = list(listing.images(np.arange(len(listing))))
        assert len(images) == len(listing)
        for image in images[:5]:
            content = image.load()
            assert content is not None
            assert decode_image(content).width > 0

    def test_images_are_those_of_the_rows_that_were_asked_for(self, source: Source) -> None:
        listing, table = source.listing(), source.read()
        assert table.column_names == ["image", *listing.rows.column_names]
        assert pa.types.is_large_binary(table.schema.field("image").type)
        rows = np.arange(len(listing))[1::2]
        assert [each.load() for each in listing.images(rows)] == table.column("image").take(
            pa.array(rows)
        ).to_pylist()

    def test_pieces_have_the_images_of_the_rows(self, source: Source) -> None:
        listing, images = source.listing(), source.read().column("image").to_pylist()
        if listing.layout is None:
            pytest.skip("it is read in its order alone")
        originals, starts = source.originals(listing.layout), listing.layout["starts"]
        assert starts[-1] == len(listing)
        for piece, (start, end) in enumerate(pairwise(starts.tolist())):
            rows = np.arange(end - start)[::-2][::-1]
            assert [each.load() for each in originals.read(piece, rows)] == [
                images[start + row] for row in rows
            ]
        for split in source.read().column("split").unique().to_pylist():
            part = source.listing(split)
            places = np.arange(len(part)) if part.places is None else part.places
            assert [images[place] for place in places] == source.read(split).column("image").to_pylist()

    def test_a_split_is_its_rows_in_the_order_of_the_whole(self, source: Source) -> None:
        whole = source.read()
        for split in whole.column("split").unique().to_pylist():
            assert source.read(split).equals(whole.filter(pc.equal(whole.column("split"), split)))
        with pytest.raises(DataError, match=r"no split 'no such split'; it has: \w"):
            source.listing("no such split")

    def test_columns_that_nobody_asked_for_need_not_be_read(self, source: Source) -> None:
        whole, listing = source.listing(), source.listing(columns=())
        assert listing.rows.select(COLUMNS).equals(whole.rows.select(COLUMNS))
        assert set(whole.rows.column_names) <= set(listing.available)

    def test_the_fingerprint_is_the_content_s(self, source: Source, uri: str) -> None:
        assert source.fingerprint() == open_source(uri).fingerprint() == source.survey().fingerprint
        assert len(source.fingerprint()) >= 8

    def test_places_are_as_many_as_asked_for(self, source: Source) -> None:
        named = source.listing().rows.column("sample_id").to_pylist()
        places = source.places(named)
        assert places is None or len(places) == len(named)


class VectorSourceContract:
    """Give it the fixture `uri`, of a source with a few sound vectors, each with a label."""

    @pytest.fixture
    def uri(self) -> str:
        raise NotImplementedError("give the suite a fixture `uri`")

    @pytest.fixture
    def source(self, uri: str) -> VectorSource:
        opened = open_any(uri)
        assert isinstance(opened, VectorSource)
        return opened

    def test_its_rows_have_text_and_a_vector_each(self, source: VectorSource) -> None:
        listing = source.listing()
        assert len(listing) > 0
        assert listing.rows.column_names[: len(COLUMNS)] == COLUMNS
        assert all(pa.types.is_string(listing.rows.schema.field(name).type) for name in COLUMNS)
        assert set(listing.rows.column_names) <= set(listing.available)
        blocks = list(listing.vectors(np.arange(len(listing))))
        vectors = np.concatenate([block.vectors for block in blocks])
        assert vectors.dtype == np.float32
        assert vectors.shape == (len(listing), listing.dimension)
        assert not any(block.faults for block in blocks)

    def test_vectors_are_those_of_the_rows_that_were_asked_for(self, source: VectorSource) -> None:
        listing = source.listing()
        whole = np.concatenate([block.vectors for block in listing.vectors(np.arange(len(listing)))])
        rows = np.arange(len(listing))[1::2]
        found = [block.vectors for block in listing.vectors(rows)]
        np.testing.assert_array_equal(np.concatenate(found), whole[rows])
        assert list(listing.vectors(rows[:0])) == []

    def test_a_split_is_its_rows_in_the_order_of_the_whole(self, source: VectorSource) -> None:
        whole = source.listing().rows
        for split in whole.column("split").unique().to_pylist():
            chosen = whole.filter(pc.equal(whole.column("split"), split))
            assert source.listing(split).rows.equals(chosen)
        with pytest.raises(DataError, match=r"no split 'no such split'; it has: \w"):
            source.listing("no such split")

    def test_columns_that_nobody_asked_for_need_not_be_read(self, source: VectorSource) -> None:
        whole, listing = source.listing(), source.listing(columns=())
        assert listing.rows.select(COLUMNS).equals(whole.rows.select(COLUMNS))
        assert set(whole.rows.column_names) <= set(listing.available)

    def test_the_fingerprint_is_the_content_s(self, source: VectorSource, uri: str) -> None:
        again = open_any(source.uri)
        assert source.survey().fingerprint == open_any(uri).survey().fingerprint == again.survey().fingerprint
        assert len(source.survey().fingerprint) >= 8

    def test_they_are_loaded_with_unit_norm(self, uri: str, tmp_path: Path) -> None:
        loaded = load_images(uri, SplitConfig(), None, cache=tmp_path)
        assert loaded.what == "vectors"
        np.testing.assert_allclose(np.linalg.norm(loaded.images, axis=1), 1.0, atol=1e-3)

    def test_it_is_no_source_of_images(self, uri: str) -> None:
        with pytest.raises(DataError, match="holds vectors; here images are wanted"):
            open_source(uri)
