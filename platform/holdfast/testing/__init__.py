"""What a part of another package has to keep to: the suites that the built-in parts pass, and a tiny store.

A suite is a class of tests. Derive from it in a file of your tests, and give it the part by its fixture:

    class TestPull(RegularizerContract):
        @pytest.fixture
        def config(self) -> PullConfig:
            return PullConfig(weight=2)

Needs pytest and hypothesis, which nothing else of Holdfast does: `pip install 'holdfast[testing]'`.
"""

import lazy_loader

try:
    import hypothesis  # noqa: F401
    import pytest
except ImportError as error:
    raise ImportError(
        "holdfast.testing needs pytest and hypothesis: pip install 'holdfast[testing]'."
    ) from error

# Before the suites are imported, so that their failures are explained as those of test files are.
SUITES = ("adapters", "heads", "index", "index_model", "regularizers", "sources", "trunks")
pytest.register_assert_rewrite(*(f"{__name__}.{suite}" for suite in SUITES))

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
