"""The benchmark of compact codes."""
