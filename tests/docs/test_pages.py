"""The pages are made from the code as it is, and what they point to exists."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    *(f"docs/{page.name}" for page in sorted((REPOSITORY / "docs").glob("*.md"))),
]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", REPOSITORY / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_code_says(generate: ModuleType) -> None:
    for name, text in generate.pages().items():
        there = (REPOSITORY / "docs" / name).read_text()
        assert there == text, f"docs/{name} is out of date: run python docs/generate.py"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    file = REPOSITORY / page
    for target in re.findall(r"\]\(([^)]+)\)", file.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = file if not path else (file.parent / path)
        assert linked.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_is_reached_from_the_front_page() -> None:
    linked = set(re.findall(r"\(((?:docs/)?[^)#/]+\.md)\)", (REPOSITORY / "README.md").read_text()))
    assert linked == set(PAGES) - {"README.md"}


def test_the_picture_is_small() -> None:
    assert (REPOSITORY / "docs" / "images" / "report.png").stat().st_size < 300_000
