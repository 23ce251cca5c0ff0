from pathlib import Path

from holdfast.entries import Entry
from holdfast.search import Gallery
from holdfast.testing import tiny_store, unit_vectors


def test_its_newest_version_searches_what_the_first_one_filled(tmp_path: Path) -> None:
    with tiny_store(tmp_path, versions=3) as store:
        assert [version.parent for version in store.versions.list()] == [None, "v1", "v2"]
        assert store.versions.load("v2").dimension == 8
        gallery = Gallery(store)
        rows = unit_vectors(0, 5, 8)
        gallery.upsert([Entry(f"e{n}", "v1", row, {}) for n, row in enumerate(rows)])
        found = gallery.search(rows[2], "v3", k=2)
        assert (found.hits[0].id, found.hits[0].embedded_by) == ("e2", "v1")
