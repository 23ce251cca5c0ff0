"""Where things lie."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
EXPERIMENTS = REPOSITORY / "experiments"
RESULTS = EXPERIMENTS / "results"
DOCS = REPOSITORY / "docs"
