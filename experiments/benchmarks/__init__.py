"""What measures Holdfast: `python -m experiments.benchmarks` and its neighbours, at the repository's root."""
