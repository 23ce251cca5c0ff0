"""The parts of the benchmark of compact codes, `codes.py`."""
