"""A gallery of four versions in a store of either database."""

from tests.fixtures.gallery import allow, contents, entry, further, one_thread, restore, store, vectors  # noqa: F401
