"""A tiny experiment, and the command line in a process group of its own."""

from tests.fixtures.runs import holdfast, tiny, tiny_file  # noqa: F401
from tests.fixtures.shards import shards  # noqa: F401
