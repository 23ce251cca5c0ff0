from collections.abc import Iterator

import pytest

from tests.fixtures.endpoints import Vendor, running_vendor


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with running_vendor() as running:
        yield running
