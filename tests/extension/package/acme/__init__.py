"""A part of every kind, for Holdfast."""
