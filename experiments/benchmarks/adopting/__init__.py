"""The benchmark of upgrades between models that others made."""
